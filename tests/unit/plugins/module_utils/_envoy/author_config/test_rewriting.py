# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the copy of an author's file with other addresses and paths."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.config_reader import (
    read_config,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.content import ConfigFile
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.rewriting import (
    edited,
    host_edits,
    path_edit,
)

BLOCK = """# Ours
static_resources:
  clusters:
  - name: web
    load_assignment:
      endpoints:
      - lb_endpoints:
        - endpoint:
            address:
              socket_address:
                address: "web"   # by name
                port_value: 8080
          load_balancing_weight: 3
        # after it
        - endpoint: {address: {socket_address: {address: 192.0.2.1, port_value: 1}}}
"""
ENDPOINT = "{endpoint: {address: {socket_address: {address: web, port_value: 8080}}}}"
FLOW = f"{{cluster: {{load_assignment: {{endpoints: [{{lb_endpoints: [{ENDPOINT}]}}]}}}}}}"


def rewritten(text: str, *addresses: tuple[str, int]) -> str:
    config = read_config([ConfigFile("envoy.yaml", "envoy.yaml", text)])
    return edited(
        text, [edit for one in config.hosts if one.host == "web" for edit in host_edits(text, one, addresses)]
    )


def ports(text: str) -> list[int]:
    data = yaml.safe_load(text)
    cluster = data.get("cluster") or data["static_resources"]["clusters"][0]
    endpoints = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    return [one["endpoint"]["address"]["socket_address"]["port_value"] for one in endpoints]


def test_only_the_address_changes() -> None:
    expected = BLOCK.replace('"web"', "127.0.0.1").replace("8080", "20001")
    assert rewritten(BLOCK, ("127.0.0.1", 20001)) == expected


@pytest.mark.parametrize(("text", "others"), [(BLOCK, [1]), (FLOW, [])])
def test_endpoint_is_repeated_for_each_replica(text: str, others: list[int]) -> None:
    made = rewritten(text, ("127.0.0.1", 20001), ("127.0.0.1", 20002), ("::1", 20003))
    assert sorted(ports(made)) == sorted([20001, 20002, 20003, *others])
    assert made.count("load_balancing_weight") in (0, 3)


def test_logical_dns_cluster_keeps_one_endpoint() -> None:
    text = FLOW.replace("{cluster: {", "{cluster: {type: LOGICAL_DNS, ")
    assert ports(rewritten(text, ("127.0.0.1", 20001), ("127.0.0.1", 20002))) == [20001]


def test_path_of_a_file_is_replaced() -> None:
    text = "a: {filename: '/etc/envoy/a.lua'}\n"
    config = read_config([ConfigFile("envoy.yaml", "", text), ConfigFile("a.lua", "", "")])
    [use] = config.uses_of("a.lua")
    assert edited(text, [path_edit(use, "a.lua")]) == "a: {filename: a.lua}\n"
