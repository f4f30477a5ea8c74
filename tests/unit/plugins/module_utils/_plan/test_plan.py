# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan asks for, what it refuses, and when a workload is restarted."""

from __future__ import annotations

import copy
import datetime as dt
import json
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._common.yaml_text import plain, to_yaml
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.versions import UnsupportedVersion
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.context import read_context
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.generated_files import (
    File,
    digest,
    titled,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.registry import PLANNERS

Planner = Callable[..., dict[str, Any]]
SHOP: dict[str, Any] = {
    "summary": "A shop",
    "ports": 20000,
    "services": {"web": {"app": {}, "publish": 18081, "sidecar": {}, "replicas": 2}},
    "proxies": {
        "edge": {
            "listeners": {
                "http": {"port": 8080, "publish": 18080, "routes": []},
                "https": {"port": 8443, "publish": 18443, "tls": {}, "routes": []},
                "tcp": {"port": 7000, "publish": 17000, "filters": []},
                "inner": {"port": 8082, "routes": []},
            },
            "clusters": {"web": {"to": "web"}},
        }
    },
    "statsd_exporter": {"publish": 19102},
    "traffic": [{"name": "hello", "to": "edge"}],
}


def shop(**keys: Any) -> dict[str, Any]:
    return {**copy.deepcopy(SHOP), **keys}


def shop_alone() -> dict[str, Any]:
    """Without an exporter, which in pods asks for another style or place."""
    return {key: one for key, one in shop().items() if key != "statsd_exporter"}


def put(path: str, value: Any) -> dict[str, Any]:
    data = shop()
    *parents, last = path.split(".")
    place: Any = data
    for key in parents:
        place = place[key]
    place[last] = value
    return data


def told(plan: Planner, data: Any, platform: str = "local", **context: Any) -> str:
    with pytest.raises(DemoError) as caught:
        plan(data, platform, **context)
    return str(caught.value)


# When a workload is restarted


def digests(plan: dict[str, Any]) -> dict[str, str]:
    return {workload["name"]: workload["digest"] for workload in plan["workloads"]}


LISTENER = "proxies.edge.listeners.http"


@pytest.mark.parametrize(
    ("changed", "restarted"),
    [
        pytest.param(put(f"{LISTENER}.routes", [{"match": {"prefix": "/x"}}]), set(), id="routes go live"),
        pytest.param(put(f"{LISTENER}.port", 8088), set(), id="a listener goes live"),
        pytest.param(put("proxies.edge.clusters.web.cluster", {"lb_policy": "RANDOM"}), set(), id="a cluster goes live"),
        pytest.param(put("services.web.replicas", 1), set(), id="replicas go live"),
        pytest.param(put("summary", "Another"), set(), id="words"),
        pytest.param(put("proxies.edge.bootstrap", {"stats_flush_on_admin": True}), {"edge"}, id="bootstrap"),
        pytest.param(put("proxies.edge.stats_config", {"use_all_default_tags": False}), {"edge"}, id="stats_config"),
        pytest.param(put("proxies.edge.statsd", {"address": "10.0.0.1"}), {"edge"}, id="sink"),
        pytest.param(put("services.web.sidecar.stats_config", {"x": 1}), {"web-1-envoy", "web-2-envoy"}, id="each replica"),
        pytest.param(put("statsd_exporter.mapping", {"mappings": [{}]}), {"statsd_exporter"}, id="mapping"),
    ],
)  # fmt: skip
def test_a_digest_changes_exactly_when_a_file_that_is_read_at_start_does(
    plan: Planner, changed: dict[str, Any], restarted: set[str]
) -> None:
    before, after = digests(plan(shop())), digests(plan(changed))
    assert before["edge"]
    assert {name for name in before.keys() & after.keys() if before[name] != after[name]} == restarted


def test_another_app_restarts_apps_and_nothing_else(plan: Planner) -> None:
    before, after = digests(plan(shop())), digests(plan(shop(), app="print('other')"))
    assert {name for name in before if before[name] != after[name]} == {"web-1", "web-2"}


def test_a_first_certificate_restarts_its_proxy(plan: Planner) -> None:
    data = shop()
    del data["proxies"]["edge"]["listeners"]["https"]["tls"]
    without, certified = plan(data), plan(shop())
    assert without["certificates"] == []
    assert digests(without)["edge"] != digests(certified)["edge"]
    assert digests(without)["web-1-envoy"] == digests(certified)["web-1-envoy"]
    names = {file["path"] for file in certified["files"]} - {file["path"] for file in without["files"]}
    assert names == {"edge/secrets/tls_certificate.yaml", "edge/secrets/validation_context.yaml"}


def test_a_digest_tells_files_apart() -> None:
    assert digest([File("a", "b")]) != digest([File("ab", "")])
    assert digest([File("a", "b")]) != digest([File("a", "b"), File("c", "")])
    assert digest([File("a", "b")]) == digest([File("a", "b", mode="0600", live="x")])


# Certificates


def test_certificates_are_for_the_names_by_which_a_proxy_is_reached(plan: Planner) -> None:
    data = put("services.web.sidecar", {"listeners": {"in": {"port": 9443, "tls": {}}}})
    del data["statsd_exporter"]
    found = {one["path"]: one for one in plan(data, "docker", bind="192.0.2.1")["certificates"]}
    assert set(found) == {"edge/certs", "web-1/certs", "web-2/certs"}
    assert found["web-1/certs"]["names"] == ["web", "web-1", "localhost"]
    assert found["edge/certs"]["names"] == ["edge", "localhost"]
    assert found["edge/certs"]["addresses"] == ["127.0.0.1", "192.0.2.1"]


# Where to look, and what to send


def test_endpoints_are_admin_sockets_and_the_exporters_page(plan: Planner) -> None:
    made = plan(shop())
    assert {one["name"]: one["url"] for one in made["endpoints"]} == {
        "web-1": "unix:///state/web-1/run/admin.sock",
        "web-2": "unix:///state/web-2/run/admin.sock",
        "edge": "unix:///state/edge/run/admin.sock",
        "statsd_exporter": "http://127.0.0.1:19102/metrics",
    }
    assert [one["proxy"] for one in made["admins"]] == ["web-1", "web-2", "edge"]


def test_addresses_are_what_people_would_open(plan: Planner) -> None:
    found = [(one["name"], one["url"]) for one in plan(shop())["addresses"]]
    admin = dict(found)["edge/admin"]
    assert [one for one in found if one[0] != "edge/admin"] == [
        ("edge/http", "http://127.0.0.1:18080"),
        ("edge/https", "https://127.0.0.1:18443"),
        ("edge/tcp", "tcp://127.0.0.1:17000"),
        ("web/app", "http://127.0.0.1:18081"),
        ("statsd_exporter", "http://127.0.0.1:19102/metrics"),
    ]
    assert admin.endswith("/stats")


def test_a_static_cluster_is_in_the_bootstrap_and_nowhere_else(plan: Planner) -> None:
    data = put("proxies.edge.clusters.control", {"to": "web", "static": True})
    del data["statsd_exporter"]
    for platform in ("local", "docker", "kubernetes"):
        made = plan(data, platform)
        files = {
            one["path"]: yaml.safe_load(one["content"]) for one in made["files"] if one["path"][:5] == "edge/"
        }
        static = {one["name"]: one for one in files["edge/bootstrap.yaml"]["static_resources"]["clusters"]}
        assert "control" in static
        assert "@type" not in static["control"]
        assert "control" not in [one["name"] for one in files["edge/clusters.yaml"]["resources"]]
        (check,) = (one for one in made["checks"] if one["name"] == "edge")
        candidate = yaml.safe_load(check["files"][0]["content"])["static_resources"]["clusters"]
        assert [one["name"] for one in candidate].count("control") == 1


def test_traffic_goes_to_the_read_only_admin_on_each_runtime(plan: Planner) -> None:
    data = shop(traffic=[{"to": "edge/admin", "path": "/stats"}])
    del data["statsd_exporter"]
    for platform, start in (
        ("local", "http://127.0.0.1:20"),
        ("docker", "http://127.0.0.1:20"),
        ("kubernetes", "http://shop-edge:9902"),
    ):
        (sent,) = plan(data, platform)["traffic"]
        assert sent["url"].startswith(start)
        assert sent["url"].endswith("/stats")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"to": "edge"}, {"url": "http://127.0.0.1:18080/", "name": "edge", "timeout": 60}),
        ({"to": "edge", "timeout": 2}, {"timeout": 2}),
        ({"to": "edge/http", "path": "/x?y=1"}, {"url": "http://127.0.0.1:18080/x?y=1"}),
        ({"to": "edge/tcp"}, {"url": "tcp://127.0.0.1:17000"}),
        ({"to": "web/app", "name": "n"}, {"url": "http://127.0.0.1:18081/", "name": "n"}),
        (
            {"to": "edge/https"},
            {"url": "https://127.0.0.1:18443/", "ca": "/state/ca/ca.crt", "server_name": "edge"},
        ),
        ({"to": "edge/https", "server_name": "other"}, {"server_name": "other"}),
        (
            {"to": "edge", "expect": [{"hosts": "spread", "among": "web", "op": "le", "value": 1}]},
            {"expect": [{"hosts": "spread", "among": ["web-1", "web-2"], "op": "le", "value": 1}]},
        ),
        (
            {"to": "edge", "expect": [{"hosts": "count", "op": "eq", "value": {"replicas": "web"}}]},
            {"expect": [{"hosts": "count", "op": "eq", "value": 2}]},
        ),
    ],
)  # fmt: skip
def test_traffic(plan: Planner, entry: dict[str, Any], expected: dict[str, Any]) -> None:
    (found,) = plan(shop(traffic=[entry]))["traffic"]
    assert {key: found[key] for key in expected} == expected
    assert not {"to", "path"} & found.keys()


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({}, "traffic[0]: 'to' is missing. Name a service or proxy, such as 'to: edge'."),
        ({"tto": "edge"}, "traffic[0]: unknown key 'tto'. Did you mean 'to'?"),
        ({"to": "edge", "url": "http://x/"}, "traffic[0].url: the planner computes it. Use 'to' with a service or proxy."),
        ({"to": "egde"}, "traffic[0].to: unknown service or proxy 'egde'. Did you mean 'edge'?"),
        ({"to": "edge/htp"}, "traffic[0].to: unknown listener of 'edge' 'htp'. Did you mean 'http'?"),
        ({"to": "edge/inner"}, "traffic[0].to: listener 'inner' of 'edge' is not published. Add 'publish:' with a port."),
        ({"to": "edge/tcp", "path": "/"}, "traffic[0].path: applies to HTTP, but 'edge/tcp' speaks tcp."),
        ({"to": "edge", "request": 5}, "traffic[0]: unknown key 'request'. Did you mean 'requests'?"),
        ({"to": "edge", "requests": "many"}, "traffic[0].requests"),
        ({"to": "edge", "expect": ["x"]}, "traffic[0].expect[0]"),
        ({"to": "edge", "expect": "x"}, "traffic[0].expect: expected a list"),
        ({"to": "edge", "expect": [{"staus": "200", "op": "eq", "value": 1}]}, "traffic[0].expect[0]: unknown key 'staus'"),
        (
            {"to": "edge", "expect": [{"hosts": "spread", "among": "wbe", "op": "le", "value": 1}]},
            "traffic[0].expect[0].among: unknown service 'wbe'. Did you mean 'web'?",
        ),
        (
            {"to": "edge", "expect": [{"hosts": "count", "op": "eq", "value": {"replicas": "wbe"}}]},
            "traffic[0].expect[0].value.replicas: unknown service 'wbe'. Did you mean 'web'?",
        ),
    ],
)  # fmt: skip
def test_traffic_that_cannot_be_sent(plan: Planner, entry: dict[str, Any], sentence: str) -> None:
    assert told(plan, shop(traffic=[entry])).startswith(f"shop.yml: {sentence}")


def test_traffic_during_a_change_is_told_by_its_own_key(plan: Planner) -> None:
    changes = {"more": {"summary": "More", "during": [{"to": "edge", "rate": "x"}]}}
    assert told(plan, shop(changes=changes), change="more").startswith(
        "shop.yml with change 'more': changes.more.during[0].rate"
    )
    changes["more"]["during"] = [{"to": "edge", "rate": 5, "duration": 1}]
    made = plan(shop(changes=changes), change="more")
    assert made["during"][0]["url"] == "http://127.0.0.1:18080/"
    assert made["summary"] == "More"
    assert plan(shop(changes=changes))["during"] == []


@pytest.mark.parametrize(
    ("at", "endpoints"),
    [
        ("edge", ["edge"]),
        ("web", ["web-1", "web-2"]),
        ("web-2", ["web-2"]),
        ("web-*", ["web-1", "web-2"]),
        (["edge", "web", "web-1"], ["edge", "web-1", "web-2"]),
    ],
)
def test_expectations_ask_endpoints(plan: Planner, at: Any, endpoints: list[str]) -> None:
    (found,) = plan(shop(expectations=[{"at": at, "stat": "s", "op": "eq", "value": {"replicas": "web"}}]))[
        "assertions"
    ]
    assert found == {"endpoint": endpoints, "stat": "s", "op": "eq", "value": 2}


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"at": "egde", "stat": "s"}, "expectations[0].at: unknown service or endpoint 'egde'. Did you mean 'edge'?"),
        ({"on": "edge", "stat": "s"}, "expectations[0]: unknown key 'on'. Use one of: "),
        ({"at": "edge", "stats": "s"}, "expectations[0]: unknown key 'stats'. Did you mean 'stat'?"),
        ({"at": "edge", "op": "eq", "value": 1}, "expectations[0] needs either stat, a whole name, or match"),
        ({"at": "edge", "stat": "s", "op": "equals", "value": 1}, "expectations[0].op"),
        ({"at": "edge", "stat": "s", "op": "eq"}, "expectations[0].value is missing"),
        ({"at": "edge", "match": "[", "op": "eq", "value": 1}, "expectations[0].match"),
        (
            {"at": "edge", "stat": "s", "op": "eq", "value": {"traffic": "bye"}},
            "expectations[0].value.traffic: ",
        ),
        (
            {"at": "edge", "stat": "s", "op": "eq", "value": {"replicas": "edge"}},
            "expectations[0].value.replicas: unknown service 'edge'. Use one of: web.",
        ),
    ],
)  # fmt: skip
def test_expectations_that_cannot_be_meant(plan: Planner, entry: dict[str, Any], sentence: str) -> None:
    assert told(plan, shop(expectations=[entry])).startswith(f"shop.yml: {sentence}")


def test_an_expectation_of_a_service_without_an_envoy(plan: Planner) -> None:
    data = put("services.web.sidecar", None)
    del data["services"]["web"]["sidecar"]
    data["expectations"] = [{"at": "web", "stat": "s", "op": "eq", "value": 1}]
    assert (
        told(plan, data)
        == "shop.yml: expectations[0].at: 'web' has no Envoy. Add a sidecar, or name another endpoint."
    )


def test_an_expectation_may_refer_to_traffic(plan: Planner) -> None:
    value = {"traffic": "hello", "status": "200"}
    entry = {"at": "edge", "stat": "s", "op": "eq", "value": value}
    assert plan(shop(expectations=[entry]))["assertions"][0]["value"] == value


# The context


@pytest.mark.parametrize("version", ["1.35.9", "1.41.0", "latest"])
def test_an_unsupported_envoy(plan: Planner, version: str) -> None:
    with pytest.raises(UnsupportedVersion, match=rf"^Envoy {version} is not supported. Use one of 1\.36"):
        plan(shop(), envoy={"version": version, "image": "e", "executable": "e"})


def test_an_unsupported_envoy_matters_only_where_one_runs(plan: Planner) -> None:
    data = {"summary": "s", "ports": 20000, "services": {"web": {}}}
    assert plan(data, envoy={"version": "1.0.0"})["programs"] == ["demo_app"]


def test_programs_are_what_has_to_be_provided(plan: Planner) -> None:
    assert plan(shop())["programs"] == ["envoy", "demo_app", "statsd_exporter"]
    assert plan({"summary": "s", "ports": 20000, "statsd_exporter": {}})["programs"] == ["statsd_exporter"]


@pytest.mark.parametrize(
    ("context", "sentence"),
    [
        ({"platforms": "local"}, "context: unknown key 'platforms'. Did you mean 'platform'?"),
        (
            {"platform": "podman"},
            "context: platform: unknown platform 'podman'. Use one of: docker, kubernetes, local, openshift.",
        ),
        ({"platform": None}, "context: platform: missing. Add the key."),
        ({"folder": ""}, "context: folder: missing. Add the key."),
        (
            {"envoy": {"path": "x"}},
            "context.envoy: unknown key 'path'. Use one of: executable, image, version.",
        ),
        ({"python": {"imgae": "x"}}, "context.python: unknown key 'imgae'. Did you mean 'image'?"),
        ({"envoy": "envoy"}, "context.envoy: expected a mapping, got 'envoy'."),
        ({"replicas": 3}, "context.replicas: expected a mapping, got '3'."),
        (
            {"bind": "localhost"},
            "context.bind: expected an IP address, such as 127.0.0.1 or 0.0.0.0, got 'localhost'.",
        ),
        ({"bind": 1}, "context.bind: expected text, got '1'."),
        ({"change": ["x"]}, "context.change: expected text, got '['x']'."),
    ],
)
def test_a_context_that_cannot_be(context: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DemoError) as caught:
        read_context({"platform": "local", "folder": "/state", **context}, PLANNERS)
    assert str(caught.value) == sentence


def test_what_a_context_leaves_out_has_its_default() -> None:
    context = read_context(
        {"platform": "docker", "folder": "/s", "bind": None, "envoy": {"version": None}}, PLANNERS
    )
    assert (context.bind, context.envoy.version) == ("127.0.0.1", "")


def test_replicas_and_changes_come_from_the_context(plan: Planner) -> None:
    assert len(plan(shop(), replicas={"web": "5"})["workloads"]) == len(plan(shop())["workloads"]) + 6
    assert told(plan, shop(), change="x") == "shop.yml: changes: unknown change 'x'. Use one of: none."


# Text from data


@pytest.mark.parametrize(
    "text", ["y", "n", "Y", "N", "yes", "off", "null", "~", "1", "0x1", "1.0", "", "a: b", "- a"]
)
def test_text_stays_text_in_yaml(text: str) -> None:
    assert to_yaml({"a": text}).strip() in (f"a: '{text}'", f'a: "{text}"')
    assert yaml.safe_load(to_yaml({text: [text]})) == {text: [text]}


def test_yaml_is_as_people_write_it() -> None:
    routes = [{"a": 1}]
    text = titled("what it is", {"b": routes, "a": routes})
    assert text.startswith("# what it is\n# Generated by meshlab.envoy")
    assert "&" not in text
    assert list(yaml.safe_load(text)) == ["b", "a"]


def test_plain_knows_json_and_nothing_else() -> None:
    assert plain({1: (True, 1, 1.5, None, dt.date(2026, 1, 2))}) == {"1": [True, 1, 1.5, None, "2026-01-02"]}


@pytest.mark.parametrize("platform", ["kubernetes", "openshift"])
def test_what_is_done_by_hand_has_routes_believe_the_authority(
    plan: Planner, platform: str, tmp_path: Path
) -> None:
    """What people type is given to a shell that has a stand-in for kubectl and oc, which says what it was given."""
    demo = {key: one for key, one in shop().items() if key != "statsd_exporter"}
    again = plan(demo, platform, kubernetes={"routes": True, "termination": "reencrypt"})
    (tmp_path / "edge/certs").mkdir(parents=True)
    authority = "-----BEGIN CERTIFICATE-----\nMIIB/+=\n-----END CERTIFICATE-----\n"
    (tmp_path / "edge/certs/ca.crt").write_text(authority)
    last = again["commands"][-1]
    stand_in = 'oc() { printf "%s\\0" "$@" >> said; }; kubectl() { oc "$@"; }; '
    subprocess.run(["/bin/sh", "-c", stand_in + last], cwd=tmp_path, check=True)
    said = (tmp_path / "said").read_text().split("\0")
    if platform == "kubernetes":
        assert said[:-2] == ["patch", "route", "shop-edge-https", "--type", "merge", "--patch"]
        assert json.loads(said[-2]) == {"spec": {"tls": {"destinationCACertificate": authority}}}
    else:
        assert f"CA_CERTIFICATE={authority.rstrip()}" in said
    # The one who asks for no such Route is not told of it.
    usual = plan(demo, platform, kubernetes={"routes": True})
    assert not any("ca.crt" in one for one in usual["commands"])


@pytest.mark.parametrize(
    ("cluster", "flags"),
    [
        ({}, ""),
        ({"context": "", "namespace": "demos"}, " --namespace demos"),
        ({"context": "a lab", "namespace": "demos"}, " --context 'a lab' --namespace demos"),
    ],
)
def test_what_is_done_by_hand_is_done_where_the_demo_belongs(
    plan: Planner, cluster: dict[str, str], flags: str
) -> None:
    for platform, tool in (("kubernetes", "kubectl"), ("openshift", "oc")):
        made = plan(shop_alone(), platform, cluster=cluster)
        assert made["commands"], platform
        for command in made["commands"]:
            assert command.startswith(f"{tool}{flags} "), command
        [first, *_others] = made["addresses"]
        assert f"after: kubectl{flags} port-forward service/shop-edge" in first["what"]
    project = "demos" if cluster else "$(oc project -q)"
    last = made["commands"][-1]
    assert last == f"oc{flags} process -f template.yaml -p NAMESPACE={project} | oc{flags} create -f -"


def test_a_plan_knows_no_more_of_a_cluster_than_where_it_is(plan: Planner) -> None:
    with pytest.raises(DemoError, match=r"^context.cluster: unknown key 'api_key'"):
        plan(shop_alone(), "kubernetes", cluster={"api_key": "secret"})


def test_an_envoy_in_a_pod_is_told_to_send_its_clients_away(plan: Planner) -> None:
    """By a shell that has nothing but itself, and that does not stumble where nobody listens."""
    made = plan(shop_alone(), "kubernetes")["workloads"]
    drains = {one["name"]: one["drain"] for one in made if one["image"] == "envoy:1"}
    assert len(drains) == 2
    assert len(set(drains.values())) == 1
    with socket.create_server(("127.0.0.1", 0)) as listener:
        script = f"PATH=; {drains['edge']}; echo went on".replace("/9901", f"/{listener.getsockname()[1]}")
        with subprocess.Popen(["bash", "-c", script], stdout=subprocess.PIPE) as running:
            connection, _address = listener.accept()
            with connection, connection.makefile("r", newline="\r\n") as request:
                line, *headers = iter(request.readline, "\r\n")
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            assert running.communicate(timeout=10)[0] == b"went on\n"
    assert line == "POST /drain_listeners?graceful&skip_exit HTTP/1.1\r\n"
    assert "Content-Length: 0\r\n" in headers
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=10, check=False)
    assert (ran.returncode, ran.stdout) == (0, "went on\n")


@pytest.mark.parametrize("image", ["envoyproxy/envoy:distroless-v1.40.0", "envoy:1"])
def test_an_image_without_a_shell_only_waits(plan: Planner, image: str) -> None:
    envoy = {"version": "1.40.0", "image": image, "executable": "envoy"}
    made = plan(shop_alone(), "kubernetes", envoy=envoy)
    [edge] = [
        one["spec"]["template"]["spec"]["containers"][0]
        for one in made["manifests"]
        if (one["kind"], one["metadata"]["name"]) == ("Deployment", "shop-edge")
    ]
    handler = "sleep" if "distroless" in image else "exec"
    assert [*edge["lifecycle"]["preStop"]] == [handler]
    assert not any(one["drain"] for one in plan(shop_alone(), "docker")["workloads"])


@pytest.mark.parametrize("name", ["app", "files", "shop", "ca"])
def test_another_bootstrap_restarts_the_pods_of_a_service_of_any_name(plan: Planner, name: str) -> None:
    """Some names are those of folders that others read, too."""

    def template(stats: dict[str, Any]) -> Any:
        other = {"command": ["web", "${port}"], "image": "web:1", "files": {"a.conf": "a"}}
        services = {
            name: {"app": {}, "sidecar": {"stats_config": stats}},
            "other": {"app": {}},
            "server": {"server": other, "port": 8080},
        }
        made = plan({"summary": "s", "ports": 20000, "services": services}, "kubernetes")["manifests"]
        found = {one["metadata"]["name"]: one for one in made if one["kind"] == "Deployment"}
        return found[f"shop-{name}"]["spec"]["template"]

    assert template({}) != template({"stats_matcher": {"reject_all": True}})
