# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The listener of a demo as data, for tests of the Envoy messages."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.schema import LISTENER


def listener_spec(**keys: Any) -> dict[str, Any]:
    """Return a listener with the defaults of a demo file, and `keys`."""
    return {key: option.get("default") for key, option in LISTENER.options.items()} | keys
