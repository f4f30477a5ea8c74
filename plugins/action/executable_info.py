# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action: looks for a program."""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.module_utils._common.executable_version import (
    ARGUMENTS,
    perform,
)
from ansible_collections.meshlab.envoy.plugins.plugin_utils._local_execution import HereOrThereAction


class ActionModule(HereOrThereAction):
    """Runs the module of the same name."""

    arguments = ARGUMENTS
    perform = staticmethod(perform)
