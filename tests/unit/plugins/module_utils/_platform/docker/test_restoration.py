# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documents of a restoration. tests/integration restores running containers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fake_docker import FakeDocker, docker_deployer, inspect_entry, ps_line

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import CommandResult
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker import restoration
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.documents import compose
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload


def envoy(generation: int) -> dict[str, Any]:
    """Return the service of a generation of an Envoy, whose command has a `$`."""
    workload = Workload(
        name="edge",
        image="envoy:1",
        command=("envoy", "--base-id", "0", "--service-node", "a$b", "--restart-epoch", str(generation)),
        generation=generation,
        replacement="hot_restart",
        digest="4f0c",
    )
    service = workload.program.replace(".", "-g")
    found: dict[str, Any] = compose("demo", [workload], "127.0.0.1")["services"][service]
    return found


@pytest.mark.parametrize("before", [0, 1])
def test_renewed_envoy_has_the_command_of_its_generation(before: int) -> None:
    service = envoy(before)
    restoration._renew("edge-g3", service)
    assert service == envoy(3)


def removed_by_a_restoration(*services: str) -> list[str]:
    """Return what is removed when a change of another workload failed. `services` run, and edge-g2 is in the document."""
    compose_config = {"services": {name: {} for name in ("edge-network", "edge-g2")}}
    docker = FakeDocker(
        ps=CommandResult(0, "".join(ps_line("demo", one) for one in services), ""),
        container=CommandResult(0, json.dumps([inspect_entry(one) for one in services]), ""),
        compose=CommandResult(0, json.dumps(compose_config), ""),
    )
    deployer = docker_deployer(docker)
    document = "".join(
        f"meshlab.envoy.definition: {one}.{'4f0c' * 3}\n" for one in compose_config["services"]
    )
    assert {*restoration.definitions(document)} == {*compose_config["services"]}
    previous = restoration.PreviousContainers(document)
    restoration.restore(deployer.docker, deployer.project, previous, [])
    removals = [one.split() for one in docker.commands if one.startswith("rm")]
    return [word for words in removals for word in words if word.startswith("id-of-")]


def test_restoration_keeps_parents_of_untouched_envoys() -> None:
    assert removed_by_a_restoration("edge-network", "edge-g1", "edge-g2", "web") == ["id-of-web"]
    # Without edge-g1, nothing ends the first generation.
    assert removed_by_a_restoration("edge-network", "edge", "edge-g2") == ["id-of-edge"]
