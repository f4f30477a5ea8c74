# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test files, environment variables, logs, large headers and large configurations of proxies with a real Envoy."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cases import CaseDeployment, PortBlock, case_data
from planned_envoy import plan

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import WorkloadError

Deploy = Callable[[str], CaseDeployment]
# Bytes that are not UTF-8.
PAGE = bytes(range(256))
LUA = """\
function envoy_on_response(response)
  response:headers():add("x-lua-zone", os.getenv("ZONE"))
end
"""
TYPES = "type.googleapis.com/envoy.extensions"


def demo_with_files(block: PortBlock, folder: Path) -> Any:
    """Return case 08, whose edge also has a script, a binary page, a log, and an address in a header."""
    for name in ("page.bin", "request.bin"):
        (folder / name).write_bytes(PAGE)
    data = case_data("08-environment/a.yml", block)
    edge = data["proxies"]["edge"]
    edge["files"] = {"zone.lua": LUA, "page.bin": {"source": "page.bin"}}
    http = edge["listeners"]["http"]
    http["routes"].insert(
        0,
        {
            "match": {"prefix": "/page"},
            "direct_response": {"status": 200, "body": {"filename": "${files}/page.bin"}},
            "response_headers_to_add": [{"header": {"key": "x-web", "value": "${web/app.host}"}}],
        },
    )
    script = {
        "@type": f"{TYPES}.filters.http.lua.v3.Lua",
        "default_source_code": {"filename": "${files}/zone.lua"},
    }
    http["http_filters"] = [{"name": "lua", "typed_config": script}]
    log = {
        "@type": f"{TYPES}.access_loggers.file.v3.FileAccessLog",
        "path": f"${{data}}/case-{block.first}.log",
    }
    http["http_connection_manager"]["access_log"] = [{"name": "file", "typed_config": log}]
    data["traffic"] += [
        {
            "name": "page",
            "to": "edge/http",
            "path": "/page",
            "requests": 2,
            "body": {"source": "request.bin"},
            "expect": [
                {"bytes": "total", "op": "eq", "value": 2 * len(PAGE)},
                {"header": {"name": "x-lua-zone", "value": "north"}, "op": "eq", "value": 2},
                {"header": {"name": "x-web"}, "op": "eq", "value": 2},
            ],
        },
    ]
    data["expectations"] = [
        {
            "at": "edge",
            "stat": "http.http.downstream_cx_rx_bytes_total",
            "of": "delta",
            "op": "ge",
            "value": 2 * len(PAGE),
        }
    ]
    return data


def mount_volumes(edge: Any, folder: Path | None) -> None:
    """Mount an empty directory for a log, and a directory of the host."""
    http = edge["listeners"]["http"]
    log = {"@type": f"{TYPES}.access_loggers.file.v3.FileAccessLog", "path": "/var/log/envoy/access.log"}
    http["http_connection_manager"]["access_log"].append({"name": "mounted", "typed_config": log})
    edge["mounts"] = {"/var/log/envoy": {}}
    if folder is not None:
        (folder / "pages").mkdir(mode=0o755)
        (folder / "page.bin").rename(folder / "pages" / "page.bin")
        edge["mounts"]["/srv/pages"] = {"host": str(folder / "pages")}
        edge["files"]["page.bin"] = {"source": "pages/page.bin"}
        http["routes"][0]["direct_response"]["body"]["filename"] = "/srv/pages/page.bin"


@pytest.mark.parametrize(
    "platform",
    [
        "local",
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("kubernetes", marks=pytest.mark.kubernetes),
    ],
)
def test_proxy_reads_files_and_environment(block: PortBlock, deployment: Deploy, platform: str) -> None:
    made = deployment(platform)
    data = demo_with_files(block, made.root)
    if platform != "local":
        mount_volumes(data["proxies"]["edge"], made.root if platform == "docker" else None)
    planned = made.deploy(data)
    assert made.failures(planned) == []
    if platform == "kubernetes":
        # The validation on this host has not opened the log of the pod.
        assert not Path(f"/tmp/case-{block.first}.log").exists()
    if platform == "local":
        assert (made.folder / f"data/edge/case-{block.first}.log").stat().st_size > 0


@pytest.mark.parametrize("platform", ["docker", "kubernetes"])
@pytest.mark.parametrize("file", ["a.yml", "d.yml"])
def test_log_is_judged_where_it_is_written(block: PortBlock, platform: str, file: str) -> None:
    data = case_data(f"11-access-log-file/{file}", block)
    with pytest.raises(DemoError, match=r"access_log\[0\].typed_config.path: Envoy cannot write '/"):
        plan(data, "case", platform)


def test_demo_without_an_envoy_is_verified(block: PortBlock, deployment: Deploy) -> None:
    local = deployment("local")
    expect = [{"status": "200", "op": "eq", "value": 4}]
    planned = local.deploy(
        {
            "summary": "An app",
            "ports": block.first,
            "services": {"web": {"app": {}, "publish": block.first + 91}},
            "traffic": [{"to": "web", "requests": 4, "expect": expect}],
        }
    )
    assert planned["programs"] == ["demo_app"]
    assert local.failures(planned) == []


def test_large_headers_pass(block: PortBlock, deployment: Deploy) -> None:
    """Case 12: 90 KB and 300 headers pass an Envoy with larger limits."""
    limits = {"max_request_headers_kb": 512, "common_http_protocol_options": {"max_headers_count": 500}}
    many = {f"x-h-{number}": "v" for number in range(300)}
    expect = [{"status": "204", "op": "eq", "value": 2}]
    listener = {
        "port": block.first + 91,
        "publish": block.first + 91,
        "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 204}}],
        "http_connection_manager": limits,
    }
    local = deployment("local")
    planned = local.deploy(
        {
            "summary": "Headers larger than Envoy's default of 60 KiB",
            "ports": block.first,
            "proxies": {"edge": {"listeners": {"http": listener}}},
            "traffic": [
                {
                    "name": "large",
                    "to": "edge",
                    "requests": 2,
                    "headers": {"x-token": "a" * 90_000},
                    "expect": expect,
                },
                {"name": "many", "to": "edge", "requests": 2, "headers": many, "expect": expect},
            ],
        }
    )
    assert local.failures(planned) == []


def big_demo(block: PortBlock, count: int) -> Any:
    """Return case 14: `count` clusters and as many routes."""
    names = [f"tenant-{number}" for number in range(count)]
    routes = [
        {"match": {"prefix": f"/{name}/"}, "route": {"cluster": name, "prefix_rewrite": "/"}}
        for name in names
    ]
    port = block.first + 91
    last = [{"status": "200", "op": "eq", "value": 4}]
    return {
        "summary": f"{count} clusters and as many routes",
        "ports": block.first,
        "services": {"web": {"app": {}}},
        "proxies": {
            "edge": {
                "listeners": {"http": {"port": port, "publish": port, "routes": routes}},
                "clusters": {name: {"to": "web"} for name in names},
            }
        },
        "traffic": [{"to": "edge/http", "path": f"/{names[-1]}/", "requests": 4, "expect": last}],
        "expectations": [
            {
                "at": "edge",
                "stat": f"cluster.{names[-1]}.upstream_rq_200",
                "of": "delta",
                "op": "eq",
                "value": 4,
            }
        ],
    }


@pytest.mark.slow
def test_thousands_of_clusters_need_a_few_seconds_of_cpu(block: PortBlock, deployment: Deploy) -> None:
    local = deployment("local")
    began = time.process_time()
    planned = local.deploy(big_demo(block, 2000))
    assert local.failures(planned) == []
    # 28 s before; 2 s on a machine of 2026. Envoy's own CPU time is not part of it.
    assert time.process_time() - began < 10


@pytest.mark.slow
def test_configuration_above_the_limit_is_refused(block: PortBlock) -> None:
    with pytest.raises(
        WorkloadError, match=r"Distribute its clusters and routes over several proxies, or deploy on"
    ):
        plan(big_demo(block, 2400), "case", "kubernetes")
