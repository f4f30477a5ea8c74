# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The statsd sinks of real Envoys: the same names, labels and numbers by plain statsd and by dog_statsd."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from live import Home
from real_envoy import TYPES, Envoy, answering
from statsd_exporter import MAPPINGS, exporter, free_port, lost_datagrams, samples_of

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.versions import SUPPORTED

BODY = 100_000  # bytes
REQUESTS = 20
Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def sink(style: str, port: int) -> dict[str, Any]:
    name, message = ("statsd", "StatsdSink") if style == "statsd" else ("dog_statsd", "DogStatsdSink")
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    config = {"@type": f"type.googleapis.com/envoy.config.metrics.v3.{message}", "address": address}
    return {"name": f"envoy.stat_sinks.{name}", "typed_config": config}


def cluster(name: str, port: int) -> dict[str, Any]:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    return {
        "name": name,
        "type": "STATIC",
        "load_assignment": {"cluster_name": name, "endpoints": endpoints},
        "track_cluster_stats": {
            "request_response_sizes": True,
            "timeout_budgets": True,
            "per_endpoint_stats": True,
        },
    }


def manager_of(listener: dict[str, Any]) -> dict[str, Any]:
    manager: dict[str, Any] = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return manager


def config_of(sinks: list[dict[str, Any]]) -> dict[str, Any]:
    """Return an Envoy whose listener `main` forwards to its listener `body`, with stats of many scopes."""
    body = answering({"direct_response": {"status": 200, "body": {"inline_string": "x" * BODY}}}, "body")
    port = body["address"]["socket_address"]["port_value"] = free_port()
    manager_of(body)["route_config"]["max_direct_response_body_size_bytes"] = BODY
    route = {"cluster": "outbound_80_Web", "timeout": "10s"}
    main = answering(
        {"route": route, "stat_prefix": "everything"},
        virtual_clusters=[
            {"name": "gets", "headers": [{"name": ":method", "string_match": {"exact": "GET"}}]}
        ],
    )
    # Without a name of its own, the stats of a listener have its address: [__1]_8080.
    main["address"]["socket_address"] = {"address": "::1", "port_value": 0}
    manager = manager_of(main)
    manager["add_user_agent"] = True
    percentage = {"numerator": 100}
    fault = {
        "@type": f"{TYPES}.filters.http.fault.v3.HTTPFault",
        "abort": {"http_status": 500, "percentage": percentage},
        "headers": [{"name": "x-fault", "present_match": True}],
    }
    limit = {
        "@type": f"{TYPES}.filters.http.local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": "limited",
        "token_bucket": {"max_tokens": 10000, "fill_interval": "60s"},
        "filter_enabled": {"default_value": percentage},
    }
    anybody = {"permissions": [{"any": True}], "principals": [{"any": True}]}
    rules = {
        "@type": f"{TYPES}.filters.http.rbac.v3.RBAC",
        "shadow_rules": {"policies": {"all": anybody}},
        "shadow_rules_stat_prefix": "shadow_",
    }
    filters = {"fault": fault, "local_ratelimit": limit, "rbac": rules}
    manager["http_filters"][:0] = [
        {"name": f"envoy.filters.http.{name}", "typed_config": one} for name, one in filters.items()
    ]
    return {
        "stats_sinks": sinks,
        "stats_flush_on_admin": True,
        "enable_dispatcher_stats": True,
        "static_resources": {"listeners": [main, body], "clusters": [cluster("outbound_80_Web", port)]},
    }


@pytest.fixture(scope="module")
def program() -> Iterator[str]:
    home = Home("local")
    yield home.exporter
    home.close()


def request(port: int, **headers: str) -> None:
    sent = urllib.request.Request(f"http://[::1]:{port}/", headers=headers)
    with urllib.request.urlopen(sent, timeout=60) as answer:
        assert len(answer.read()) == BODY


def series(page: str) -> Series:
    """Return Envoy's metrics without the buckets. The address of an endpoint has a colon in a tag, and none in a name."""
    return {
        (name, tuple(sorted((label, text.replace(":", "_")) for label, text in labels.items()))): number
        for name, labels, number in samples_of(page)
        if name.startswith("envoy_") and not name.endswith("_bucket")
    }


# Metrics that change between two flushes, of Envoy itself and of its admin interface.
CHANGING = (
    "envoy_server_",
    "envoy_listener_admin_",
    "envoy_http_downstream_rq_xx",
    "dispatcher",
    "filesystem",
)


def is_stable(one: tuple[str, tuple[tuple[str, str], ...]]) -> bool:
    name, labels = one
    admin = ("envoy_http_conn_manager_prefix", "admin")
    return admin not in labels and not any(word in name for word in CHANGING)


def differing(plain: Series, tagged: Series) -> Series:
    """Return the numbers of plain statsd that the other style does not have, and those that only the other one has."""
    return {
        one: plain.get(one, tagged.get(one, 0.0))
        for one in plain.keys() | tagged.keys()
        if one not in plain or one not in tagged or (is_stable(one) and plain[one] != tagged[one])
    }


def numbers_of_both(version: str, program: str, folder: Path) -> tuple[Series, Series, int]:
    """Return the metrics of plain statsd and of dog_statsd after the same requests, and the number of datagrams that were lost."""
    with ExitStack() as stack:
        pages, ports = {}, []
        for style in ("statsd", "dog_statsd"):
            pages[style], port = stack.enter_context(exporter(program, MAPPINGS / f"{style}.yaml"))
            ports.append(port)
        sinks = [sink("statsd", ports[0]), sink("dog_statsd", ports[1])]
        envoy = Envoy(folder, config_of(sinks), version).start()
        stack.callback(envoy.stop)
        port = envoy.port()
        for _number in range(REQUESTS):
            request(port, **{"User-Agent": "iOS"})
        with pytest.raises(urllib.error.HTTPError, match="500"):
            request(port, **{"x-fault": "yes", "x-envoy-downstream-service-cluster": "shop"})
        until, lost = time.monotonic() + 60, 0
        while time.monotonic() < until:
            envoy.response("/stats?filter=none")  # flushes
            plain, tagged = series(pages["statsd"]), series(pages["dog_statsd"])
            if not differing(plain, tagged) and sum_of(plain, "upstream_rs_body_size") == REQUESTS * BODY:
                break
            if lost := sum(lost_datagrams(port) for port in ports):
                break
            time.sleep(0.2)
        return plain, tagged, lost


@pytest.mark.parametrize("version", SUPPORTED.values())
def test_both_styles_have_the_same_numbers(version: str, program: str, tmp_path: Path) -> None:
    # Envoy flushes more than a thousand datagrams at once. On a busy machine the kernel drops some before the exporter reads them.
    for number in range(5):
        folder = tmp_path / str(number)
        folder.mkdir()
        plain, tagged, lost = numbers_of_both(version, program, folder)
        if not lost:
            break
    assert lost == 0
    assert differing(plain, tagged) == {}
    prefixes = {label for _name, labels in plain for label, _text in labels if "prefix" not in label}
    assert prefixes >= {
        "envoy_virtual_cluster",
        "envoy_route",
        "envoy_http_user_agent",
        "envoy_fault_downstream_cluster",
    }
    # Bytes, counts, percentages, microseconds and milliseconds.
    assert sum_of(plain, "upstream_rs_body_size") == REQUESTS * BODY
    assert sum_of(plain, "upstream_rq_headers_count") >= REQUESTS
    assert 0 <= sum_of(plain, "upstream_rq_timeout_budget_percent_used") < REQUESTS * 100
    assert 0 < sum_of(plain, "server_dispatcher_loop_duration_us", "envoy") < 60
    assert 0 <= sum_of(plain, "upstream_rq_time") < REQUESTS * 60


def sum_of(found: Series, name: str, scope: str = "envoy_cluster") -> float:
    """Return the sum of a histogram of the cluster."""
    return sum(number for (known, _labels), number in found.items() if known == f"{scope}_{name}_sum")
