# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A demo whose proxy has a configuration of its author, for tests of the planner."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.demo_source import DemoSource
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan import make_plan

HTTP = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
LISTENER = "type.googleapis.com/envoy.config.listener.v3.Listener"
CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
ADMIN = "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 9901}}}\n"


def endpoint(host: str, port: int) -> str:
    """Return an entry of `lb_endpoints` in flow style."""
    return f"{{endpoint: {{address: {{socket_address: {{address: {host}, port_value: {port}}}}}}}}}"


ENVOY_YAML = f"""\
{ADMIN}static_resources:
  listeners:
    - name: Ingress.http
      address: {{socket_address: {{address: 0.0.0.0, port_value: 10000}}}}
      filter_chains: [{{filters: [{{typed_config: {{"@type": {HTTP}}}}}]}}]
    - address: {{socket_address: {{address: "::", port_value: 443}}}}
      filter_chains: [{{transport_socket: {{typed_config: {{"@type": {TLS}}}}}, filters: [{{typed_config: {{"@type": {HTTP}}}}}]}}]
    - name: inner
      address: {{socket_address: {{address: 127.0.0.1, port_value: 7000}}}}
      filter_chains: [{{filters: []}}]
  clusters:
    - name: web
      load_assignment: {{endpoints: [{{lb_endpoints: [{endpoint("web", 8080)}]}}]}}
    - name: far
      load_assignment: {{endpoints: [{{lb_endpoints: [{endpoint("example.org", 80)}]}}]}}
"""
WATCHED = f"""\
{ADMIN}dynamic_resources:
  lds_config: {{path_config_source: {{path: /etc/envoy/lds.yaml, watched_directory: {{path: /etc/envoy}}}}}}
  cds_config: {{path_config_source: {{path: /var/lib/envoy/cds.yaml}}}}
"""
LDS = f"""\
resources:
  - "@type": {LISTENER}
    name: http
    address: {{socket_address: {{address: 0.0.0.0, port_value: 10000}}}}
"""
CDS = f"""\
resources:
  - "@type": {CLUSTER}
    name: web
    load_assignment: {{endpoints: [{{lb_endpoints: [{endpoint("web", 8080)}]}}]}}
"""
FILES: dict[str, str | bytes] = {
    "envoy.yaml": ENVOY_YAML,
    "watched.yaml": WATCHED,
    "lds.yaml": LDS,
    "cds.yaml": CDS,
}


def author_demo(config: Any = "envoy.yaml", **front: Any) -> dict[str, Any]:
    """Return a demo whose proxy has the key `config` and further keys."""
    return {
        "summary": "One file",
        "ports": 20000,
        "services": {"web": {"replicas": 2}},
        "proxies": {"front": {"config": config, **front}},
    }


def with_expectation(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a demo with an expectation about its proxy."""
    one = {"at": "front", "stat": "server.live", "op": "eq", "value": 1}
    return {**copy.deepcopy(dict(data)), "expectations": [one]}


def source_of(files: Mapping[str, str | bytes]) -> DemoSource:
    """Return the source of a demo beside which `files` are."""

    def read(path: str) -> bytes:
        if path not in files:
            raise FileNotFoundError(2, "No such file or directory", path)
        content = files[path]
        return content.encode() if isinstance(content, str) else content

    return DemoSource(read=read)


def author_plan(
    platform: str, data: Mapping[str, Any], files: Mapping[str, str | bytes] | None = None, **context: Any
) -> Any:
    """Return the plan of a demo with files beside it. Its images and executables are placeholders."""
    program = {"image": "envoy:1", "executable": "/bin/envoy"}
    common = {"platform": platform, "folder": "/state", "app": "pass", "envoy": program, "python": program}
    return make_plan(
        "own", data, {**common, **context}, "own.yml", source=source_of({**FILES, **(files or {})})
    )


def file_of(plan: Any, path: str) -> Any:
    """Return a file of a plan."""
    return next(one for one in plan["files"] if one["path"] == path)


def workload_of(plan: Any, name: str) -> Any:
    """Return a workload of a plan."""
    return next(one for one in plan["workloads"] if one["name"] == name)
