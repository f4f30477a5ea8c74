# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the plan of a service's own server."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from plan_queries import workload_of

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError

Planner = Callable[..., dict[str, Any]]


def with_service(name: str, spec: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"summary": "A shop", "ports": 20000, "services": {name: spec}, **keys}


def error_of(plan: Planner, data: Any, platform: str = "local") -> str:
    with pytest.raises(DemoError) as caught:
        plan(data, platform)
    return str(caught.value)


def test_server_with_fixed_port_listens_on_it(plan: Planner) -> None:
    server = {"image": "db:1", "command": ["db", "--port", "5432"], "files": {"a/b.conf": "x"}}
    data = with_service("db", {"port": 5432, "publish": 5432, "protocol": "tcp", "server": server})
    for platform in ("local", "docker"):
        planned = plan(data, platform)
        (port,) = workload_of(planned, "db-1")["ports"]
        assert port == {**port, "number": 5432, "published": 5432, "protocol": "tcp", "scheme": "tcp"}
        folder = "db-1" if platform == "local" else "db"
        assert f"files/{folder}/a/b.conf" in [one["path"] for one in planned["files"]]
        assert planned["programs"] == []
    data["services"]["db"]["publish"] = 15432
    assert plan(data, "docker")
    assert error_of(plan, data, "local") == (
        "shop.yml: services.db.publish: on platform local, the server itself must listen on 15432, but its port is 5432."
        " Use the same number twice, or ${port} in the server's texts."
    )
    data["services"]["db"] |= {"publish": None, "replicas": 2}
    assert "port 5432: both db-1/app and db-2/app use it" in error_of(plan, data, "local")


KEEPER = {
    "image": "keeper:1",
    "command": [
        "/opt/keep",
        "--listen=${address}:${port}",
        "--metrics=${pages}",
        "--conf=${files}/keep.conf",
        "$${port}",
    ],
    "program": "keep",
    "environment": {"KEEP_IN": "${data}"},
    "files": {"keep.conf": "port = ${port}\n"},
    "ports": {"pages": {"port": 9000, "metrics": "/metrics"}},
    "memory_mb": 512,
}


def test_placeholders_have_values_of_the_platform(plan: Planner) -> None:
    data = with_service("keep", {"protocol": "tcp", "replicas": 2, "server": KEEPER})
    local, docker, pods = (plan(data, platform) for platform in ("local", "docker", "kubernetes"))
    second = workload_of(local, "keep-2")
    port, pages = (one["number"] for one in second["ports"])
    options = [f"--listen=127.0.0.1:{port}", f"--metrics={pages}", "--conf=files/keep-2/keep.conf", "${port}"]
    assert second["command"] == ["keep", *options]
    assert second["environment"] == {"KEEP_IN": "data/keep-2"}
    assert {"path": "data/keep-2", "mode": "0700", "host": "default"} in local["directories"]
    assert {"path": "files/keep-2/keep.conf", "content": f"port = {port}\n"}.items() <= next(
        one for one in local["files"] if one["path"].startswith("files/keep-2")
    ).items()
    for planned, name in ((docker, "keep-1"), (pods, "keep")):
        first = workload_of(planned, name)
        options = ["--listen=0.0.0.0:8080", "--metrics=9000", "--conf=/etc/demo/keep.conf", "${port}"]
        assert first["command"] == ["/opt/keep", *options]
        assert first["environment"] == {"KEEP_IN": "/tmp"}
        assert first["memory_mb"] == 512
        assert [one["path"] for one in planned["files"] if one["path"].startswith("files")] == [
            "files/keep/keep.conf"
        ]


def test_server_with_further_ports_is_not_on_loopback(plan: Planner) -> None:
    alone = {key: KEEPER[key] for key in KEEPER if key != "ports"}
    alone["command"] = ["keep", "--listen=${address}"]
    for server, address in ((alone, "127.0.0.1"), (KEEPER, "0.0.0.0")):
        planned = plan(with_service("keep", {"server": server, "sidecar": {}}), "docker")
        assert workload_of(planned, "keep-1")["command"][1].startswith(f"--listen={address}")


def test_server_in_a_pod_listens_for_the_kubelet(plan: Planner) -> None:
    server = {"image": "db:1", "command": ["db", "--listen=${address}:${port}"]}
    data = with_service("db", {"protocol": "tcp", "server": server, "sidecar": {}})
    for platform, name, address in (("docker", "db-1", "127.0.0.1"), ("kubernetes", "db", "0.0.0.0")):
        assert workload_of(plan(data, platform), name)["command"] == ["db", f"--listen={address}:8080"]


def test_page_is_an_endpoint_at_each_replica(plan: Planner) -> None:
    data = with_service(
        "keep",
        {"protocol": "tcp", "replicas": 2, "server": KEEPER},
        expectations=[{"at": "keep/pages", "stat": "kept", "op": "eq", "value": 1}],
    )
    for platform in ("local", "docker"):
        planned = plan(data, platform)
        pages = {one["name"]: one["url"] for one in planned["endpoints"]}
        assert list(pages) == ["keep-1/pages", "keep-2/pages"]
        assert len(set(pages.values())) == 2
        for name, url in pages.items():
            ports = {one["name"]: one for one in workload_of(planned, name.partition("/")[0])["ports"]}
            assert url == f"http://127.0.0.1:{ports['pages']['published']}/metrics"
        assert planned["assertions"][0]["endpoint"] == ["keep-1/pages", "keep-2/pages"]
    (page,) = plan(data, "kubernetes")["endpoints"]
    assert (page["name"], page["port"], page["container"], page["format"]) == (
        "keep/pages",
        9000,
        "app",
        "prometheus",
    )


def test_page_can_be_at_the_port_of_the_service(plan: Planner) -> None:
    server = {"image": "db:1", "command": ["db", "${port}"], "metrics": "/prometheus"}
    data = with_service(
        "db",
        {"server": server, "sidecar": {}},
        expectations=[{"at": "db/app", "stat": "kept", "op": "eq", "value": 1}],
    )
    for platform in ("local", "docker", "kubernetes"):
        planned = plan(data, platform)
        one, page = (found for found in planned["endpoints"])
        assert planned["assertions"][0]["endpoint"] == [page["name"]]
        # Users reach it without the sidecar, so it listens on all addresses.
        (port,) = workload_of(planned, one["name"])["ports"]
        assert port["metrics"]
        if platform != "kubernetes":
            assert page["url"] == f"http://127.0.0.1:{port['published']}/prometheus"
    assert (page["name"], page["path"], page["port"]) == ("db/app", "/prometheus", 8080)
    assert workload_of(plan(data, "docker"), "db-1")["probe"]["private"] is False


@pytest.mark.parametrize(
    ("keys", "probe"),
    [
        ({}, {"kind": "tcp"}),
        ({"promql": "/"}, {"kind": "tcp"}),
        ({"ready": "/-/ready", "promql": "/"}, {"kind": "http", "path": "/-/ready"}),
        ({"metrics": "/metrics"}, {"kind": "http", "path": "/metrics"}),
        ({"ready": "/up", "metrics": "/metrics"}, {"kind": "http", "path": "/up"}),
    ],
)
@pytest.mark.parametrize("platform", ["local", "docker", "kubernetes"])
def test_readiness_page_is_the_probe(
    plan: Planner, platform: str, keys: dict[str, str], probe: dict[str, str]
) -> None:
    server = {"image": "db:1", "command": ["db", "${address}:${port}"], **keys}
    planned = plan(with_service("db", {"server": server, "sidecar": {}}), platform)
    db = workload_of(planned, "db" if platform == "kubernetes" else "db-1")
    assert db["probe"].items() >= probe.items()
    # The probe of a page connects from outside the container.
    if platform == "docker" and probe["kind"] == "http":
        assert db["command"][1] == "0.0.0.0:8080"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"command": ["keep", "${prot}"]},
            "command[1]: unknown placeholder '${prot}'. Use one of: address, port, files, data, unix_socket, pages, keep/app",
        ),
        (
            {"files": {"keep.conf": "", "a": "${x}"}},
            "files.a: unknown placeholder '${x}'. Use one of: address,",
        ),
        ({"command": []}, "command: empty. Add the program"),
        ({"ports": {"port": {"port": 9000}}}, "ports.port: "),
        ({"metrics": "/m"}, "metrics: the port speaks tcp, not HTTP."),
        ({"ready": "/r"}, "ready: the port speaks tcp, not HTTP."),
        (
            {"ports": {"pages": {"port": 9000, "metrics": "m"}}},
            "ports.pages.metrics: expected a path that starts with '/', got 'm'.",
        ),
        (
            {"ports": {"pages": {"port": 9000, "protocol": "tcp", "metrics": "/m"}}},
            "ports.pages.metrics: the port speaks tcp",
        ),
        ({"promql": "/"}, "promql: the port speaks tcp, not HTTP."),
        (
            {"ports": {"pages": {"port": 9000, "metrics": "/m", "promql": "/"}}},
            "ports.pages: has both 'metrics' and 'promql'. Keep one of them, or use two ports.",
        ),
        ({"ports": {"statsd_exporter": {"port": 9000}}}, "ports.statsd_exporter: "),
        (
            {"command": ["keep", "${port.host}"]},
            "command[1]: unknown placeholder '${port.host}'. Use one of: address, port,",
        ),
        (
            {"command": ["keep", "${web/admin}"]},
            "command[1]: unknown placeholder '${web/admin}'. Use one of: address, port,",
        ),
    ],
)
def test_wrong_server_is_refused(plan: Planner, change: dict[str, Any], message: str) -> None:
    data = with_service("keep", {"protocol": "tcp", "server": KEEPER | change})
    assert error_of(plan, data).startswith(f"shop.yml: services.keep.server.{message}")


def test_unsupported_platform_is_refused(plan: Planner) -> None:
    data = with_service("web", {}, unsupported_on={"local": "its program is for containers"})
    assert plan(data, "docker")
    assert (
        error_of(plan, data)
        == "shop.yml: unsupported_on: the demo does not run on local: its program is for containers"
    )
    assert "unsupported_on: unknown platform 'dokcer'. Did you mean 'docker'?" in error_of(
        plan, with_service("web", {}, unsupported_on={"dokcer": "x"})
    )


def test_files_of_the_author_are_deployed_unchanged(plan: Planner) -> None:
    stored = {"a.so": b"\x7fELF\xff", "a.sh": b"echo ${port}"}
    files = {"a.so": {"source": "a.so"}, "a.sh": {"source": "a.sh"}, "b": {"content": "${port}"}}
    server = {"image": "x:1", "command": ["x", "${port}"], "files": files}
    data = with_service("x", {"server": server})
    found = {one["path"]: one for one in plan(data, "docker", files=stored)["files"]}
    assert found["files/x/a.so"]["encoding"] == "base64"
    assert base64.b64decode(found["files/x/a.so"]["content"]) == b"\x7fELF\xff"
    assert found["files/x/a.sh"]["content"] == "echo ${port}"
    assert "encoding" not in found["files/x/a.sh"]
    assert found["files/x/b"]["content"] == "8080"
    (config_map,) = (
        one for one in plan(data, "kubernetes", files=stored)["manifests"] if one["kind"] == "ConfigMap"
    )
    assert config_map["data"] == {"a.sh": "echo ${port}", "b": "8080"}
    assert config_map["binaryData"] == {"a.so": "f0VM" + base64.b64encode(b"F\xff").decode()}


def test_changed_binary_file_restarts_the_server(plan: Planner) -> None:
    server = {"image": "x:1", "command": ["x"], "files": {"a": {"source": "a"}}}
    data = with_service("x", {"server": server})
    digests = [
        workload_of(plan(data, "docker", files={"a": content}), "x-1")["digest"]
        for content in (b"\xff1", b"\xff2")
    ]
    assert digests[0] != digests[1]
