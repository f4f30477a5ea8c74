# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the names of listeners that have none in a watched file."""

from __future__ import annotations

import json

import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.listener_names import (
    with_listener_names,
)

BLOCK = """\
resources:
# first
- "@type": type.googleapis.com/envoy.config.listener.v3.Listener
  address: {socket_address: {address: 0.0.0.0, port_value: 8080}}
- name: mine
  address: {socket_address: {address: 0.0.0.0, port_value: 1}}
-   address: {socket_address: {address: 0.0.0.0, port_value: 8080, protocol: UDP}}
    enable_reuse_port: false
"""


def names(text: str) -> list[str]:
    return [one["name"] for one in yaml.safe_load(text)["resources"]]


def test_each_listener_gets_its_own_name() -> None:
    text, notes = with_listener_names("lds.yaml", BLOCK)
    assert names(text) == ["port-8080", "mine", "port-8080-udp"]
    assert [note.partition(":")[0] for note in notes] == ["lds.yaml line 3", "lds.yaml line 7"]
    assert yaml.safe_load(text)["resources"][2]["enable_reuse_port"] is False


def test_equal_ports_get_different_names() -> None:
    one = {"address": {"socket_address": {"address": "a", "port_value": 1}}}
    text, _notes = with_listener_names("lds.json", json.dumps({"resources": [one, one]}))
    assert [resource["name"] for resource in json.loads(text)["resources"]] == ["port-1", "port-1-2"]


def test_file_with_names_is_unchanged() -> None:
    text = "resources:\n- {name: a}\n"
    assert with_listener_names("lds.yaml", text) == (text, [])
    assert with_listener_names("lds.yaml", "resources: []\n")[1] == []
