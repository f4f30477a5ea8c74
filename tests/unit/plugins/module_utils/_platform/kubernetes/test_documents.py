# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workloads → the objects of a namespace, and OpenShift's Template of them."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from typing import Any

import pytest
import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._common.yaml_text import to_yaml
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.documents import manifests
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.cluster_settings import (
    ClusterSettings,
    SettingsError,
    read_settings,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.pod_template import (
    LINGER,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.openshift.layout import (
    OpenShiftPlatform,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.openshift.template import template
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    Mount,
    Port,
    Probe,
    Workload,
    WorkloadError,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.verification_run import (
    NAME_RESOLUTION_TIMEOUT,
)

ENVOY = Workload(
    name="web_1-envoy",
    command=("envoy", "--service-node", "$(POD_NAME)"),
    image="envoy:1",
    directory="/etc/envoy",
    mounts=(Mount("web_1", "/etc/envoy/web_1"),),
    ports=(
        Port(10000, name="ingress", scheme="http", peers=("edge",)),
        Port(8443, 8443, name="tls_in", scheme="https"),
        Port(9902, name="admin", scheme="http", metrics=True),
    ),
    probe=Probe("http", port=9902, path="/ready"),
    digest="abc",
    group="web_1",
    replicas=3,
    container="envoy",
    sidecar=True,
)
APP = Workload(
    name="web_1",
    command=("python3", "app.py"),
    image="python:3",
    network="web_1-envoy",
    ports=(Port(8080, name="app", scheme="http"),),
    probe=Probe("http", port=8080, path="/healthz", private=True, command=("ask",)),
    group="web_1",
    replicas=3,
    container="app",
)
FILES = {"web_1/bootstrap.yaml": "b", "web_1/secrets/tls_certificate.yaml": "i", "other/file": "o"}
OPENSHIFT_DEFAULTS = OpenShiftPlatform.default_settings
OPENSHIFT = read_settings({"domain": "apps.example.com"}, OPENSHIFT_DEFAULTS)


def objects(
    *workloads: Workload, settings: ClusterSettings | None = None, certificates: list[str] | None = None
) -> dict[str, dict[str, Any]]:
    """The objects by `Kind/name`."""
    made = manifests(
        "my_demo", workloads or (ENVOY, APP), FILES, certificates or [], settings or ClusterSettings()
    )
    json.dumps(made)
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in made}


def pod(made: dict[str, dict[str, Any]], name: str = "my-demo-web-1") -> dict[str, Any]:
    found: dict[str, Any] = made[f"Deployment/{name}"]["spec"]["template"]["spec"]
    return found


def test_a_service_and_its_sidecar_are_one_pod() -> None:
    made = objects()
    spec = pod(made)
    assert [one["name"] for one in spec["containers"]] == ["app"]
    (sidecar,) = spec["initContainers"]
    assert (sidecar["name"], sidecar["restartPolicy"]) == ("envoy", "Always")
    assert made["Deployment/my-demo-web-1"]["spec"]["replicas"] == 3


def test_what_pod_security_restricted_asks_for_is_there() -> None:
    spec = pod(objects())
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "fsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert spec["automountServiceAccountToken"] is False
    for container in (*spec["containers"], *spec["initContainers"]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
        assert container["resources"]["requests"]
        assert container["name"]


def test_pods_are_spread_over_nodes_where_there_are_several() -> None:
    [spread] = pod(objects())["topologySpreadConstraints"]
    # Where there is one node, all of them are on it.
    assert (spread["topologyKey"], spread["maxSkew"]) == ("kubernetes.io/hostname", 1)
    assert spread["whenUnsatisfiable"] == "ScheduleAnyway"
    selected = spread["labelSelector"]["matchLabels"]
    assert selected == {"meshlab.envoy/demo": "my_demo", "app.kubernetes.io/name": "web-1"}
    labels = objects()["Deployment/my-demo-web-1"]["spec"]["template"]["metadata"]["labels"]
    assert selected.items() <= labels.items()


@pytest.mark.parametrize(
    ("own", "limits"),
    [
        ({"cpus": 1.0, "memory_mb": 256}, {"cpu": "1", "memory": "256Mi"}),
        ({"cpus": 0.5, "memory_mb": None}, {"cpu": "0.5"}),
        ({"cpus": None, "memory_mb": 64}, {"memory": "64Mi"}),
        ({"cpus": None, "memory_mb": None}, None),
    ],
)
def test_a_container_gets_no_more_than_its_workload_says(own: dict[str, Any], limits: Any) -> None:
    (app,) = pod(objects(ENVOY, replace(APP, **own)))["containers"]
    assert app["resources"].get("limits") == limits


def test_a_pod_serves_on_until_nobody_asks_it_and_then_has_its_time_to_stop() -> None:
    spec = pod(objects(replace(ENVOY, stop_seconds=7), replace(APP, stop_seconds=12)))
    for one in (*spec["containers"], *spec["initContainers"]):
        assert one["lifecycle"] == {"preStop": {"sleep": {"seconds": LINGER}}}
    # The kubelet counts the wait as a part of it; and what takes longest has to be done.
    assert spec["terminationGracePeriodSeconds"] == LINGER + 12


def test_a_pod_serves_for_longer_than_anybody_believes_an_old_answer() -> None:
    """CoreDNS as AKS and Kubernetes itself install it, and NodeLocal DNSCache, keep one for 30 s; Envoys ask every second."""
    assert LINGER > 30 + 1
    assert NAME_RESOLUTION_TIMEOUT > 30 + 1


def test_clients_are_sent_away_before_a_pod_waits_and_it_waits_whatever_comes_of_that() -> None:
    spec = pod(objects(replace(ENVOY, drain="no-such-program"), APP))
    assert spec["containers"][0]["lifecycle"] == {"preStop": {"sleep": {"seconds": LINGER}}}
    command = spec["initContainers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    assert command[-1].endswith(f"; sleep {LINGER}")
    ran = subprocess.run(
        [*command[:-1], command[-1].replace(f"sleep {LINGER}", "echo waited")],
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (0, b"waited\n")


def test_openshift_chooses_the_user() -> None:
    context = pod(objects(settings=OPENSHIFT))["securityContext"]
    assert "runAsUser" not in context
    assert "fsGroup" not in context
    assert context["runAsNonRoot"]


def test_a_port_on_the_containers_loopback_is_asked_inside() -> None:
    (app,) = pod(objects())["containers"]
    assert app["readinessProbe"]["exec"] == {"command": ["ask"]}
    (envoy,) = pod(objects())["initContainers"]
    assert envoy["readinessProbe"]["httpGet"] == {"path": "/ready", "port": 9902}


def test_a_slow_start_is_waited_for() -> None:
    """A deploy has its own timeout: a program that is killed after a minute never starts, whatever that says."""
    for one in (*pod(objects())["initContainers"], *pod(objects())["containers"]):
        probe = one["startupProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] >= 600


def test_files_and_certificates_are_one_folder() -> None:
    made = objects(certificates=["web_1/certs"])
    config = made["ConfigMap/my-demo-web-1-abc"]
    assert config["data"] == {"bootstrap.yaml": "b", "secrets__tls_certificate.yaml": "i"}
    assert config["metadata"]["annotations"] == {"meshlab.envoy/folder": "web_1"}
    assert "data" not in made["Secret/my-demo-web-1-certs"]
    volume = next(one for one in pod(made)["volumes"] if one["name"] == "web-1")
    from_files, from_keys = volume["projected"]["sources"]
    assert {one["path"] for one in from_files["configMap"]["items"]} == {
        "bootstrap.yaml",
        "secrets/tls_certificate.yaml",
    }
    assert {(one["path"], one["mode"]) for one in from_keys["secret"]["items"]} == {
        ("certs/tls.crt", 0o440),
        ("certs/tls.key", 0o440),
        ("certs/ca.crt", 0o440),
    }


def test_what_is_read_at_start_only_names_the_config_map() -> None:
    """Pods of before keep what they started with; so a rollout that fails leaves them as they were."""
    before, after = objects(), objects(replace(ENVOY, digest="def"), APP)
    assert "ConfigMap/my-demo-web-1-abc" in before
    assert "ConfigMap/my-demo-web-1-def" in after
    assert pod(before) != pod(after)


def test_another_number_of_replicas_restarts_no_pod() -> None:
    one = objects(replace(ENVOY, replicas=1), replace(APP, replicas=1))
    assert pod(one) == pod(objects())
    assert "PodDisruptionBudget/my-demo-web-1" in objects()
    assert "PodDisruptionBudget/my-demo-web-1" not in one


def test_envoys_find_pods_and_people_a_service() -> None:
    made = objects(settings=ClusterSettings(service_type="NodePort"))
    headless, public = made["Service/my-demo-web-1-pods"]["spec"], made["Service/my-demo-web-1"]["spec"]
    assert headless["clusterIP"] == "None"
    assert [one["port"] for one in headless["ports"]] == [10000]
    assert public["type"] == "NodePort"
    assert [(one["name"], one["port"], one["targetPort"]) for one in public["ports"]] == [
        ("tls-in", 8443, 8443)
    ]
    assert headless["selector"] == public["selector"] == {
        "meshlab.envoy/demo": "my_demo",
        "app.kubernetes.io/name": "web-1",
    }  # fmt: skip


def test_nobody_but_prometheus_and_who_calls_gets_in() -> None:
    rules = objects()["NetworkPolicy/my-demo-web-1"]["spec"]["ingress"]
    assert rules == [
        {"ports": [{"port": 8443, "protocol": "TCP"}]},
        {
            "from": [
                {
                    "podSelector": {
                        "matchLabels": {"meshlab.envoy/demo": "my_demo", "app.kubernetes.io/name": "edge"}
                    }
                }
            ],
            "ports": [{"port": 10000, "protocol": "TCP"}],
        },
        {
            "from": [
                {
                    "namespaceSelector": {},
                    "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}},
                }
            ],
            "ports": [{"port": 9902, "protocol": "TCP"}],
        },
    ]


def test_a_group_in_the_pods_of_another_is_found_there() -> None:
    exporter = Workload(
        name="statsd_exporter",
        command=("statsd_exporter",),
        image="exporter:1",
        network="web_1-envoy",
        ports=(Port(9102, 9102, name="http", scheme="http"),),
        group="statsd_exporter",
        container="statsd-exporter",
        sidecar=True,
    )
    made = objects(ENVOY, APP, exporter)
    assert [one["name"] for one in pod(made)["initContainers"]] == ["envoy", "statsd-exporter"]
    service = made["Service/my-demo-statsd-exporter"]["spec"]
    assert service["selector"]["app.kubernetes.io/name"] == "web-1"


@pytest.mark.parametrize(
    ("termination", "tls"),
    [
        ("passthrough", {"termination": "passthrough", "insecureEdgeTerminationPolicy": "Redirect"}),
        ("reencrypt", {"termination": "reencrypt", "insecureEdgeTerminationPolicy": "Redirect"}),
    ],
)
def test_a_route_to_tls(termination: str, tls: dict[str, str]) -> None:
    settings = read_settings({"domain": "apps.example.com", "termination": termination}, OPENSHIFT_DEFAULTS)
    route = objects(settings=settings)["Route/my-demo-web-1-tls-in"]
    assert route["spec"]["tls"] == tls
    assert route["spec"]["host"] == "my-demo-web-1-tls-in.apps.example.com"
    assert ("annotations" in route["metadata"]) == (termination == "reencrypt")


def test_a_route_to_http_ends_tls_at_the_edge() -> None:
    edge = replace(APP, network=None, ports=(Port(8080, 8080, name="http", scheme="http"),))
    route = objects(edge, settings=OPENSHIFT)["Route/my-demo-web-1-http"]
    assert route["spec"]["tls"]["termination"] == "edge"


def test_http_routes_are_attached_to_a_gateway() -> None:
    edge = replace(APP, network=None, ports=(Port(8080, 80, name="http", scheme="http"),))
    settings = ClusterSettings(gateway="infra/public", domain="example.com")
    route = objects(edge, settings=settings)["HTTPRoute/my-demo-web-1-http"]["spec"]
    assert route["parentRefs"] == [{"name": "public", "namespace": "infra"}]
    assert route["hostnames"] == ["my-demo-web-1-http.example.com"]
    assert route["rules"] == [{"backendRefs": [{"name": "my-demo-web-1", "port": 80}]}]


def test_names_that_are_one_on_kubernetes() -> None:
    one = replace(APP, name="a_b", group="a_b", network=None)
    with pytest.raises(WorkloadError, match="two groups have this name"):
        objects(one, replace(one, name="a-b", group="a-b"))


def test_a_name_that_is_too_long() -> None:
    one = replace(APP, name="w" * 60, group="w" * 60, network=None)
    with pytest.raises(WorkloadError, match="the name has 68 characters, but Kubernetes allows 63"):
        objects(one)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"typ": 1}, "unknown key 'typ'. Use one of"),
        ({"service_type": "Cluster"}, "service_type: unknown choice 'Cluster'. Did you mean 'ClusterIP'?"),
        ({"uid": 0}, "uid: expected the number of a user other than root, got '0'."),
        ({"pull_secrets": "mine"}, "pull_secrets: expected a list"),
        ({"routes": "maybe"}, "routes: expected true or false, got 'maybe'"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be(data: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        read_settings(data, {})


@pytest.mark.parametrize("openshift", [True, False])
@pytest.mark.parametrize(
    ("said", "wanted"),
    [(True, True), (False, False), ("False", False), ("no", False), ("True", True), ("on", True)],
)
def test_a_template_may_hand_over_a_truth_as_text(said: object, wanted: bool, openshift: bool) -> None:
    assert read_settings({"routes": said}, OPENSHIFT_DEFAULTS if openshift else {}).routes is wanted
    assert read_settings({"routes": ""}, OPENSHIFT_DEFAULTS if openshift else {}).routes is openshift


def test_a_template_lets_its_users_choose() -> None:
    made = template("my_demo", "A demo", list(objects(settings=OPENSHIFT).values()))
    parameters = {one["name"]: one.get("value") for one in made["parameters"]}
    assert parameters == {
        "NAMESPACE": None,
        "MY_DEMO_WEB_1_TLS_IN_HOST": "my-demo-web-1-tls-in.apps.example.com",
        "WEB_1_REPLICAS": "3",
        "ENVOY_IMAGE": "envoy:1",
        "APP_IMAGE": "python:3",
    }
    deployment = next(one for one in made["objects"] if one["kind"] == "Deployment")
    assert deployment["spec"]["replicas"] == "${{WEB_1_REPLICAS}}"
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "${APP_IMAGE}"
    assert {one["metadata"]["namespace"] for one in made["objects"]} == {"${NAMESPACE}"}
    # Kubernetes' own $(POD_NAME) is no parameter.
    assert "$(POD_NAME)" in json.dumps(made)


def test_a_template_is_given_the_authority_that_its_routes_believe() -> None:
    settings = read_settings({"termination": "reencrypt"}, OPENSHIFT_DEFAULTS)
    made = template("my_demo", "A demo", list(objects(settings=settings).values()))
    [parameter] = [one for one in made["parameters"] if one["name"] == "CA_CERTIFICATE"]
    assert parameter["required"]
    assert "web_1/certs/ca.crt" in parameter["description"]
    [route] = [one for one in made["objects"] if one["kind"] == "Route"]
    assert route["spec"]["tls"]["destinationCACertificate"] == "${CA_CERTIFICATE}"


@pytest.mark.parametrize("replicas", [1, 3])
def test_a_template_has_one_budget_for_however_many_pods(replicas: int) -> None:
    own = replace(APP, network=None, replicas=replicas)
    made = template("my_demo", "", list(objects(own).values()))
    [budget] = [one for one in made["objects"] if one["kind"] == "PodDisruptionBudget"]
    assert budget["metadata"]["name"] == "my-demo-web-1"
    assert budget["metadata"]["namespace"] == "${NAMESPACE}"
    assert budget["spec"]["maxUnavailable"] == 1


def test_files_are_written_as_lines_that_people_read() -> None:
    text = "# first\nlisteners: []\n"
    assert to_yaml({"data": {"l.yaml": text}}) == "data:\n  l.yaml: |\n    # first\n    listeners: []\n"
    for odd in ("\n", " a\nb", "a \nb\n", "a\nb", "a\n\n", "a\tb\nc", "a\x07\nb", ""):
        assert yaml.safe_load(to_yaml({"data": odd})) == {"data": odd}


def test_two_images_of_one_name_are_two_parameters() -> None:
    other = replace(APP, name="db", group="db", image="postgres:17", network=None)
    made = template("my_demo", "", list(objects(replace(APP, network=None), other).values()))
    parameters = {one["name"]: one.get("value") for one in made["parameters"]}
    assert parameters["APP_IMAGE"] == "python:3"
    assert parameters["DB_APP_IMAGE"] == "postgres:17"
