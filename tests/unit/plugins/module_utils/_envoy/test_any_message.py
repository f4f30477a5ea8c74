# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the content of the files that Envoy watches."""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.any_message import (
    discovery_response,
)


def test_equal_resources_have_equal_version_infos() -> None:
    first, same, other = (discovery_response([{"name": name}]) for name in ("web", "web", "edge"))
    assert first == same
    assert first["resources"] == [{"name": "web"}]
    assert first["version_info"].startswith("sha256:")
    assert first["version_info"] != other["version_info"]
