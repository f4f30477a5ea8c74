# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that broke a service or an Envoy, or that Envoy accepts only when it validates: for `wrong_configurations`."""

from __future__ import annotations

from typing import Any

Data = Any
TYPE = "type.googleapis.com/envoy.extensions"
TEXTS = (
    "", "x", "missing", "admin", "a\x00b", "ß→\u2028", "x" * 5000, "${edge/http}", "${nothing}", "%d{{ x }}", "../../x", "/", "null", "-1",
)  # fmt: skip
NUMBERS = (0, -1, 1, 65_535, 65_536, 2**31, 2**32, 2**63, 2**64, 10**30, 0.5, -0.0, 1e308, float("nan"))
DURATIONS = ("0s", "0.000001s", "1s", "3600s", "-1s", "315576000001s", "5 s", "1m")
# Fields of the proxy's messages that broke a service although Envoy accepted them, or that Envoy accepts when it validates only.
BOOTSTRAPS: tuple[Data, ...] = (
    {"dynamic_resources": None},
    {"dynamic_resources": {"lds_config": {"path_config_source": {"path": "/nothing"}}}},
    {"dynamicResources": {"cdsConfig": None}},
    {"node": None},
    {"node": {"id": ""}},
    {"admin": None},
    {"admin": {"address": {"socket_address": {"address": "0.0.0.0", "port_value": 9}}}},
    {"admin": {"allow_paths": [{"exact": "/ready"}]}},
    {"static_resources": None},
    {"static_resources": {"listeners": [{"name": "admin"}]}},
    {"static_resources": {"clusters": [{"name": "admin", "type": "STATIC"}]}},
    {"stats_config": {"stats_matcher": {"reject_all": True}}},
    {"stats_flush_interval": "0s"},
    {"stats_flush_on_admin": True},
    {"cluster_manager": {"local_cluster_name": "web"}},
    {"layered_runtime": {"layers": [{"name": "x"}]}},
    {"stats_sinks": [{"name": "envoy.stat_sinks.metrics_service", "typed_config": {
        "@type": "type.googleapis.com/envoy.config.metrics.v3.MetricsServiceConfig",
        "transport_api_version": "V3", "grpc_service": {"envoy_grpc": {"cluster_name": "missing"}}}}]},
    {"watchdogs": {"main_thread_watchdog": {"kill_timeout": "0.001s"}}},
    {"default_socket_interface": "nothing"},
    {"overload_manager": {"actions": [{"name": "envoy.overload_actions.nothing"}]}},
    {"flags_path": "/nothing"},
    {"header_prefix": "X Y"},
)  # fmt: skip
LISTENERS: tuple[Data, ...] = (
    {"name": None},
    {"name": ""},
    {"name": "admin"},
    {"name": "ingress"},
    {"address": None},
    {"address": {"socket_address": {"address": "192.0.2.1"}}},
    {"address": {"socket_address": {"port_value": 1}}},
    {"additional_addresses": [{"address": {"socket_address": {"address": "192.0.2.1", "port_value": 7}}}]},
    {"api_listener": {"api_listener": {"@type": f"{TYPE}.filters.http.router.v3.Router"}}},
    {"bind_to_port": False},
    {"filter_chains": []},
    {"filter_chains": None},
    {"transparent": True},
    {"freebind": True},
    {"per_connection_buffer_limit_bytes": 1},
    {"listener_filters": [{"name": "x"}]},
    {"access_log": [{"name": "x", "typed_config": {"@type": f"{TYPE}.access_loggers.file.v3.FileAccessLog", "path": "/nothing/x"}}]},
    {"socket_options": [{"level": 99, "name": 99, "int_value": 1, "state": "STATE_PREBIND"}]},
    {"reuse_port": False},
    {"enable_reuse_port": False},
    {"internal_listener": {}},
    {"udp_listener_config": {}},
    {"connection_balance_config": {"extend_balance": {"name": "x"}}},
    {"max_connections_to_accept_per_socket_event": 0},
)  # fmt: skip
CLUSTERS: tuple[Data, ...] = (
    {"name": None},
    {"name": "admin"},
    {"name": "other"},
    {"type": "EDS"},
    {"type": "ORIGINAL_DST"},
    {"type": "LOGICAL_DNS"},
    {"load_assignment": None},
    {"load_assignment": {"endpoints": []}},
    {"load_assignment": {"endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"pipe": {"path": "/x"}}}}]}]}},
    {"connect_timeout": "0s"},
    {"lb_policy": "CLUSTER_PROVIDED"},
    {"lb_policy": "RING_HASH", "ring_hash_lb_config": {"minimum_ring_size": 8_388_609}},
    {"transport_socket": {"name": "x"}},
    {"health_checks": [{
        "timeout": "1s", "interval": "1s", "unhealthy_threshold": 1, "healthy_threshold": 1, "http_health_check": {"path": "/x"}}]},
    {"circuit_breakers": {"thresholds": [{"max_connections": 0, "max_requests": 0}]}},
    {"typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": f"{TYPE}.upstreams.http.v3.HttpProtocolOptions", "explicit_http_config": {"http2_protocol_options": {}}}}},
    {"upstream_bind_config": {"source_address": {"address": "192.0.2.1", "port_value": 0}}},
    {"eds_cluster_config": {"eds_config": {"api_config_source": {"api_type": "REST", "cluster_names": ["missing"]}}}, "type": "EDS"},
)  # fmt: skip
MANAGERS: tuple[Data, ...] = (
    {"http_filters": []},
    {"http_filters": None},
    {"codec_type": "HTTP2"},
    {"codec_type": "HTTP3"},
    {"route_config": None},
    {"rds": {"route_config_name": "x", "config_source": {"path_config_source": {"path": "/nothing"}}}},
    {"rds": {"route_config_name": "x", "config_source": {"ads": {}}}},
    {"stat_prefix": None},
    {"access_log": [{"name": "x", "typed_config": {"@type": f"{TYPE}.access_loggers.grpc.v3.HttpGrpcAccessLogConfig", "common_config": {
        "log_name": "x", "transport_api_version": "V3", "grpc_service": {"envoy_grpc": {"cluster_name": "missing"}}}}}]},
    {"tracing": {"provider": {"name": "envoy.tracers.zipkin", "typed_config": {
        "@type": "type.googleapis.com/envoy.config.trace.v3.ZipkinConfig", "collector_cluster": "missing",
        "collector_endpoint": "/x", "collector_endpoint_version": "HTTP_JSON"}}}},
    {"max_request_headers_kb": 0},
    {"common_http_protocol_options": {"max_headers_count": 0}},
    {"common_http_protocol_options": {"max_connection_duration": "0.001s"}},
    {"request_timeout": "0.0001s"},
    {"server_name": "x\ny"},
    {"local_reply_config": {"mappers": [{}]}},
    {"original_ip_detection_extensions": [{"name": "x"}], "use_remote_address": True},
)  # fmt: skip
FILTERS: tuple[tuple[str, Data], ...] = (
    ("ext_authz.v3.ExtAuthz", {"grpc_service": {"envoy_grpc": {"cluster_name": "missing"}}}),
    ("ext_authz.v3.ExtAuthz", {"http_service": {"server_uri": {"uri": "http://x", "cluster": "missing", "timeout": "1s"}}}),
    ("jwt_authn.v3.JwtAuthentication", {"providers": {"x": {"remote_jwks": {"http_uri": {
        "uri": "http://x", "cluster": "missing", "timeout": "1s"}}}},
        "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "x"}}]}),
    ("ratelimit.v3.RateLimit", {"domain": "x", "rate_limit_service": {
        "transport_api_version": "V3", "grpc_service": {"envoy_grpc": {"cluster_name": "missing"}}}}),
    ("lua.v3.Lua", {"default_source_code": {"inline_string": "function envoy_on_request(h) h:httpCall('missing', {}, '', 1) end"}}),
    ("lua.v3.Lua", {"default_source_code": {"inline_string": "function envoy_on_request(h"}}),
    ("ext_proc.v3.ExternalProcessor", {"grpc_service": {"envoy_grpc": {"cluster_name": "missing"}}}),
    ("oauth2.v3.OAuth2", {}),
    ("health_check.v3.HealthCheck", {"pass_through_mode": False}),
    ("wasm.v3.Wasm", {"config": {"vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": "/nothing"}}}}}),
    ("nothing.v3.Nothing", {}),
    ("router.v3.Router", {}),
)  # fmt: skip
APP_VARIABLES = (
    ("DEMO_APP_PORT", "1"), ("DEMO_APP_BIND", "192.0.2.1"), ("DEMO_APP_LIMIT_BODY", "many"), ("DEMO_APP_LOGS", "x"),
    ("DEMO_APP_DRAIN", "-1"), ("DEMO_APP_PROTOCOL", "udp"), ("DEMO_APP_CALLS", "x"), ("DEMO_APP_SERVICE", "a b"),
    ("PYTHONHOME", "/nothing"), ("LD_PRELOAD", "/nothing.so"), ("PATH", ""), ("PYTHONSAFEPATH", "1"), ("PYTHONINSPECT", "1"),
    ("PYTHONMALLOC", "nothing"), ("A=B", "x"), ("", "x"), ("X\nY", "x"),
)  # fmt: skip
ENVOY_VARIABLES = (("LD_PRELOAD", "/nothing.so"), ("A B", "x"), ("PATH", ""), ("HOME", "/nothing"))
COMMANDS: tuple[list[str], ...] = (
    [], ["false"], ["true"], ["/nothing/program"], ["python3", "-m", "nothing"], ["python3", "${files}/nothing.py"], ["sleep", "1000"],
    ["sh", "-c", "exit 3"],
)  # fmt: skip
PROGRAMS = ("/bin/true", "/bin/cat", "/nothing")
