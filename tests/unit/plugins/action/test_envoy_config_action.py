# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test what the action of envoy_config adds to the options on the controller."""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.action.envoy_config import completed

LISTENER = "type.googleapis.com/envoy.config.listener.v3.Listener"
LDS = f"resources:\n- '@type': {LISTENER}\n  address: {{socket_address: {{port_value: 8080}}}}\n"


def test_listener_without_a_name_gets_one_everywhere() -> None:
    files = [
        {"path": "lds.yaml", "content": LDS},
        {"path": "a.wasm", "content": "AGFz", "encoding": "base64"},
    ]
    named, [proxy], [note] = completed(files, [{"name": "edge", "listeners": "lds.yaml"}])
    assert "name: port-8080\n" in named[0]["content"]
    assert "name: port-8080\n" in proxy["candidate"]
    assert named[1] == files[1]
    assert note.startswith("lds.yaml line 2: a listener of a watched file needs a name")


def test_other_files_are_unchanged() -> None:
    files = [{"path": "other.yaml", "content": LDS}]
    assert completed(files, [{"name": "edge"}])[0] == files
