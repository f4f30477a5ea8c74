# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test an author's own envoy.yaml: it runs unchanged on each platform, and its numbers are asserted by Envoy's own stat names."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cases import CASES, CaseDeployment, PortBlock, case_data
from live import ENVOY_VERSION

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.versions import OLDEST

Deploy = Callable[[str], CaseDeployment]
CASE = "40-own-envoy-yaml"
ENVOY_YAML = (CASES / CASE / "envoy.yaml").read_text(encoding="utf-8")
# The ports in the author's file.
PORTS = (10000, 10001, 9901)
HTTP = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
WATCHED = """\
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 9901 }}}
dynamic_resources:
  lds_config: {path_config_source: {path: /var/lib/envoy/lds.yaml}}
  cds_config: {path_config_source: {path: /var/lib/envoy/cds.yaml}}
"""
LDS = f"""\
resources:
  - "@type": type.googleapis.com/envoy.config.listener.v3.Listener
    name: http
    address: {{socket_address: {{address: 0.0.0.0, port_value: 10000 }}}}
    filter_chains:
      - filters:
          - name: http
            typed_config:
              "@type": {HTTP}
              stat_prefix: http
              route_config:
                virtual_hosts:
                  - {{name: all, domains: ["*"], routes: [{{match: {{prefix: /}}, route: {{cluster: web}}}}]}}
              http_filters:
                - {{name: router, typed_config: {{"@type": {ROUTER}}}}}
"""
CDS = """\
resources:
  - "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
    name: web
    type: STRICT_DNS
    load_assignment:
      cluster_name: web
      endpoints:
        - lb_endpoints:
            - endpoint: {address: {socket_address: {address: web, port_value: 8080}}}
"""


def on_ports_of(block: PortBlock, text: str = ENVOY_YAML) -> str:
    """Return a configuration with ports of a block: on the platform local, its ports are ports of the host."""
    for position, port in enumerate(PORTS):
        text = text.replace(f"port_value: {port} ", f"port_value: {block.first + 80 + position} ")
    return text


def own_demo(block: PortBlock, **front: Any) -> Any:
    """Return the demo of the case, whose proxy has further keys."""
    data = case_data(f"{CASE}/own.yml", block)
    data["proxies"]["front"].update(front)
    return data


def published(block: PortBlock) -> dict[str, int]:
    """Return ports of a block on the host for the listeners of the case."""
    return {"listener_http": block.first + 80, "listener_tcp": block.first + 81}


def test_envoy_yaml_runs_on_the_host(block: PortBlock, deployment: Deploy) -> None:
    local = deployment("local")
    text = on_ports_of(block)
    (local.root / "envoy.yaml").write_text(text, encoding="utf-8")
    planned = local.deploy(own_demo(block))
    assert local.failures(planned) == []
    deployed = (local.folder / "front/config/envoy.yaml").read_text(encoding="utf-8")
    changed = {
        number
        for number, (old, new) in enumerate(zip(text.splitlines(), deployed.splitlines(), strict=False), 1)
        if old != new
    }
    # The second replica of web is one more line, which moves the lines below it.
    assert min(changed) == 59
    assert deployed.splitlines()[:58] == text.splitlines()[:58]
    assert [one.partition(" is ")[0] for one in planned["replacements"]] == [
        "envoy.yaml line 59: web:8080",
        "envoy.yaml line 67: api:8080",
        "envoy.yaml line 75: echo:7000",
    ]
    assert planned["warnings"][0].startswith("envoy.yaml line 9: the admin interface listens on 0.0.0.0:")


@pytest.mark.docker
def test_envoy_yaml_runs_unchanged_in_a_container(block: PortBlock, deployment: Deploy) -> None:
    docker = deployment("docker")
    (docker.root / "envoy.yaml").write_text(ENVOY_YAML, encoding="utf-8")
    planned = docker.deploy(own_demo(block, publish=published(block)))
    assert docker.failures(planned) == []
    assert (docker.folder / "front/config/envoy.yaml").read_text(encoding="utf-8") == ENVOY_YAML
    assert planned["replacements"] == []


@pytest.mark.kubernetes
def test_envoy_yaml_runs_unchanged_in_a_pod(block: PortBlock, deployment: Deploy) -> None:
    cluster = deployment("kubernetes")
    (cluster.root / "envoy.yaml").write_text(ENVOY_YAML, encoding="utf-8")
    planned = cluster.deploy(own_demo(block))
    assert cluster.failures(planned) == []
    [deployed] = [one["content"] for one in planned["files"] if one["path"] == "front/config/envoy.yaml"]
    assert deployed == ENVOY_YAML


@pytest.mark.parametrize("platform", ["local", pytest.param("docker", marks=pytest.mark.docker)])
def test_error_of_envoy_names_the_file_and_line_of_the_author(
    block: PortBlock, deployment: Deploy, platform: str
) -> None:
    one = deployment(platform)
    wrong = on_ports_of(block).replace("connect_timeout: 1s", "connect_timeout: soon", 1)
    (one.root / "envoy.yaml").write_text(wrong, encoding="utf-8")
    result = one.result(one.plan(own_demo(block)))
    assert result["failed"]
    line = wrong.splitlines().index("      connect_timeout: soon") + 1
    assert f"front: envoy.yaml line {line}: " in result["msg"]
    assert "Nothing was changed." in result["msg"]


def test_watched_listeners_and_clusters_change_live(block: PortBlock, deployment: Deploy) -> None:
    local = deployment("local")
    files = {"envoy.yaml": WATCHED, "lds.yaml": LDS, "cds.yaml": CDS}
    for name, text in files.items():
        (local.root / name).write_text(on_ports_of(block, text), encoding="utf-8")
    data = own_demo(block, config=["envoy.yaml", "lds.yaml", "cds.yaml"])
    data["traffic"] = [
        {"to": "front/http", "requests": 5, "expect": [{"status": "200", "op": "eq", "value": 5}]}
    ]
    data["expectations"] = [
        {"at": "front", "stat": "cluster.web.upstream_rq_200", "of": "delta", "op": "eq", "value": 5}
    ]
    assert local.failures(local.deploy(data)) == []
    changed = on_ports_of(block, LDS).replace("cluster: web", "cluster: api")
    (local.root / "lds.yaml").write_text(changed, encoding="utf-8")
    (local.root / "cds.yaml").write_text(CDS.replace("web", "api"), encoding="utf-8")
    data["expectations"][0]["stat"] = "cluster.api.upstream_rq_200"
    planned = local.plan(data)
    result = local.result(planned)
    assert (result["failed"], result["restarted"], result["started"]) == (False, [], [])
    assert local.failures(planned) == []


def test_rejected_listener_is_restored(block: PortBlock, deployment: Deploy) -> None:
    local = deployment("local")
    for name, text in {"envoy.yaml": WATCHED, "lds.yaml": LDS, "cds.yaml": CDS}.items():
        (local.root / name).write_text(on_ports_of(block, text), encoding="utf-8")
    data = own_demo(block, config=["envoy.yaml", "lds.yaml", "cds.yaml"])
    del data["traffic"], data["expectations"]
    local.deploy(data)
    # Validation binds no address, and a running Envoy rejects one that the host does not have.
    wrong = on_ports_of(block, LDS).replace("address: 0.0.0.0", "address: 192.0.2.1")
    (local.root / "lds.yaml").write_text(wrong, encoding="utf-8")
    result = local.result(local.plan(data))
    assert result["failed"]
    assert "front: lds.yaml: the running Envoy did not accept the file" in result["msg"]
    assert result["msg"].endswith("The previous deployment was restored."), result["msg"]
    assert result["rolled_back"]
    (local.root / "lds.yaml").write_text(on_ports_of(block, LDS), encoding="utf-8")
    again = local.result(local.plan(data))
    assert (again["failed"], again["changed"]) == (False, False)


@pytest.mark.parametrize(
    "admin", ["{address: 127.0.0.1, port_value: 9901 }", "socket"], ids=["loopback", "unix_socket"]
)
@pytest.mark.parametrize(
    "platform",
    [
        "local",
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("kubernetes", marks=[pytest.mark.kubernetes, pytest.mark.slow]),
    ],
)
def test_private_admin_is_queried_where_it_listens(
    block: PortBlock, deployment: Deploy, platform: str, admin: str
) -> None:
    one = deployment(platform)
    folder = f"{one.root}/run" if platform == "local" else "/var/run/envoy"
    (one.root / "run").mkdir()
    address = (
        f"{{pipe: {{path: {folder}/admin.sock}}}}" if admin == "socket" else f"{{socket_address: {admin}}}"
    )
    text = f"admin: {{address: {address}}}\nstatic_resources: {{}}\n"
    (one.root / "envoy.yaml").write_text(
        on_ports_of(block, text) if platform == "local" else text, encoding="utf-8"
    )
    data = {
        "summary": "A private admin",
        "ports": block.first,
        "proxies": {"front": {"config": "envoy.yaml"}},
        "expectations": [{"at": "front", "stat": "server.live", "op": "eq", "value": 1}],
    }
    planned = one.deploy(data)
    assert planned["warnings"] == []
    assert one.failures(planned) == []


@pytest.mark.docker
@pytest.mark.slow
def test_image_with_the_file_runs_without_a_mount(
    block: PortBlock, deployment: Deploy, baked_image: str
) -> None:
    docker = deployment("docker")
    (docker.root / "envoy.yaml").write_text(ENVOY_YAML, encoding="utf-8")
    config = {"source": "envoy.yaml", "in_image": "/etc/envoy/envoy.yaml"}
    data = own_demo(block, config=config, envoy={"image": baked_image}, publish=published(block))
    planned = docker.deploy(data)
    assert docker.failures(planned) == []
    assert not (docker.folder / "front").exists()


@pytest.fixture(scope="module")
def baked_image() -> Iterator[str]:
    """Return an image that contains the file of the case, by its digest, as a build of the author."""
    name = "meshlab-own-envoy-yaml:test"
    dockerfile = f"FROM envoyproxy/envoy:v{ENVOY_VERSION}\nCOPY envoy.yaml /etc/envoy/envoy.yaml\n"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Dockerfile").write_text(dockerfile, encoding="utf-8")
        (Path(folder) / "envoy.yaml").write_text(ENVOY_YAML, encoding="utf-8")
        subprocess.run(["docker", "build", "--quiet", "--tag", name, folder], check=True)
    yield name
    subprocess.run(["docker", "image", "rm", "--force", name], check=True, stdout=subprocess.DEVNULL)


def test_own_binary_of_a_proxy(block: PortBlock, deployment: Deploy) -> None:
    local = deployment("local")
    (local.root / "envoy.yaml").write_text(on_ports_of(block), encoding="utf-8")
    own = local.root / "our-envoy"
    own.symlink_to(os.environ["MESHLAB_ENVOY_OLDEST"])
    data = own_demo(block, envoy={"executable": str(own), "version": OLDEST})
    data["expectations"] += [{"at": "front", "stat": "server.live", "op": "eq", "value": 1}]
    planned = local.deploy(data)
    assert local.failures(planned) == []
    wrong = own_demo(block, envoy={"executable": str(own), "version": ENVOY_VERSION})
    result = local.result(local.plan(wrong))
    assert result["failed"]
    assert f"expected Envoy {ENVOY_VERSION}, got {OLDEST}" in result["msg"]


@pytest.mark.kubernetes
@pytest.mark.slow
def test_watched_files_change_live_in_a_pod(block: PortBlock, deployment: Deploy) -> None:
    cluster = deployment("kubernetes")
    watched = WATCHED
    for name in ("lds", "cds"):
        source = f"{{path: /etc/envoy/{name}.yaml, watched_directory: {{path: /etc/envoy}}}}"
        watched = watched.replace(f"{{path: /var/lib/envoy/{name}.yaml}}", source)
    for name, text in {"envoy.yaml": watched, "lds.yaml": LDS, "cds.yaml": CDS}.items():
        (cluster.root / name).write_text(text, encoding="utf-8")
    data = own_demo(block, config=["envoy.yaml", "lds.yaml", "cds.yaml"])
    data["traffic"] = [
        {"to": "front/http", "requests": 5, "expect": [{"status": "200", "op": "eq", "value": 5}]}
    ]
    data["expectations"] = [
        {"at": "front", "stat": "cluster.web.upstream_rq_200", "of": "delta", "op": "eq", "value": 5}
    ]
    planned = cluster.deploy(data)
    assert planned["warnings"] == []
    assert cluster.failures(planned) == []
    (cluster.root / "lds.yaml").write_text(LDS.replace("cluster: web", "cluster: api"), encoding="utf-8")
    (cluster.root / "cds.yaml").write_text(CDS.replace("web", "api"), encoding="utf-8")
    data["expectations"][0]["stat"] = "cluster.api.upstream_rq_200"
    planned = cluster.plan(data)
    result = cluster.result(planned)
    # The NetworkPolicies of web and api change, and no pod restarts.
    assert (result["failed"], result["restarted"], result["started"]) == (False, [], []), result["msg"]
    assert cluster.failures(planned) == []
