# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The admin's other pages, as Envoy 1.36 to 1.40 write them, and what of them is not kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.admin_pages import (
    identity_by_stats,
    read_facts,
    read_identity,
    read_ready,
    rejected_updates,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError

ADDRESS = {"socket_address": {"address": "10.0.0.1", "port_value": 80}}


def test_clusters() -> None:
    # Zeros and empty things are left out by Envoy.
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
    seen = read_facts("clusters", data)
    assert (
        seen["web.hosts"],
        seen["web.healthy"],
        seen["web.ejected"],
        seen["web.draining"],
        seen["web.weight"],
    ) == (3, 1, 1, 1, 3)
    assert seen["web.10.0.0.1:80.rq_total"] == 7
    assert seen["web.unix:///x.priority"] == 1
    assert seen["web.[::1]:1.healthy"] == 0
    assert (seen["empty.hosts"], seen["empty.healthy"]) == (0, 0)


def test_listeners() -> None:
    seen = read_facts(
        "listeners",
        {
            "listener_statuses": [
                {"name": "main", "local_address": ADDRESS, "additional_local_addresses": [ADDRESS]}
            ]
        },
    )
    assert seen == {
        "main.address": "10.0.0.1:80",
        "main.port": 80,
        "main.1.address": "10.0.0.1:80",
        "main.1.port": 80,
    }


def test_certificates() -> None:
    entry = {
        "path": "<inline>",
        "serial_number": "5",
        "subject_alt_names": [{"dns": "edge"}],
        "days_until_expiration": "89",
        "valid_from": "a",
    }
    seen = read_facts("certs", {"certificates": [{"cert_chain": [entry], "ca_cert": [{"path": "/ca.pem"}]}]})
    assert seen["chain.edge.days_left"] == 89
    assert seen["ca./ca.pem.days_left"] == 0


def test_certificates_of_one_name_are_told_apart_by_their_serial_numbers() -> None:
    def entry(serial: str, left: int, name: str = "edge.example") -> dict[str, Any]:
        names = [{"dns": name}]
        return {
            "path": "<inline>",
            "serial_number": serial,
            "days_until_expiration": left,
            "subject_alt_names": names,
        }

    # RSA and ECDSA; the same one in two contexts; and another by itself.
    chains = [[entry("0a", 90), entry("0b", 3)], [entry("0a", 90)], [entry("0c", 30, "other.example")]]
    seen = read_facts("certs", {"certificates": [{"cert_chain": chain, "ca_cert": []} for chain in chains]})
    left = {name: value for name, value in seen.items() if name.endswith(".days_left")}
    assert left == {
        "chain.edge.example.0a.days_left": 90,
        "chain.edge.example.0b.days_left": 3,
        "chain.other.example.days_left": 30,
    }
    # Who gives all of his certificates one number hides none that expires either.
    same = read_facts("certs", {"certificates": [{"cert_chain": [entry("00", 3), entry("00", 90)]}]})
    assert same["chain.edge.example.days_left"] == 3


def test_configuration_is_versions_and_refusals_and_nothing_secret() -> None:
    kind = "type.googleapis.com/envoy.admin.v3."
    secret = {
        "name": "key",
        "secret": {"tls_certificate": {"private_key": {"inline_string": "hidden"}}},
        "version_info": "3",
        "last_updated": "t",
    }
    data = {
        "configs": [
            {"@type": f"{kind}BootstrapConfigDump", "bootstrap": {"node": {"id": "hidden"}}},
            {
                "@type": f"{kind}ListenersConfigDump",
                "version_info": "v7",
                "dynamic_listeners": [
                    {
                        "name": "main",
                        "active_state": {
                            "version_info": "7",
                            "listener": {"name": "main"},
                            "last_updated": "t",
                        },
                    },
                    {
                        "name": "bad",
                        "error_state": {"details": "no such filter", "failed_configuration": {"x": "hidden"}},
                    },
                ],
            },
            {
                "@type": f"{kind}ClustersConfigDump",
                "dynamic_active_clusters": [
                    {"version_info": "2", "cluster": {"name": "web"}, "last_updated": "t"}
                ],
            },
            {"@type": f"{kind}SecretsConfigDump", "dynamic_active_secrets": [secret]},
        ]
    }
    seen = read_facts("config", data)
    assert (seen["lds.version_info"], seen["lds.bad.rejected"], seen["lds.bad.error"]) == (
        "v7",
        1,
        "no such filter",
    )
    assert (seen["lds.main.version_info"], seen["cds.web.version_info"], seen["sds.key.version_info"]) == (
        "7",
        "2",
        "3",
    )
    # Of the others Envoy does not say it.
    assert not {"rds.version_info", "sds.version_info", "cds.web.rejected", "cds.rejected"} & seen.keys()
    assert "hidden" not in json.dumps(seen)


def test_what_an_update_was_refused_for_tells_no_secret() -> None:
    details = "no such field: {token: s3cret-s3cret}, header authorization: Bearer hidden-hidden"
    entry = {"name": "bad", "error_state": {"details": details}}
    data = {
        "configs": [
            {"@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump", "dynamic_listeners": [entry]}
        ]
    }
    error = read_facts("config", data)["lds.bad.error"]
    assert isinstance(error, str)
    assert error.startswith("no such field")
    assert "s3cret" not in error
    assert "hidden" not in error


def test_a_refused_listener_is_one_however_often_envoy_says_it() -> None:
    failed = {"failed_configuration": {"name": "bad"}, "details": "no such filter"}
    active = {"name": "main", "active_state": {"version_info": "1", "listener": {"name": "main"}}}
    data = {
        "configs": [
            {
                "@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump",
                "dynamic_listeners": [
                    active,
                    {"name": "bad", "error_state": failed},
                    {"error_state": failed},
                ],
            }
        ]
    }
    assert read_facts("config", data) == {
        "lds.version_info": "",
        "lds.resources": 1,
        "lds.main.version_info": "1",
        "lds.main.rejected": 0,
        "lds.bad.rejected": 1,
        "lds.bad.error": "no such filter",
    }


def test_refused_updates_are_counted_by_envoys_stats() -> None:
    seen = {
        "listener_manager.lds.update_rejected": 1,
        "cluster_manager.cds.update_rejected": 2,
        "http.a.rds.main.update_rejected": 3,
        "http.b.rds.main.update_rejected": 4,
        "http.b.scoped_rds.x.update_rejected": 100,
        "sds.key.update_rejected": 5,
        "cluster.web.update_rejected": 6,
        "something.else.update_rejected": 100,
    }
    counts = {"lds.rejected": 1, "cds.rejected": 2, "rds.rejected": 7, "sds.rejected": 5, "eds.rejected": 6}
    assert rejected_updates(seen) == counts
    assert set(rejected_updates({}).values()) == {0}


HUGE = float("inf")  # as JSON's 1e999 is read


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
def test_a_reading_that_is_no_number_and_no_text(source: str, data: object) -> None:
    with pytest.raises(ScrapeError, match=f"{source} cannot be read") as caught:
        read_facts(source, data)
    assert caught.value.kind == "unparsable"


@pytest.mark.parametrize(
    ("status", "counted"),
    [
        ({"eds_health_status": "HEALTHY"}, "healthy"),
        ({"eds_health_status": "HEALTHY", "active_hc_timeout": True}, "healthy"),
        ({"eds_health_status": "HEALTHY", "pending_dynamic_removal": True}, "healthy"),
        ({"eds_health_status": "DEGRADED"}, "degraded"),
        ({"eds_health_status": "HEALTHY", "failed_active_degraded_check": True}, "degraded"),
        ({"eds_health_status": "DEGRADED", "failed_active_health_check": True}, ""),
        ({"eds_health_status": "HEALTHY", "failed_outlier_check": True}, ""),
        ({"eds_health_status": "UNHEALTHY"}, ""),
        ({"eds_health_status": "DRAINING"}, ""),
        ({"eds_health_status": "TIMEOUT"}, ""),
    ],
)
def test_a_host_counts_as_it_does_for_envoy(status: dict[str, object], counted: str) -> None:
    host = {"address": ADDRESS, "health_status": status}
    seen = read_facts("clusters", {"cluster_statuses": [{"name": "web", "host_statuses": [host]}]})
    assert {key for key in ("healthy", "degraded") if seen[f"web.{key}"]} == ({counted} if counted else set())


def test_runtime_and_ready() -> None:
    values = {"a": "5", "b": "x", "c": "0.25", "d": "-1.5", "e": "1.2.3", "f": ".5", "g": "٣"}
    entries = {name: {"final_value": value} for name, value in values.items()}
    seen = read_facts("runtime", {"entries": entries})
    assert seen == {**values, "a": 5, "c": 0.25, "d": -1.5}
    assert read_ready(503, b"DRAINING\n") == {"state": "DRAINING", "status": 503}


@pytest.mark.parametrize("source", ["server_info", "clusters", "listeners", "certs", "config", "runtime"])
@pytest.mark.parametrize(
    "data",
    [
        [],
        None,
        {"cluster_statuses": 1, "listener_statuses": [1], "certificates": [1], "configs": [1], "entries": 1},
    ],
)
def test_what_is_not_envoys(source: str, data: object) -> None:
    with pytest.raises(ScrapeError) as caught:
        read_facts(source, data)
    assert caught.value.kind == "unparsable"


def test_identity_from_the_beginning_of_an_answer() -> None:
    head = b'{\n "version": "abc/1.40.0/Clean/RELEASE/BoringSSL",\n "state": "LIVE",\n "uptime_current_epoch": "61s",\n'
    head += b' "command_line_options": {\n  "restart_epoch": 2,\n "node": {"id": "x'
    seen = read_identity(head, received=1000.0, took=0.5)
    assert (seen.version, seen.state, seen.started, seen.epoch, seen.slack) == (
        "1.40.0",
        "LIVE",
        939.0,
        2,
        1.5,
    )
    with pytest.raises(ScrapeError):
        read_identity(b"{}", 1, 1)


def test_identity_where_server_info_is_kept_back() -> None:
    for prefix in ("server.", "envoy_server_"):
        values = {f"{prefix}uptime": 61, f"{prefix}hot_restart_epoch": 2}
        seen = identity_by_stats(values, received=1000.0, took=0.5)
        assert seen is not None
        assert (seen.started, seen.epoch, seen.slack) == (939.0, 2, 6.5)
    assert identity_by_stats({"server.hot_restart_epoch": 2}, 1.0, 0.0) is None
