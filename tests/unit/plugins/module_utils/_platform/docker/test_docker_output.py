# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The output of docker and of its compose plugin, parsed."""

from __future__ import annotations

import doctest

import pytest
from fake_docker import inspect_entry

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker import docker_output
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_output import (
    parse_inspected,
    parse_listed,
    parse_ports,
    parse_steps,
    parse_version,
)

UP = """\
time="2026-01-01T00:00:00Z" level=warning msg="Found orphan containers ([demo-old-1]) for this project."
 Network demo_default  Creating
 Network demo_default  Created
 Container demo-a-1  Running
 Container demo-service1-1-envoy-1  Recreate
 Container 0123456789ab_demo-service1-1-envoy-1  Recreated
 Container demo-service1-1-envoy-1  Starting
 Container demo-service1-1-envoy-1  Started
 Container demo-new-1  Created
 Container demo-new-1  Started
 Container other-x-1  Started
"""


def test_documented_examples_are_right() -> None:
    assert doctest.testmod(docker_output).failed == 0


def test_published_ports_are_parsed() -> None:
    text = "127.0.0.1:8080-8081->80-81/tcp, :::53->53/udp, [::1]:9000->9000/tcp, 10000/tcp"
    found = [(one.address, one.port, one.protocol) for one in parse_ports(text)]
    assert found == [
        ("127.0.0.1", 8080, "tcp"),
        ("127.0.0.1", 8081, "tcp"),
        ("::", 53, "udp"),
        ("::1", 9000, "tcp"),
    ]


def test_container_without_labels_has_no_project() -> None:
    container = parse_listed("abc\t\t\trunning\timage\t0.0.0.0:80->80/tcp\tweb\t\t")
    assert (container.project, container.service, container.name) == ("", "", "web")
    assert container.listeners[0].port == 80


def test_steps_are_grouped_by_service() -> None:
    assert parse_steps(UP, "demo") == {
        "a": ["Running"],
        "service1-1-envoy": ["Recreate", "Recreated", "Starting", "Started"],
        "new": ["Created", "Started"],
    }


def test_steps_of_a_dry_run_are_parsed() -> None:
    dry = " DRY-RUN MODE -  Container demo-a-1  Recreated \n DRY-RUN MODE -  Network demo_default  Created\n"
    assert parse_steps(dry, "demo") == {"a": ["Recreated"]}


def test_inspected_container_is_parsed() -> None:
    container = parse_inspected(inspect_entry("a", Health={"Status": "healthy"}))
    assert (container.service, container.health) == ("a", "healthy")
    assert container.addresses == (("172.18.0.2", "172.18.0.1"),)


@pytest.mark.parametrize(("text", "expected"), [("v2.26.1-4", (2, 26)), ("5.0.0", (5, 0)), ("dev", ())])
def test_version_is_its_first_two_numbers(text: str, expected: tuple[int, ...]) -> None:
    assert parse_version(text) == expected
