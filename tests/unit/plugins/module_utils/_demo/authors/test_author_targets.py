# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the ports of a demo that an author's configuration refers to by name."""

from __future__ import annotations

from typing import Any

import pytest
from author_demo import FILES, author_demo, source_of

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.authors.author_targets import author_targets
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo


def targets(data: Any, group: str = "front") -> list[tuple[str, str, int | None]]:
    demo = read_demo("own", data, file="own.yml", source=source_of(FILES))
    return [(one.group, one.name, one.replica) for one in author_targets(demo, group)]


def cluster(host: str, port: int) -> str:
    address = f"{{socket_address: {{address: {host}, port_value: {port}}}}}"
    endpoints = f"[{{lb_endpoints: [{{endpoint: {{address: {address}}}}}]}}]"
    return f"static_resources:\n  clusters: [{{name: c, load_assignment: {{endpoints: {endpoints}}}}}]\n"


def test_service_is_found_by_name_and_others_are_left_out() -> None:
    assert targets(author_demo()) == [("web", "app", None)]


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        ("web", 8080, [("web", "app", None)]),
        ("web-2", 8080, [("web", "app", 2)]),
        ("statsd-exporter", 9125, [("statsd_exporter", "statsd", None)]),
        ("192.0.2.1", 80, []),
    ],
)  # fmt: skip
def test_name_can_be_a_group_or_an_instance(host: str, port: int, expected: Any) -> None:
    data = {**author_demo(cluster(host, port)), "statsd_exporter": {"style": "statsd"}}
    assert targets(data) == expected


def test_loopback_of_a_sidecar_is_its_service() -> None:
    data = {
        **author_demo(),
        "proxies": {},
        "services": {"web": {"sidecar": {"config": cluster("127.0.0.1", 8080)}}},
    }
    assert targets(data, "web") == [("web", "app", None)]


def test_wrong_port_names_the_line_and_the_ports() -> None:
    with pytest.raises(DemoError) as error:
        targets(author_demo(cluster("web", 80)))
    assert str(error.value) == (
        "proxies.front.config of own.yml line 2: web:80: 'web' of own.yml does not listen on port 80. Its ports are 8080 (app)."
        " Correct the port, or set 'port' in the demo."
    )
