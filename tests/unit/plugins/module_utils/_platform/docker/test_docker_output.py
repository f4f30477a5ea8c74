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
    PullOutput,
    definitions,
    listed_container,
    parse_inspected,
    parse_listed,
    parse_ports,
    parse_version,
)


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


def test_container_of_the_api_is_the_one_of_the_command() -> None:
    labels = {"com.docker.compose.project": "demo", "com.docker.compose.service": "web-g1"}
    ports = [
        {"IP": "127.0.0.1", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
        {"PrivatePort": 81, "Type": "tcp"},
    ]
    data = {
        "Id": "abc",
        "Names": ["/other/web", "/demo-web-1"],
        "Image": "i:1",
        "State": "running",
        "Ports": ports,
        "Labels": {**labels, "com.docker.compose.project.working_dir": "/f", "meshlab.envoy.workload": "web"},
    }
    line = "abc\tdemo\tweb-g1\trunning\ti:1\t127.0.0.1:8080->80/tcp, 81/tcp\tdemo-web-1\t/f\tweb"
    assert listed_container(data) == parse_listed(line)
    assert listed_container({**data, "Labels": None, "Ports": None}).project == ""


def test_definitions_are_found_in_yaml_and_json() -> None:
    label = "meshlab.envoy.definition"
    yaml_text = (
        f"labels:\n  {label}: edge-network.0123456789ab\n  x: y\nlabels:\n  {label}: '1.abcdef012345'\n"
    )
    assert definitions(yaml_text) == {"edge-network": "edge-network.0123456789ab", "1": "1.abcdef012345"}
    assert definitions(f'{{"{label}": "edge-g2.0123456789ab"}}') == {"edge-g2": "edge-g2.0123456789ab"}


def test_generation_is_the_number_in_the_service() -> None:
    line = "abc\tdemo\t{}\trunning\timage\t\tname\t/folder\t{}"
    found = [
        ("edge", "edge"),
        ("edge-g12", "edge"),
        ("web-g1", "web-g1"),
        ("web-g1-g3", "web-g1"),
        ("a-network", ""),
    ]
    assert [parse_listed(line.format(*one)).generation for one in found] == [0, 12, 0, 3, 0]


def test_inspected_container_is_parsed() -> None:
    container = parse_inspected(inspect_entry("a", Health={"Status": "healthy"}))
    assert (container.service, container.health) == ("a", "healthy")
    assert container.addresses == (("172.18.0.2", "172.18.0.1"),)


@pytest.mark.parametrize(("text", "expected"), [("v2.26.1-4", (2, 26)), ("5.0.0", (5, 0)), ("dev", ())])
def test_version_is_its_first_two_numbers(text: str, expected: tuple[int, ...]) -> None:
    assert parse_version(text) == expected


def test_layers_of_a_pull_are_added_up() -> None:
    output = PullOutput()
    # As Docker 20.10 and 28.2 print it, cut in the middle of a number.
    output.add("0.149.0: Pulling from otel\r\n\r\n\x1b[1A\x1b[2K\r5d487a3de13e: Pulling fs layer \r\x1b[1B")
    assert (output.done, output.total) == (0, 0)
    output.add("\x1b[1A\x1b[2K\r5d487a3de13e: Downloading [==>  ]  3.5MB/10")
    output.add(".1MB\r\x1b[1B\x1b[1A\x1b[2K\raaaaaaaaaaaa: Downloading  131.1kB/1GB\r\x1b[1B")
    assert (output.done, output.total) == (3_631_100, 1_010_100_000)
    output.add("5d487a3de13e: Verifying Checksum \r\x1b[1B5d487a3de13e: Extracting  917.5kB/10.12MB\r\x1b[1B")
    assert (output.done, output.total) == (10_251_100, 1_010_120_000)
    output.add("5d487a3de13e: Downloading  1.2.3MB/10MB\rbbbbbbbbbbbb: Already exists \r")
    assert output.total == 1_010_000_000
