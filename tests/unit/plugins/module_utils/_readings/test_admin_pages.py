# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The readings of the admin's pages, as Envoy 1.36 to 1.40 writes them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.admin_pages import (
    parse_data,
    parse_page,
    parse_ready,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError

ADDRESS = {"socket_address": {"address": "10.0.0.1", "port_value": 80}}
HUGE = float("inf")  # as json.loads returns 1e999


def test_readings_of_clusters() -> None:
    # Envoy leaves out zeros and empty values.
    data = {
        "cluster_statuses": [
            {
                "name": "web",
                "added_via_api": True,
                "host_statuses": [
                    {
                        "address": ADDRESS,
                        "health_status": {"eds_health_status": "HEALTHY"},
                        "weight": 3,
                        "stats": [{"name": "rq_total", "value": "7"}],
                    },
                    {
                        "address": {"pipe": {"path": "/x"}},
                        "health_status": {"eds_health_status": "HEALTHY", "failed_outlier_check": True},
                        "priority": 1,
                    },
                    {
                        "address": {"socket_address": {"address": "::1", "port_value": 1}},
                        "health_status": {"eds_health_status": "DRAINING"},
                    },
                ],
            },
            {"name": "empty"},
        ]
    }
    readings = parse_data("clusters", data)
    assert (
        readings["web.hosts"],
        readings["web.healthy"],
        readings["web.ejected"],
        readings["web.draining"],
        readings["web.weight"],
    ) == (3, 1, 1, 1, 3)
    assert readings["web.10.0.0.1:80.rq_total"] == 7
    assert readings["web.unix:///x.priority"] == 1
    assert readings["web.[::1]:1.healthy"] == 0
    assert (readings["empty.hosts"], readings["empty.healthy"]) == (0, 0)


def test_readings_of_listeners() -> None:
    readings = parse_data(
        "listeners",
        {
            "listener_statuses": [
                {"name": "main", "local_address": ADDRESS, "additional_local_addresses": [ADDRESS]}
            ]
        },
    )
    assert readings == {
        "main.address": "10.0.0.1:80",
        "main.port": 80,
        "main.1.address": "10.0.0.1:80",
        "main.1.port": 80,
    }


def test_readings_of_certificates() -> None:
    entry = {
        "path": "<inline>",
        "serial_number": "5",
        "subject_alt_names": [{"dns": "edge"}],
        "days_until_expiration": "89",
        "valid_from": "a",
    }
    readings = parse_data(
        "certs", {"certificates": [{"cert_chain": [entry], "ca_cert": [{"path": "/ca.pem"}]}]}
    )
    assert readings["chain.edge.days_left"] == 89
    assert readings["ca./ca.pem.days_left"] == 0


def test_serial_number_distinguishes_certificates_of_one_name() -> None:
    def entry(serial: str, left: int, name: str = "edge.example") -> dict[str, Any]:
        names = [{"dns": name}]
        return {
            "path": "<inline>",
            "serial_number": serial,
            "days_until_expiration": left,
            "subject_alt_names": names,
        }

    # RSA and ECDSA of one domain; one certificate in two contexts; another domain.
    chains = [[entry("0a", 90), entry("0b", 3)], [entry("0a", 90)], [entry("0c", 30, "other.example")]]
    readings = parse_data(
        "certs", {"certificates": [{"cert_chain": chain, "ca_cert": []} for chain in chains]}
    )
    left = {name: value for name, value in readings.items() if name.endswith(".days_left")}
    assert left == {
        "chain.edge.example.0a.days_left": 90,
        "chain.edge.example.0b.days_left": 3,
        "chain.other.example.days_left": 30,
    }
    # If an authority gives all certificates one number, the one that expires first counts.
    same = parse_data("certs", {"certificates": [{"cert_chain": [entry("00", 3), entry("00", 90)]}]})
    assert same["chain.edge.example.days_left"] == 3


@pytest.mark.parametrize(
    ("source", "data"),
    [
        ("clusters", {"cluster_statuses": [{"name": "a", "host_statuses": [{"weight": HUGE}]}]}),
        ("clusters", {"cluster_statuses": [{"name": "a", "host_statuses": [{"stats": [{"name": "x", "value": HUGE}]}]}]}),
        ("clusters", {"cluster_statuses": [{"name": "a", "host_statuses": [{"priority": {}}]}]}),
        ("clusters", {"cluster_statuses": [{"name": "a", "host_statuses": [{"success_rate": {"value": HUGE}}]}]}),
        ("clusters", {"cluster_statuses": [{"name": "a", "host_statuses": [{"success_rate": {"value": 10**400}}]}]}),
        ("listeners", {"listener_statuses": [{"name": "a", "local_address": {"socket_address": {"port_value": HUGE}}}]}),
        ("certs", {"certificates": [{"cert_chain": [{"path": "a", "days_until_expiration": HUGE}]}]}),
        ("certs", {"certificates": [{"cert_chain": [{"path": "a", "valid_from": ["b"]}]}]}),
        ("server_info", {"state": {"a": 1}, "version": "a/1.40.0/b"}),
        ("server_info", {"state": "LIVE", "version": "a", "command_line_options": {"concurrency": HUGE}}),
        ("server_info", {"state": "LIVE", "version": "a", "command_line_options": {"restart_epoch": True}}),
        ("server_info", {"state": "LIVE", "version": "a", "node": {"id": None}}),
        ("config", {"configs": [{"@type": "x.ListenersConfigDump", "version_info": {"a": 1}}]}),
    ],
)  # fmt: skip
def test_value_that_is_no_number_and_no_text_is_refused(source: str, data: object) -> None:
    with pytest.raises(ScrapeError, match=f"{source} cannot be parsed") as caught:
        parse_data(source, data)
    assert caught.value.kind == "unparsable"


def test_readings_of_runtime_and_ready() -> None:
    values = {"a": "5", "b": "x", "c": "0.25", "d": "-1.5", "e": "1.2.3", "f": ".5", "g": "٣"}
    entries = {name: {"final_value": value} for name, value in values.items()}
    readings = parse_data("runtime", {"entries": entries})
    assert readings == {**values, "a": 5, "c": 0.25, "d": -1.5}
    assert parse_ready(503, b"DRAINING\n") == {"state": "DRAINING", "status": 503}


@pytest.mark.parametrize("source", ["server_info", "clusters", "listeners", "certs", "config", "runtime"])
@pytest.mark.parametrize(
    "data",
    [
        [],
        None,
        {"cluster_statuses": 1, "listener_statuses": [1], "certificates": [1], "configs": [1], "entries": 1},
    ],
)
def test_page_that_is_not_envoys_is_refused(source: str, data: object) -> None:
    with pytest.raises(ScrapeError) as caught:
        parse_data(source, data)
    assert caught.value.kind == "unparsable"


def test_page_that_is_not_json_is_refused() -> None:
    with pytest.raises(ScrapeError, match="not JSON"):
        parse_page("certs", b"<html>")
