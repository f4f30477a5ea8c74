# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the plan of an Envoy whose configuration an author wrote, on each platform."""

from __future__ import annotations

from typing import Any

import pytest
from author_demo import (
    ADMIN,
    CDS,
    ENVOY_YAML,
    author_demo,
    author_plan,
    file_of,
    with_expectation,
    workload_of,
)

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError

CONTAINERS = ("docker", "kubernetes", "openshift")
THREE = ["watched.yaml", "lds.yaml", "cds.yaml"]
SOCKET = "admin: {address: {pipe: {path: /run/envoy/admin.sock}}}\n"


@pytest.mark.parametrize("platform", CONTAINERS)
def test_file_is_unchanged_in_a_container(platform: str) -> None:
    plan = author_plan(platform, author_demo())
    assert file_of(plan, "front/config/envoy.yaml")["content"] == ENVOY_YAML
    assert plan["replacements"] == []
    front = workload_of(plan, "front")
    assert front["command"][:3] == ["/usr/local/bin/envoy", "--config-path", "/etc/envoy/envoy.yaml"]
    assert {"source": "front/config", "target": "/etc/envoy", "writable": False} in front["mounts"]


def test_copy_on_a_host_has_the_addresses_of_all_replicas() -> None:
    plan = author_plan("local", author_demo())
    text = file_of(plan, "front/config/envoy.yaml")["content"]
    assert "address: web" not in text
    assert [text.count(f"port_value: {port}") for port in (20000, 20005)] == [1, 1]
    assert plan["replacements"] == [
        "envoy.yaml line 14: web:8080 is 127.0.0.1:20000, 127.0.0.1:20005 in the copy for front"
    ]
    assert workload_of(plan, "front")["directory"] == "front/config"


@pytest.mark.parametrize("platform", ["local", *CONTAINERS])
def test_candidate_is_the_text_of_the_author(platform: str) -> None:
    [check] = [one for one in author_plan(platform, author_demo())["checks"] if one["name"] == "front"]
    assert check["files"][0]["content"] == ENVOY_YAML
    assert check["command"][-4:] == ["--service-node", "front", "--service-cluster", "front"]


def test_node_of_the_author_is_kept() -> None:
    text = f"node: {{id: mine, cluster: ours}}\n{ENVOY_YAML}"
    assert "--service-node" not in workload_of(author_plan("docker", author_demo(text)), "front")["command"]


def test_service_is_reachable_by_its_name() -> None:
    assert workload_of(author_plan("docker", author_demo()), "web-2")["aliases"] == ["web-2", "web"]
    services = [
        one for one in author_plan("kubernetes", author_demo())["manifests"] if one["kind"] == "Service"
    ]
    [web] = [one for one in services if one["metadata"]["name"] == "web"]
    assert web["spec"]["clusterIP"] == "None"
    assert [one["port"] for one in web["spec"]["ports"]] == [8080]


@pytest.mark.parametrize("platform", CONTAINERS)
def test_demo_without_an_author_config_has_no_further_names(platform: str) -> None:
    plan = author_plan(
        platform, {**author_demo(), "proxies": {"front": {"clusters": {"web": {"to": "web"}}}}}
    )
    names = [one["metadata"]["name"] for one in plan["manifests"] if one["kind"] == "Service"]
    assert "web" not in [*names, *(alias for one in plan["workloads"] for alias in one["aliases"])]


def test_admin_is_queried_where_it_listens() -> None:
    plans = {one: author_plan(one, author_demo()) for one in ("local", "docker", "kubernetes")}
    endpoints = {name: plan["endpoints"][0] for name, plan in plans.items()}
    assert endpoints["local"]["url"] == "http://127.0.0.1:9901"
    assert (endpoints["docker"]["url"], endpoints["docker"]["container"]) == (
        "http://127.0.0.1:9901",
        "own-front-network-1",
    )
    assert endpoints["kubernetes"]["port"] == 9901
    assert plans["docker"]["admins"][0]["container"] == "own-front-network-1"


def test_published_admin_is_queried_on_the_host() -> None:
    text = ENVOY_YAML.replace("127.0.0.1, port_value: 9901", "0.0.0.0, port_value: 9901")
    plan = author_plan("docker", author_demo(text, admin={"publish": 19901}))
    assert plan["endpoints"][0]["url"] == "http://127.0.0.1:19901"
    assert "container" not in plan["endpoints"][0]
    [warning] = plan["warnings"]
    assert "line 1: the admin interface listens on 0.0.0.0:9901. It has no authentication" in warning


def test_socket_of_the_admin_is_on_the_host_or_relayed() -> None:
    docker, cluster = (author_plan(one, author_demo(SOCKET)) for one in ("docker", "kubernetes"))
    assert docker["endpoints"][0]["url"] == "unix:///state/front/run/admin.sock"
    assert {"source": "front/run", "target": "/run/envoy", "writable": True} in workload_of(docker, "front")[
        "mounts"
    ]
    assert author_plan("local", author_demo(SOCKET))["endpoints"][0]["url"] == "unix:///run/envoy/admin.sock"
    relay = workload_of(cluster, "front-admin")
    assert (relay["network"], cluster["endpoints"][0]["port"]) == ("front", 9901)
    assert "/run/envoy/admin.sock" in file_of(cluster, "front-admin/bootstrap.yaml")["content"]


@pytest.mark.parametrize("platform", ["local", *CONTAINERS])
def test_expectation_without_an_admin_names_the_remedy(platform: str) -> None:
    text = ENVOY_YAML.replace(ADMIN, "")
    assert author_plan(platform, author_demo(text))["endpoints"] == []
    with pytest.raises(
        DemoError, match=r"at: proxies.front.config of own.yml has no admin interface.* Add 'admin: "
    ):
        author_plan(platform, with_expectation(author_demo(text)))


def test_watched_files_are_live_where_envoy_notices_a_change() -> None:
    docker = author_plan("docker", author_demo(THREE))
    assert [(one["path"], one["live"]) for one in docker["files"] if "config" in one["path"]] == [
        ("front/config/watched.yaml", None),
        ("front/config/lds.yaml", "front"),
        ("front/config-1/cds.yaml", "front"),
    ]
    cluster = author_plan("kubernetes", author_demo(THREE))
    assert [file_of(cluster, f"front/config{path}")["live"] for path in ("/lds.yaml", "-1/cds.yaml")] == [
        "front",
        None,
    ]
    [warning] = cluster["warnings"]
    assert "watched.yaml line 4: Envoy does not notice a change of /var/lib/envoy/cds.yaml" in warning
    assert "'watched_directory: {path: /var/lib/envoy}'" in warning


def test_resources_of_watched_files_are_validated() -> None:
    [check] = [one for one in author_plan("docker", author_demo(THREE))["checks"] if one["name"] == "front"]
    candidate = check["files"][0]["content"]
    assert "lds_config" not in candidate
    assert "port_value: 10000" in candidate
    assert check["validated_files"] == [
        "front/config/watched.yaml",
        "front/config/lds.yaml",
        "front/config-1/cds.yaml",
    ]


def test_paths_on_a_host_are_below_the_working_directory() -> None:
    plan = author_plan("local", author_demo(THREE))
    text = file_of(plan, "front/config/watched.yaml")["content"]
    assert "{path: ./lds.yaml, " in text
    assert "{path: ../config-1/cds.yaml}" in text
    assert "address: 127.0.0.1, port_value: 20000" in file_of(plan, "front/config-1/cds.yaml")["content"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"cds.yaml": CDS, "watched.yaml": ADMIN}, "lds.yaml: no path in watched.yaml ends with 'lds.yaml'"),
        ({"watched.yaml": "a: [/etc/lds.yaml, /x/cds.yaml]"}, "watched.yaml: the path /etc/lds.yaml is directly in /etc,"),
    ],
)  # fmt: skip
def test_file_that_cannot_be_placed_is_refused(files: dict[str, str], message: str) -> None:
    with pytest.raises(DemoError) as error:
        author_plan("docker", author_demo(THREE), files)
    assert str(error.value).startswith(message)


def test_baked_file_is_not_mounted() -> None:
    config = {"source": "envoy.yaml", "in_image": "/opt/envoy/envoy.yaml"}
    plan = author_plan("docker", author_demo(config, envoy={"image": "mine:1"}))
    front = workload_of(plan, "front")
    assert (front["image"], front["command"][2], front["mounts"]) == ("mine:1", "/opt/envoy/envoy.yaml", [])
    assert workload_of(author_plan("local", author_demo(config)), "front")["command"][2].endswith(
        "envoy.yaml"
    )


@pytest.mark.parametrize("platform", ["local", "docker", "kubernetes"])
def test_envoy_of_the_demo_and_of_a_proxy(platform: str) -> None:
    data = {
        **author_demo(envoy={"image": "b@sha256:1"}),
        "envoy": {"image": "a:1", "executable": "/a", "version": "1.40.0"},
    }
    plan = author_plan(platform, data)
    front = workload_of(plan, "front")
    assert (front["image"], front["command"][0]) == (
        "b@sha256:1",
        "/a" if platform == "local" else "/usr/local/bin/envoy",
    )


def test_image_without_an_executable_is_validated_by_the_rollout() -> None:
    data = author_demo(envoy={"image": "envoy-contrib:1"})
    assert author_plan("kubernetes", data)["checks"] == []
    data["proxies"]["front"]["envoy"]["executable"] = "/bin/contrib"
    [check] = author_plan("kubernetes", data)["checks"]
    assert check["command"][0] == "/bin/contrib"


def test_pods_of_each_cluster_are_awaited() -> None:
    [admin] = author_plan("kubernetes", author_demo())["admins"]
    assert {name: one["hosts"] for name, one in admin["members"].items()} == {"web": 2}


@pytest.mark.parametrize(
    ("services", "old", "new", "message"),
    [
        ({"web": {}}, "web,", "web-1,", "'web-1': pods have no names of their own on kubernetes. Use 'web'."),
        ({"my_web": {}}, "web,", "my_web,", "'my_web': the name of a Service has no '_', and is 'my-web'. Rename 'my_web' to 'my-web'."),
    ],
)  # fmt: skip
def test_name_that_no_service_can_have_is_refused(services: Any, old: str, new: str, message: str) -> None:
    data = {**author_demo(ENVOY_YAML.replace(f"address: {old}", f"address: {new}")), "services": services}
    with pytest.raises(DemoError, match=message):
        author_plan("kubernetes", data)


def test_other_published_port_is_refused_on_a_host() -> None:
    with pytest.raises(DemoError, match="on platform local, Envoy itself listens on port 10000"):
        author_plan("local", author_demo(publish={"Ingress.http": 31480}))


def test_secret_in_the_file_reaches_no_config_map() -> None:
    secret = f"{ADMIN}static_resources: {{secrets: [{{name: a, generic_secret: {{secret: {{inline_string: hunter2}}}}}}]}}\n"
    plan = author_plan("kubernetes", author_demo(secret))
    assert file_of(plan, "front/config/envoy.yaml")["sensitive"]
    assert not any("hunter2" in str(one) for one in plan["manifests"])


def test_names_in_a_shared_network_are_reported() -> None:
    [warning] = author_plan("docker", author_demo(), network="shared")["warnings"]
    assert warning.startswith("Docker's network 'shared' can have other containers with the names web, front")
    assert author_plan("docker", author_demo())["warnings"] == []


@pytest.mark.parametrize("platform", ["local", *CONTAINERS])
def test_access_log_is_written_early(platform: str) -> None:
    command = workload_of(author_plan(platform, author_demo()), "front")["command"]
    values = {name: command[command.index(name) + 1] for name in command if name.startswith("--file-flush-")}
    # Envoy 1.36 does not know --file-flush-min-size-kb.
    assert values == {"--file-flush-interval-msec": "500"}
