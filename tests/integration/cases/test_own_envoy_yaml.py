# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test an author's own envoy.yaml: it runs unchanged on each platform, and its numbers are asserted by Envoy's own stat names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cases import CASES, CaseDeployment, PortBlock, case_data

Deploy = Callable[[str], CaseDeployment]
CASE = "40-own-envoy-yaml"
ENVOY_YAML = (CASES / CASE / "envoy.yaml").read_text(encoding="utf-8")
# The ports in the author's file.
PORTS = (10000, 10001, 9901)


def on_ports_of(block: PortBlock, text: str = ENVOY_YAML) -> str:
    """Return a configuration with ports of a block: on the platform local, its ports are ports of the host."""
    for position, port in enumerate(PORTS):
        text = text.replace(f"port_value: {port} ", f"port_value: {block.first + 80 + position} ")
    return text


def own_demo(block: PortBlock, **front: Any) -> Any:
    """Return the demo of the case, whose proxy has further keys."""
    data = case_data(f"{CASE}/own.yml", block)
    data["proxies"]["front"].update(front)
    return data


def published(block: PortBlock) -> dict[str, int]:
    """Return ports of a block on the host for the listeners of the case."""
    return {"listener_http": block.first + 80, "listener_tcp": block.first + 81}


def test_envoy_yaml_runs_on_the_host(block: PortBlock, deployment: Deploy) -> None:
    local = deployment("local")
    text = on_ports_of(block)
    (local.root / "envoy.yaml").write_text(text, encoding="utf-8")
    planned = local.deploy(own_demo(block))
    assert local.failures(planned) == []
    deployed = (local.folder / "front/config/envoy.yaml").read_text(encoding="utf-8")
    changed = {
        number
        for number, (old, new) in enumerate(zip(text.splitlines(), deployed.splitlines(), strict=False), 1)
        if old != new
    }
    # The second replica of web is one more line, which moves the lines below it.
    assert min(changed) == 59
    assert deployed.splitlines()[:58] == text.splitlines()[:58]
    assert [one.partition(" is ")[0] for one in planned["replacements"]] == [
        "envoy.yaml line 59: web:8080",
        "envoy.yaml line 67: api:8080",
        "envoy.yaml line 75: echo:7000",
    ]
    assert planned["warnings"][0].startswith("envoy.yaml line 9: the admin interface listens on 0.0.0.0:")


@pytest.mark.docker
def test_envoy_yaml_runs_unchanged_in_a_container(block: PortBlock, deployment: Deploy) -> None:
    docker = deployment("docker")
    (docker.root / "envoy.yaml").write_text(ENVOY_YAML, encoding="utf-8")
    planned = docker.deploy(own_demo(block, publish=published(block)))
    assert docker.failures(planned) == []
    assert (docker.folder / "front/config/envoy.yaml").read_text(encoding="utf-8") == ENVOY_YAML
    assert planned["replacements"] == []


@pytest.mark.kubernetes
def test_envoy_yaml_runs_unchanged_in_a_pod(block: PortBlock, deployment: Deploy) -> None:
    cluster = deployment("kubernetes")
    (cluster.root / "envoy.yaml").write_text(ENVOY_YAML, encoding="utf-8")
    planned = cluster.deploy(own_demo(block))
    assert cluster.failures(planned) == []
    [deployed] = [one["content"] for one in planned["files"] if one["path"] == "front/config/envoy.yaml"]
    assert deployed == ENVOY_YAML
