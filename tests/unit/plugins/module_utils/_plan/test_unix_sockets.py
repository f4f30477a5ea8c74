# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the Unix sockets of a plan: the directory that an app and its Envoy share, the probe, and the traffic."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from planned_envoy import plan

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError

ROUTES = [{"match": {"prefix": "/"}, "route": {"cluster": "web"}}]
PLATFORMS = ("local", "docker", "kubernetes")


def planned(platform: str, **web: Any) -> dict[str, Any]:
    """Return the plan of a service on a Unix socket, whose sidecar listens on another one."""
    listeners = {"ingress": {"port": 10000}, "local": {"unix_socket": "http.sock", "routes": ROUTES}}
    service = {"unix_socket": "app.sock", "sidecar": {"listeners": listeners}, **web}
    return plan({"summary": "s", "ports": 20000, "services": {"web": service}}, "shop", platform)


def resources(planned_demo: dict[str, Any], kind: str) -> Any:
    [content] = [
        one["content"]
        for one in planned_demo["files"]
        if one["path"].endswith(f"/{kind}.yaml") and one["live"]
    ]
    return yaml.safe_load(content)["resources"]


def workload(planned_demo: dict[str, Any], name: str) -> Any:
    [found] = [one for one in planned_demo["workloads"] if one["name"] == name]
    return found


@pytest.mark.parametrize(
    ("platform", "folder", "mode"),
    [("local", "web-1/sockets", 0o600), ("docker", "/sockets", 0o666), ("kubernetes", "/sockets", 0o666)],
)
def test_envoy_has_the_paths_of_its_container(platform: str, folder: str, mode: int) -> None:
    found = planned(platform)
    [_ingress, local] = resources(found, "listeners")
    assert local["address"] == {"pipe": {"path": f"{folder}/http.sock", "mode": mode}}
    [cluster] = resources(found, "clusters")
    [endpoint] = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    assert endpoint["endpoint"]["address"] == {"pipe": {"path": f"{folder}/app.sock"}}


@pytest.mark.parametrize(("platform", "name"), [("docker", "web-1"), ("kubernetes", "web")])
def test_app_and_envoy_share_one_writable_directory(platform: str, name: str) -> None:
    found = planned(platform)
    mount = {"source": f"{name}/sockets", "target": "/sockets", "writable": True}
    for one in (name, f"{name}-envoy"):
        assert mount in workload(found, one)["mounts"]
    assert workload(found, name)["environment"]["DEMO_APP_UNIX_SOCKET"] == "/sockets/app.sock"


@pytest.mark.parametrize(("platform", "mode"), [("local", "0700"), ("docker", "0777"), ("kubernetes", None)])
def test_directory_is_created_on_the_host(platform: str, mode: str | None) -> None:
    found = {one["path"]: one["mode"] for one in planned(platform)["directories"]}
    assert found.get("web-1/sockets") == mode


@pytest.mark.parametrize("platform", PLATFORMS)
def test_socket_has_no_port(platform: str) -> None:
    for one in planned(platform)["workloads"]:
        assert not {port["name"] for port in one["ports"]} & {"app", "local"}


def test_app_is_probed_over_its_socket() -> None:
    probe = workload(planned("docker"), "web-1")["probe"]
    assert (probe["kind"], probe["path"], probe["unix_socket"]) == (
        "http",
        "/healthz",
        "web-1/sockets/app.sock",
    )
    assert "s.connect('/sockets/app.sock')" in probe["command"][-1]
    [deployment] = [one for one in planned("kubernetes")["manifests"] if one["kind"] == "Deployment"]
    [app] = deployment["spec"]["template"]["spec"]["containers"]
    assert "/sockets/app.sock" in app["readinessProbe"]["exec"]["command"][-1]


def test_server_gets_the_path_of_its_socket() -> None:
    server = {"image": "i", "command": ["serve", "--listen", "${unix_socket}"]}
    found = planned("docker", server=server)
    assert workload(found, "web-1")["command"] == ["serve", "--listen", "/sockets/app.sock"]
    probe = workload(found, "web-1")["probe"]
    assert (probe["kind"], probe["unix_socket"]) == ("tcp", "web-1/sockets/app.sock")
    # The kubelet cannot connect to a Unix socket, and the image of a server has no known client.
    [deployment] = [
        one for one in planned("kubernetes", server=server)["manifests"] if one["kind"] == "Deployment"
    ]
    assert "readinessProbe" not in deployment["spec"]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize("platform", ["local", "docker"])
def test_traffic_has_the_path_on_the_host(platform: str) -> None:
    listeners = {"local": {"unix_socket": "http.sock", "routes": ROUTES}}
    pipes = {
        path: {"listener": {"address": {"pipe": {"path": path}}}, "routes": ROUTES}
        for path in ("edge/run/http.sock", "/sockets/own.sock")
    }
    edge = {"listeners": listeners | pipes, "clusters": {"web": {"address": "192.0.2.1", "port": 80}}}
    traffic = [{"to": f"edge/{name}", "path": "/x"} for name in edge["listeners"]]
    data = {"summary": "s", "ports": 20000, "proxies": {"edge": edge}, "traffic": traffic}
    sent = plan(data, "shop", platform)["traffic"]
    assert [one["url"] for one in sent] == ["http://localhost/x"] * 3
    own = "/sockets/own.sock" if platform == "local" else "/state/edge/sockets/own.sock"
    assert [one["unix_socket"] for one in sent] == [
        "/state/edge/sockets/http.sock",
        "/state/edge/run/http.sock",
        own,
    ]


def edge_with(platform: str, **edge: Any) -> dict[str, Any]:
    """Return the plan of one edge proxy."""
    return plan({"summary": "s", "ports": 20000, "proxies": {"edge": edge}}, "shop", platform)


PIPE = {"endpoint": {"address": {"pipe": {"path": "/srv/case/app.sock"}}}}
ENDPOINTS = {"load_assignment": {"endpoints": [{"lb_endpoints": [PIPE]}]}}
UPSTREAMS = {
    "address": {"clusters": {"app": {"address": "unix:///srv/case/app.sock"}}},
    "load_assignment": {"clusters": {"app": {"cluster": {"type": "STATIC", **ENDPOINTS}}}},
    "bootstrap": {"bootstrap": {"static_resources": {"clusters": [{"name": "app", **ENDPOINTS}]}}},
}


@pytest.mark.parametrize("form", UPSTREAMS)
def test_container_mounts_the_directory_of_an_upstream(form: str) -> None:
    mount = {"source": "/srv/case", "target": "/srv/case", "writable": False}
    found = edge_with("docker", **UPSTREAMS[form])
    assert mount in workload(found, "edge")["mounts"]
    [compose] = [one["content"] for one in found["files"] if one["path"] == "compose.yaml"]
    volumes = yaml.safe_load(compose)["services"]["edge"]["volumes"]
    assert ["/srv/case", "/srv/case", True] in [
        [one["source"], one["target"], one["read_only"]] for one in volumes
    ]
    assert workload(edge_with("local", **UPSTREAMS[form]), "edge")["mounts"] == []


def test_shared_directory_is_not_mounted() -> None:
    found = edge_with("docker", clusters={"app": {"address": "unix:///run/app.sock"}})
    assert {"source": "/run/app.sock", "target": "/run/app.sock", "writable": False} in workload(
        found, "edge"
    )["mounts"]


@pytest.mark.parametrize("form", UPSTREAMS)
def test_pod_has_no_socket_of_its_node(form: str) -> None:
    with pytest.raises(DemoError) as caught:
        edge_with("kubernetes", **UPSTREAMS[form])
    assert str(caught.value).endswith(
        ": '/srv/case/app.sock' is a Unix socket outside the pod of edge. Use a host name and a port, or state the platform in"
        " 'unsupported_on'."
    )


@pytest.mark.parametrize(
    ("platform", "path"), [("docker", "http.sock"), ("kubernetes", "edge/run/http.sock")]
)
def test_own_socket_in_a_read_only_directory_is_refused(platform: str, path: str) -> None:
    listener = {"listener": {"address": {"pipe": {"path": path}}}, "routes": []}
    with pytest.raises(DemoError) as caught:
        edge_with(platform, listeners={"http": listener})
    assert str(caught.value).startswith(
        f"shop.yml: proxies.edge.listeners.http.listener.address.pipe.path: Envoy cannot create '{path}', because the file system of"
        " its container is read-only. Use 'unix_socket: http.sock' instead of 'address', or a path below /tmp"
    )
