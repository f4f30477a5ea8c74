# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of demos: changes that remove or break what a demo shows, and the messages with which its verification must fail then."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Data = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """Changes of a demo that must make it fail, and parts of the expected messages, in which … stands for any characters.

    `deployed` is merged into the deployed demo, `verified` into the demo whose traffic and expectations are verified.
    """

    messages: tuple[str, ...]
    deployed: Data = field(default_factory=dict)
    verified: Data = field(default_factory=dict)
    # Time limit of the expectations. A collector gets its numbers later than Envoy's admin interface has them.
    seconds: float = 0.5


def edge(listener: str = "http", **changes: Any) -> Data:
    """Return changes of a listener of the proxy `edge`."""
    return {"proxies": {"edge": {"listeners": {listener: changes}}}}


def cluster(name: str, **changes: Any) -> Data:
    """Return changes of the fields of a cluster of the proxy `edge`."""
    return {"proxies": {"edge": {"clusters": {name: {"cluster": changes}}}}}


def traffic(name: str, **changes: Any) -> Data:
    """Return changes of the traffic with this name."""
    return {"traffic": {name: changes}}


def to(cluster_name: str, prefix: str = "/") -> list[Data]:
    """Return the routes that forward all paths below `prefix` to a cluster."""
    return [{"match": {"prefix": prefix}, "route": {"cluster": cluster_name}}]


# The demos beyond Envoy's sandboxes.
FAULTS = {
    "adaptive_concurrency": Fault(
        (
            "expected at least 30, got 0 (answers with status 429 of traffic overload of a service that has become slow)",
            "expected at least 30, got 0 (answers with a body that matches '^reached concurrency limit$' of traffic overload",
        ),
        deployed=edge(http_filters=[]),
    ),
    "admission_control": Fault(
        (
            "expected 315 to 1685 of 2000 for a share of 20 % to 80 %, got 0 (share of answers with status 503 of traffic a serv",
        ),
        deployed=edge(http_filters=[]),
    ),
    "bandwidth_limit": Fault(
        (
            "expected 1800 to 10000, got",
            "expected at least 10, got",
        ),
        deployed=edge(http_filters=[], routes=to("web")),
    ),
    "basic_auth": Fault(
        (
            "expected 8, got 0 (answers with status 401 of traffic ada with the password of grace). Other answers: 8 × 200",
            "expected 30, got 0 (answers with a body that matches '\"x-user\": \"ada\"' of traffic ada)",
            "expected 59, got 79 (delta of cluster.web.upstream_rq_total at edge)",
        ),
        deployed=edge("passwords", http_filters=[], routes=to("web")),
    ),
    "circuit_breakers": Fault(
        (
            "expected 4, got 12 (answers with status 200 of traffic twelve at once)",
            "expected 8, got 0 (sum of delta of stats that match",
        ),
        deployed=cluster("web", circuit_breakers={"thresholds": [{"max_requests": 100}]}),
    ),
    "consistent_hashing": Fault(
        (
            "expected 1, got 5 (answering hosts of traffic ada by the ring)",
            "expected 10, got 0 (answers with header set-cookie",
        ),
        deployed={
            "proxies": {
                "edge": {"listeners": {"ring": {"routes": to("ring")}, "cookie": {"routes": to("maglev")}}}
            }
        },
    ),
    "dynamic_config_delta": Fault(
        (
            "expected 1, got 0 (answers with a body that matches …of traffic the wrong routes are rejected",
            "expected 3, got 2 (delta of xds_resources_total",
            "expected 1, got 0 (delta of http.shop.rds.shop.update_rejected at edge)",
        ),
        # The routes that Envoy has: the control plane sends nothing.
        verified={
            "traffic": {"select wrong routes": {"path": "/green"}, "the wrong routes are rejected": {"within": 0.1}}
        },
    ),
    "grpc": Fault(
        (
            "expected 8, got 0 (answers with gRPC status OK of traffic failures that Envoy retries)",
            "expected 6, got 0 (answers with gRPC status OK of traffic gRPC-Web)",
            "expected 3, got 0 (answers with status 404 of traffic a gRPC error as JSON). Other answers: 3 × 200",
            "expected 100, got … (delta of cluster.shop.grpc.shop.Stock.List.response_message_count at edge)",
        ),
        deployed={
            "proxies": {
                "edge": {
                    "listeners": {
                        "http": {
                            "http_filters": [],
                            "virtual_hosts": [
                                {
                                    "name": "shop",
                                    "domains": ["*"],
                                    "include_request_attempt_count": True,
                                    "routes": to("shop"),
                                }
                            ],
                        },
                        "web": {"http_filters": []},
                        "json": {"http_filters": []},
                    }
                }
            }
        },
    ),
    "health_checks": Fault(
        ("expected 10, got 0 (answers with status 503 of traffic checks with one of three). Other answers: 10 × 200",),
        deployed=edge(
            http_filters=[
                {
                    "name": "envoy.filters.http.health_check",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.filters.http.health_check.v3.HealthCheck",
                        "pass_through_mode": False,
                        "headers": [{"name": ":path", "string_match": {"exact": "/health"}}],
                    },
                }
            ]
        ),
        verified=traffic("checks with one of three", within=0.1),
    ),
    "histogram_buckets": Fault(
        (
            "expected 1, got 0 (answers with a body that matches …of traffic the buckets on the Prometheus page)",
        ),
        deployed={"proxies": {"edge": {"stats_config": {"histogram_bucket_settings": []}}}},
        verified=traffic("the buckets on the Prometheus page", within=0.1),
    ),
    "jwt_authn": Fault(
        (
            "expected 5, got 0 (answers with status 401 of traffic a forged token). Other answers: 5 × 200",
            "expected 23, got 0 (delta of http.http.jwt_authn.denied at edge)",
        ),
        deployed=edge(http_filters=[]),
    ),
    "local_reply": Fault(
        (
            "expected 12, got 0 (answers with header x-reason: no-route of traffic no route)",
            "expected 10, got 0 (answers with status 502 of traffic no host). Other answers: 10 × 503",
        ),
        deployed=edge(http_connection_manager={"local_reply_config": {"mappers": []}}),
    ),
    "mcp": Fault(
        (
            "expected 7, got 0 (answers with status 403 of traffic a forbidden tool). Other answers: 7 × 200",
            "expected 20, got 0 (answers with header x-app-version: weather of traffic the weather)",
            "expected 18, got 0 (delta of http.http.downstream_rq_4xx at edge)",
        ),
        deployed=edge(http_filters=[]),
    ),
    "mcp_json_rest_bridge": Fault(
        (
            "expected 8, got 0 (answers with status 200 of traffic the list of tools). Other answers: 8 × 404",
            "expected 33, got 50 (delta of cluster.web.upstream_rq_total at edge)",
        ),
        deployed=edge(http_filters=[]),
    ),
    "original_dst": Fault(
        (
            "expected 40, got 0 (answers with status 200 of traffic always that host). Other answers: 40 × 503",
            "expected 4, got 0 (delta of cluster.web.original_dst_host_invalid at edge)",
        ),
        deployed=cluster("web", original_dst_lb_config={"use_http_header": False}),
    ),
    "outlier_detection": Fault(
        (
            "expected 60, got 40 (answers with status 200 of traffic during the ejection). Other answers: 20 × 500",
            "expected 2, got 0 (delta of cluster.web.outlier_detection.ejections_enforced_total at edge)",
        ),
        # The default of 10 percent, which ejects none of three hosts.
        deployed=cluster("web", outlier_detection={"max_ejection_percent": 10}),
        verified={"traffic": {f"during the {which}": {"within": 0.1} for which in ("ejection", "next ejection")}},
    ),
    "proxy_protocol": Fault(
        (
            "expected 20, got 0 (delta of proxy_proto.web.versions.v2.found at web-1)",
        ),
        deployed=cluster("web", transport_socket=None),
    ),
    "redirects": Fault(
        (
            "expected 12, got 0 (answers with status 200 of traffic a redirect that Envoy follows). Other answers: 12 × 301",
            "expected 20, got 8 (delta of cluster.web.upstream_internal_redirect_succeeded_total at edge)",
        ),
        verified=traffic("a redirect that Envoy follows", path="/old"),
    ),
    "retries": Fault(
        (
            "expected 40, got 0 (answers with status 200 of traffic one host fails). Other answers: 40 × 503",
            "expected 60, got 20 (delta of cluster.down.upstream_rq_total at edge)",
        ),
        deployed={
            "proxies": {
                "edge": {
                    "clusters": {
                        name: {"cluster": {"circuit_breakers": {"thresholds": [{"max_retries": 0}]}}}
                        for name in ("web", "down")
                    }
                }
            }
        },
    ),
    "stateful_session": Fault(
        (
            "expected 1, got 4 (answering hosts of traffic a session)",
            "expected 50, got 0 (delta of http.http.stateful_session.web.routed at edge)",
        ),
        deployed=edge(http_filters=[]),
    ),
    "subset_load_balancing": Fault(
        (
            "expected 40, got 20 (answers with header x-app-version: v1 of traffic without a header)",
            "expected 10, got",
        ),
        deployed=cluster("web", lb_subset_config=None),
    ),
    "ext_proc": Fault(
        (
            "expected 30, got 0 (answers with a body that matches '^SMALL LETTERS$' of traffic bodies). Another body: \"small letters\"",
            "expected 8, got 0 (answers with status 451 of traffic blocked requests). Other answers: 8 × 200",
            'expected 52, got 0 (delta of processor_messages_total{kind="request_headers"} at processor-1/app)',
        ),
        deployed=edge(http_filters=[]),
    ),
    "forward_proxy": Fault(
        (
            "expected 30, got 0 (answers with status 200 of traffic requests to the allowed host). Other answers: 30 × 403",
            "expected 8, got 0 (answers of traffic tunnels to the allowed host). Errors: 8 × reply",
        ),
        deployed={
            "proxies": {
                "proxy": {
                    "listeners": {
                        "http": {
                            "virtual_hosts": [
                                {
                                    "name": "others",
                                    "domains": ["*"],
                                    "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 403}}],
                                }
                            ]
                        }
                    }
                }
            }
        },
    ),
    "global_ratelimit": Fault(
        (
            "expected 4, got 0 (answers with status 429 of traffic ada at the other Envoy)",
            "expected 4, got 0 (delta of cluster.web.ratelimit.over_limit at other)",
        ),
        # The service has no limit for the domain of the other Envoy.
        deployed={
            "proxies": {
                "other": {
                    "listeners": {
                        "http": {
                            "http_filters": [
                                {
                                    "name": "envoy.filters.http.ratelimit",
                                    "typed_config": {
                                        "@type": "type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimit",
                                        "domain": "other",
                                        "timeout": "10s",
                                        "rate_limit_service": {
                                            "transport_api_version": "V3",
                                            "grpc_service": {"envoy_grpc": {"cluster_name": "limits"}},
                                        },
                                    },
                                }
                            ]
                        }
                    }
                }
            }
        },
    ),
    "hedging": Fault(
        (
            "expected 10, got 0 (answers with status 200 of traffic hedged requests). Other answers: 10 × 504",
            "expected 0, got 40 (delta of cluster.hedged.upstream_rq_per_try_timeout at edge)",
        ),
        # The hedged requests take the routes of the others, with the counters of the hedged ones.
        deployed={
            "proxies": {
                "edge": {
                    "listeners": {
                        "http": {
                            "virtual_hosts": [
                                {
                                    "name": "all",
                                    "domains": ["*"],
                                    "routes": [
                                        {
                                            "match": {"prefix": "/"},
                                            "route": {
                                                "cluster": "hedged",
                                                "retry_policy": {
                                                    "retry_on": "5xx",
                                                    "num_retries": 1,
                                                    "per_try_timeout": "0.3s",
                                                },
                                            },
                                        }
                                    ],
                                }
                            ]
                        }
                    }
                }
            }
        },
    ),
    "oauth2": Fault(
        (
            "expected 10, got 0 (answers with status 200 of traffic logins). Other answers: 10 × 401.",
            "expected 11, got 0 (delta of provider_tokens_total at provider-1/app)",
        ),
        # A secret that the provider does not know.
        deployed={
            "proxies": {
                "edge": {
                    "bootstrap": {
                        "static_resources": {
                            "secrets": [
                                {"name": "token", "generic_secret": {"secret": {"inline_string": "wrong"}}},
                                {"name": "hmac", "generic_secret": {"secret": {"inline_string": "example"}}},
                            ]
                        }
                    }
                }
            }
        },
    ),
    "tap": Fault(
        ("expected 10, got 6 (delta of http.http.tap.rq_tapped at edge)",),
        verified=traffic("failures", path="/status/404"),
    ),
    "tcp_proxy": Fault(
        (
            "expected 2, got 1 (answering hosts of traffic a choice for each connection). Answers: 400 × blue-1",
            "expected 257 to 341 of 401 for a share of 75 %, got 401 (",
        ),
        deployed={
            "proxies": {
                "edge": {
                    "listeners": {
                        "weighted": {
                            "filters": [
                                {
                                    "name": "envoy.filters.network.tcp_proxy",
                                    "typed_config": {
                                        "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                                        "stat_prefix": "weighted",
                                        "cluster": "blue",
                                    },
                                }
                            ]
                        }
                    }
                }
            }
        },
    ),
    "reverse_tunnel": Fault(
        (
            "expected 40, got 0 (answers with status 200 of traffic through the tunnel)",
            "expected 61, got 21 (delta of http.tunnels.downstream_rq_2xx at agent)",
            "expected 61, got 21 (delta of cluster.web.upstream_rq_200 at agent)",
        ),
        verified=traffic("through the tunnel", headers={"x-node": "another"}),
    ),
    "tcp_tunnel": Fault(
        (
            "expected 6, got 0 (errors of traffic no client certificate)",
            "expected 6, got 0 (delta of cluster.tunnels.ssl.connection_error at gate)",
        ),
        deployed={
            "services": {"web": {"sidecar": {"listeners": {"tunnels": {"tls": {"client_certificate": False}}}}}}
        },
    ),
    "wasm": Fault(
        (
            "expected 40, got 0 (answers with header x-wasm: here of traffic responses with the header). Answers: 40 × no x-wasm",
            "expected 20, got 0 (answers with header x-wasm: here of traffic responses with the header of the file)",
        ),
        deployed={"proxies": {"edge": {"listeners": {"http": {"http_filters": []}, "file": {"http_filters": []}}}}},
    ),
    "zone_aware": Fault(
        ("expected 40, got 0 (answers with header x-app-version: west of traffic requests in the west)",),
        # The Envoy of the west is in the east.
        deployed={"proxies": {"west": {"bootstrap": {"node": {"locality": {"zone": "east"}}}}}},
    ),
    "mcp_router": Fault(
        (
            "expected 8, got 0 (answers with a body that matches …of traffic a tool of the shop)",
            "expected 4, got 12 (delta of http.http.mcp_router.rq_unknown_backend at edge)",
        ),
        # The router does not know the shop.
        deployed=edge(
            http_connection_manager={
                "http_filters": [
                    {
                        "name": "envoy.filters.http.mcp",
                        "typed_config": {
                            "@type": "type.googleapis.com/envoy.extensions.filters.http.mcp.v3.Mcp",
                            "traffic_mode": "REJECT_NO_MCP",
                        },
                    },
                    {
                        "name": "envoy.filters.http.mcp_router",
                        "typed_config": {
                            "@type": "type.googleapis.com/envoy.extensions.filters.http.mcp_router.v3.McpRouter",
                            "servers": [
                                {"name": "weather", "mcp_cluster": {"cluster": "weather", "path": "/mcp", "timeout": "5s"}},
                                {"name": "other", "mcp_cluster": {"cluster": "shop", "path": "/mcp", "timeout": "5s"}},
                            ],
                        },
                    },
                ]
            }
        ),
    ),
    "otlp_metrics": Fault(
        (
            "expected 57, got 0 (delta of cluster_upstream_rq_xx_total…at collector-1/prometheus)",
        ),
        # The collector has only the stats of the previous Envoy.
        deployed={"proxies": {"edge": {"bootstrap": {"stats_sinks": []}}}},
    ),
    "a2a": Fault(
        (
            "expected 6, got 0 (answers with status 400 of traffic JSON without A2A). Other answers: 6 × 200",
            "expected 7, got 0 (answers with status 403 of traffic a forbidden cancellation). Other answers: 7 × 200",
        ),
        deployed=edge(http_filters=[]),
    ),
}  # fmt: skip
