# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the volumes that an author mounts into the container of a proxy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from plan_queries import file_of, workload_of

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError

Planner = Callable[..., dict[str, Any]]
LOGS = {"/var/log/envoy": {}}


def demo(mounts: Any) -> dict[str, Any]:
    listener = {
        "port": 8080,
        "publish": 8080,
        "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 200}}],
    }
    edge = {"listeners": {"http": listener}, "mounts": mounts}
    return {"summary": "s", "ports": 20000, "proxies": {"edge": edge}}


def test_docker_mounts_directories_of_the_host_and_empty_ones(plan: Planner) -> None:
    mounts = {**LOGS, "/geo": {"host": "/srv/geo"}, "/data": {"host": "/srv/data", "writable": True}}
    planned = plan(demo(mounts), "docker")
    service = file_of(planned, "compose.yaml")["services"]["edge"]
    assert service["tmpfs"] == ["/tmp", "/var/log/envoy:mode=1777"]
    bound = {one["target"]: (one["source"], one["read_only"]) for one in service["volumes"]}
    assert bound["/geo"] == ("/srv/geo", True)
    assert bound["/data"] == ("/srv/data", False)
    (check,) = planned["checks"]
    assert [one["target"] for one in check["volumes"]] == ["/var/log/envoy", "/geo", "/data"]


def test_pod_mounts_objects_of_the_cluster(plan: Planner) -> None:
    mounts = {
        **LOGS,
        "/a": {"config_map": "geo"},
        "/b": {"secret": "keys"},
        "/c": {"claim": "disk", "writable": True},
    }
    planned = plan(demo(mounts), "kubernetes")
    (pod,) = (one["spec"]["template"]["spec"] for one in planned["manifests"] if one["kind"] == "Deployment")
    volumes = {one["name"]: one for one in pod["volumes"]}
    mounted = {one["mountPath"]: one for one in pod["containers"][0]["volumeMounts"]}
    found = {path: volumes[mounted[path]["name"]] for path in mounts}
    assert found["/var/log/envoy"]["emptyDir"] == {"sizeLimit": "64Mi"}
    assert found["/a"]["configMap"] == {"name": "geo"}
    assert found["/b"]["secret"] == {"secretName": "keys", "defaultMode": 0o440}
    assert found["/c"]["persistentVolumeClaim"] == {"claimName": "disk"}
    assert [mounted[path].get("readOnly", False) for path in mounts] == [False, True, True, False]
    assert all("volumes" not in one for one in planned["checks"])


def test_process_opens_the_paths_of_its_host(plan: Planner) -> None:
    planned = plan(demo({**LOGS, "/srv/geo": {"host": "/srv/geo"}}), "local")
    assert workload_of(planned, "edge")["volumes"] == []


@pytest.mark.parametrize(
    ("platform", "mounts", "message"),
    [
        ("docker", {"geo": {}}, "proxies.edge.mounts.geo: expected an absolute path in the container"),
        ("docker", {"/etc/envoy": {}}, "proxies.edge.mounts./etc/envoy: expected an absolute path in the container"),
        ("docker", {"/a": "x"}, "proxies.edge.mounts./a: expected a mapping such as {host: /srv/data}, or {} for an empty directory."),
        ("docker", {"/a": {"hst": "/b"}}, "proxies.edge.mounts./a: unknown key 'hst'. Did you mean 'host'?"),
        ("docker", {"/a": {"host": "b"}}, "proxies.edge.mounts./a.host: expected an absolute path on the host, got 'b'."),
        ("docker", {"/a": {"host": "/b", "claim": "c"}}, "proxies.edge.mounts./a: has 'host' and 'claim'. Keep one of them."),
        ("docker", {"/a": {"host": "/b", "writable": "x"}}, "proxies.edge.mounts./a.writable: expected true or false, got 'x'."),
        ("docker", {"/a": {"claim": "c"}}, "proxies.edge.mounts./a: docker has no volume of kind 'claim'. Use one of: empty, host."),
        ("kubernetes", {"/a": {"host": "/b"}}, "proxies.edge.mounts./a: kubernetes has no volume of kind 'host'. Use one of: empty,"),
        ("local", {"/a": {"host": "/b"}}, "proxies.edge.mounts./a: a process opens the paths of its host. Use the path /b"),
    ],
)  # fmt: skip
def test_wrong_mount_is_refused(plan: Planner, platform: str, mounts: Any, message: str) -> None:
    with pytest.raises(DemoError) as caught:
        plan(demo(mounts), platform)
    assert str(caught.value).startswith(f"shop.yml: {message}")
