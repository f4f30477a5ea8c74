# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hot restart of an Envoy with an HTTP/3 listener: no request of a connection that is open is lost."""

from __future__ import annotations

import copy
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from cases import CaseDeployment, PortBlock
from envoy_namespace import until
from request_load import Lane, RequestLoad

TYPES = "type.googleapis.com/envoy.extensions"


def named(name: str, kind: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "typed_config": {"@type": f"{TYPES}.{kind}", **fields}}


def demo(block: PortBlock) -> dict[str, Any]:
    """Return a demo: `edge` sends the requests that it receives with HTTP/3 to `inner`."""
    certificate = {
        "certificate_chain": {"filename": "inner/certs/tls.crt"},
        "private_key": {"filename": "inner/certs/tls.key"},
    }
    routes = [{"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "ok"}}}]
    manager = named(
        "envoy.filters.network.http_connection_manager",
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        codec_type="HTTP3",
        stat_prefix="h3",
        route_config={"virtual_hosts": [{"name": "h3", "domains": ["*"], "routes": routes}]},
        http_filters=[named("envoy.filters.http.router", "filters.http.router.v3.Router")],
    )
    quic = named(
        "envoy.transport_sockets.quic",
        "transport_sockets.quic.v3.QuicDownstreamTransport",
        downstream_tls_context={"common_tls_context": {"tls_certificates": [certificate]}},
    )
    h3 = {
        "address": {"socket_address": {"protocol": "UDP"}},
        "udp_listener_config": {"quic_options": {}},
        "filter_chains": [{"transport_socket": quic, "filters": [manager]}],
    }
    upstream = {
        "transport_socket": named(
            "envoy.transport_sockets.quic",
            "transport_sockets.quic.v3.QuicUpstreamTransport",
            upstream_tls_context={
                "sni": "inner",
                "common_tls_context": {
                    "validation_context": {"trusted_ca": {"filename": "inner/certs/ca.crt"}}
                },
            },
        ),
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{TYPES}.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http3_protocol_options": {}},
            }
        },
    }
    first = block.first
    http = {
        "port": first,
        "publish": first,
        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "h3"}}],
    }
    listeners = {
        "https": {"port": first + 1, "tls": {}, "routes": routes},
        "h3": {"port": first + 2, "publish": first + 2, "routes": routes, "listener": h3},
    }
    return {
        "summary": "HTTP/3",
        "ports": first,
        "proxies": {
            "inner": {"listeners": listeners},
            "edge": {
                "listeners": {"http": http},
                "clusters": {"h3": {"address": "127.0.0.1", "port": first + 2, "cluster": upstream}},
            },
        },
    }


def status(port: int) -> int:
    try:
        with urlopen(f"http://127.0.0.1:{port}/", timeout=10) as response:
            return int(response.status)
    except HTTPError as error:
        return error.code


@pytest.mark.slow
def test_envoy_with_http3_restarts_hot(local: CaseDeployment, block: PortBlock) -> None:
    data = demo(block)
    local.deploy(data)
    changed = copy.deepcopy(data)
    changed["proxies"]["inner"]["stats_config"] = {
        "stats_tags": [{"tag_name": "zone", "fixed_value": "left"}]
    }
    lanes = [Lane("HTTP/3", "127.0.0.1", block.first, ("/",), rate=200)]
    until(lambda: status(block.first) == 200, "a response over HTTP/3", 20)
    with RequestLoad(lanes) as load:
        failures = {}
        for label, one in (("forth", changed), ("back", data), ("no change", data)):
            load.begin(label)
            result = local.result(local.plan(one))
            assert not result["failed"], result["msg"]
            assert result["replaced"] == ({"inner": "hot_restart"} if label != "no change" else {})
            failures[label] = dict(load.settled(least=300).failures)
    assert failures == {"forth": {}, "back": {}, "no change": {}}
