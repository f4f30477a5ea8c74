# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the way of pods, on a real cluster: each told apart, in words that say what to do, and most before anything is changed."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from cluster_home import ClusterHome
from deployment import Deployment
from kubernetes_support import asked_meanwhile, container_of, pod_of
from live import ROOT

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import connect
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_status import (
    pod_name,
    select_ready,
)

DEMO = "service_envoy"
ROLE = ROOT / "docs" / "kubernetes" / "deploy.yaml"
INGRESS = 9090


@pytest.fixture
def web(home: ClusterHome) -> Iterator[Deployment]:
    deployment = Deployment(home, DEMO)
    yield deployment
    answer = deployment.run(deployment.plan(), state="absent")
    assert not answer["failed"], answer["msg"]


def refused(deployment: Deployment, plan: Any, **options: Any) -> str:
    """Run what has to be refused before anything is changed; return the words."""
    answer = deployment.run(plan, **options)
    assert answer["failed"]
    assert not answer["changed"]
    words = str(answer["msg"])
    assert words.endswith(" Nothing was changed.")
    return words


def failed(deployment: Deployment, plan: Any, **options: Any) -> str:
    answer = deployment.run(plan, **options)
    assert answer["failed"]
    return str(answer["msg"])


def late(deployment: Deployment, plan: Any, pattern: str) -> str:
    """Run what is not ready in time, with more time until what is said begins with `pattern`; return that without the time."""
    for timeout in (5, 30, 120):
        words = failed(deployment, plan, timeout=timeout)
        assert f" is not ready after {timeout} s: " in words
        words = words.replace(f" after {timeout} s: ", " in time: ")
        if re.match(pattern, words):
            break
    assert re.match(pattern, words), words
    return words


def person(home: ClusterHome, name: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the option `cluster` of a ServiceAccount that may do what `rules` say."""
    group = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": name, "namespace": home.namespace}
    home.cluster.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}})
    home.cluster.apply(
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": {"name": name}, "rules": rules}
    )
    home.cluster.apply(
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
            "subjects": [subject],
        }
    )
    place = f"/api/v1/namespaces/{home.namespace}/serviceaccounts/{name}/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token, _warnings = home.cluster.api.request_json(
        "POST", place, "a token", None, "application/json", request
    )
    # A whole address, so that nothing of the kubeconfig counts.
    where = {"host": home.cluster.server, "validate_certs": False, "namespace": home.namespace}
    return {**where, "api_key": token["status"]["token"]}


def test_no_cluster(web: Deployment) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    where = {"host": f"https://127.0.0.1:{port}", "api_key": "x", "namespace": "demo"}
    words = refused(web, web.plan(), cluster=where)
    assert f"127.0.0.1:{port}" in words
    assert "onnection refused" in words
    answer = web.run(web.plan(), cluster=where, _ansible_check_mode=True)
    assert not answer["failed"]
    assert f"127.0.0.1:{port}" in str(answer["warnings"])


def test_no_namespace(web: Deployment) -> None:
    words = refused(web, web.plan(), cluster={"namespace": "nobody-made-this"})
    assert words == (
        "There is no namespace nobody-made-this on this cluster: create it (kubectl create namespace nobody-made-this),"
        " or choose another (cluster.namespace). Nothing was changed."
    )


def test_forbidden(web: Deployment, home: ClusterHome) -> None:
    looks_only = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}]
    words = refused(web, web.plan(), cluster=person(home, "looks-only", looks_only))
    assert f"system:serviceaccount:{home.namespace}:looks-only is forbidden to patch deployments" in words
    assert "bind it to a Role with verb patch on deployments" in words
    assert home.objects("Deployment") == []


def test_rights_are_those_of_who_is_impersonated(web: Deployment, home: ClusterHome) -> None:
    """The user of the tests may do all, whom it stands in for next to nothing: asked by a request, and by a port-forward's handshake."""
    person(home, "sees-pods", [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}])
    user = f"system:serviceaccount:{home.namespace}:sees-pods"
    her = {"namespace": home.namespace, "impersonate_user": user}
    assert f"{user} is forbidden to list" in refused(web, web.plan(), cluster=her)
    with connect(her) as cluster, pytest.raises(ClusterError, match=f"{user} is forbidden to ") as error:
        cluster.forward("web", 9901)
    assert error.value.reason == "forbidden"
    # Groups count, too, each of several.
    admin = {
        "namespace": home.namespace,
        "impersonate_user": "x",
        "impersonate_groups": ["a", "system:masters"],
    }
    with connect(admin) as cluster:
        assert cluster.list("Secret") == []


def test_the_role_in_the_documentation_is_enough(web: Deployment, home: ClusterHome) -> None:
    """And without one of its rights for a change, that right is told before anything is changed."""
    role = next(one for one in yaml.safe_load(ROLE.read_text())["items"] if one["kind"] == "Role")
    who = person(home, "deploys", role["rules"])
    assert not (answer := web.run(web.plan(), cluster=who))["failed"], answer["msg"]
    running = home.running(DEMO)
    changed = web.plan({"services": {"web": {"sidecar": {"access_log": False}}}})
    less = web.plan()
    less["manifests"] = [one for one in less["manifests"] if one["kind"] != "Service"]
    for name, resource, verb, plan in (
        ("touches-no-pods", "pods", "patch", changed),
        ("removes-no-services", "services", "delete", less),
    ):
        rules = without(role["rules"], resource, verb)
        words = refused(web, plan, cluster=person(home, name, rules))
        assert f":{name} is forbidden to {verb} {resource} in namespace {home.namespace}" in words
    for plan in (changed, less, web.plan()):
        assert not (answer := web.run(plan, cluster=who))["failed"], answer["msg"]
    assert home.running(DEMO) == running
    words = refused(web, web.plan(), state="absent", cluster=person(home, "removes-no-services", rules))
    assert "is forbidden to delete services" in words
    assert not (answer := web.run(web.plan(), state="absent", cluster=who))["failed"], answer["msg"]
    assert home.remaining(DEMO) == []


def without(rules: list[dict[str, Any]], resource: str, verb: str) -> list[dict[str, Any]]:
    """Return rules that let nobody do this to that."""
    lesser = []
    for one in rules:
        if others := [each for each in one["resources"] if each != resource]:
            lesser.append({**one, "resources": others})
        if resource in one["resources"]:
            verbs = [each for each in one["verbs"] if each != verb]
            lesser.append({**one, "resources": [resource], "verbs": verbs})
    return lesser


def test_refused_by_pod_security_before_anything_is_changed(web: Deployment, home: ClusterHome) -> None:
    plan = web.plan()
    container_of(plan, "web", "app")["securityContext"]["allowPrivilegeEscalation"] = True
    words = refused(web, plan)
    assert 'web: the cluster would refuse its pods: violates PodSecurity "restricted:latest"' in words
    assert 'container "app" must set securityContext.allowPrivilegeEscalation=false' in words
    assert home.objects("ConfigMap") == []


def test_refused_by_pod_security_when_the_rollout_has_begun(web: Deployment, home: ClusterHome) -> None:
    """Who may not make pods cannot try one either: the cluster makes them for a Deployment, and refuses it then."""
    rules = [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]},
        {
            "apiGroups": ["", "apps", "networking.k8s.io", "policy"],
            "resources": [
                "deployments", "services", "configmaps", "secrets", "serviceaccounts", "networkpolicies",
                "poddisruptionbudgets",
            ],
            "verbs": ["patch", "create", "delete"],
        },
    ]  # fmt: skip
    plan = web.plan()
    container_of(plan, "web", "app")["securityContext"]["allowPrivilegeEscalation"] = True
    words = failed(web, plan, cluster=person(home, "makes-no-pods", rules))
    assert words.startswith(
        'web: its pods are refused by the cluster\'s security rules: violates PodSecurity "restricted:latest"'
    )
    assert words.endswith("let them ask for less, or use another namespace")


@pytest.mark.lab
def test_an_image_that_is_not_there(web: Deployment) -> None:
    plan = web.plan()
    container_of(plan, "web", "app")["image"] = "localhost:5000/no-such-image:0"
    words = failed(web, plan)
    assert words.startswith("web: image localhost:5000/no-such-image:0 cannot be pulled: ")
    assert "not found" in words
    assert "correct its name, or let the cluster's nodes reach and use its registry" in words
    # Once it is there a run brings it, without waiting for the kubelet's next attempt.
    assert not web.run(web.plan())["failed"]


def test_a_configuration_that_crashes_leaves_the_pods_of_before_and_is_corrected(
    web: Deployment, home: ClusterHome
) -> None:
    good = web.plan()
    assert not web.run(good)["failed"]
    before = home.running(DEMO)
    # A folder that is there where it is validated, and not in the pod.
    path = str(home.folder / "access.log")
    log = {
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": path,
        },
    }
    sidecar = {"services": {"web": {"sidecar": {"bootstrap": {"admin": {"access_log": [log]}}}}}}
    with asked_meanwhile(home, DEMO, "web", INGRESS + home.shift, "/") as counts:
        words = failed(web, web.plan(sidecar), timeout=90)
    assert counts.pop("200") > 20
    assert not counts
    assert re.match(
        r"web: container envoy of pod \S+ ends again and again, with exit code 1; 1 of its pods of before keep serving;"
        r" its last lines \(kubectl --namespace \S+ logs \S+ --container envoy --previous\):\n",
        words,
    )
    assert f"unable to open file '{path}'" in words
    serving = [pod_name(pod) for pod in select_ready(home.pods(DEMO, "web")).ready]
    assert [one for one in before if one.partition(" ")[0] in serving] == [*before]
    assert not web.run(good)["failed"]
    assert home.running(DEMO) == before


def test_no_room(web: Deployment, home: ClusterHome) -> None:
    plan = web.plan()
    pod_of(plan, "web")["nodeSelector"] = {"meshlab.envoy/nowhere": "true"}
    words = late(web, plan, "web is not ready in time: no node takes pod ")
    assert "didn't match Pod's node affinity/selector" in words
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}}
    place = f"/api/v1/namespaces/{home.namespace}/resourcequotas"
    body = {**quota, "spec": {"hard": {"pods": "0"}}}
    home.cluster.api.request_json("POST", place, "a quota", None, "application/json", body)
    try:
        other = Deployment(home, "cors")
        words = refused(other, other.plan())
    finally:
        home.cluster.api.request_json("DELETE", f"{place}/none", "a quota")
    assert "the cluster would refuse its pods: exceeded quota: none, requested: pods=1" in words


def test_too_slow(web: Deployment) -> None:
    plan = web.plan()
    probe = {"httpGet": {"path": "/no-such-page", "port": 9902}, "periodSeconds": 1, "failureThreshold": 3600}
    container_of(plan, "web", "envoy")["startupProbe"] = probe
    runs = r"web is not ready in time: container envoy of pod \S+ runs"
    failing = "HTTP probe failed with statuscode: 403"
    words = late(
        web, plan, rf"{runs} and did not pass its startup probe yet .*Startup probe failed: {failing}"
    )
    assert "Startup probe failed: HTTP probe failed with statuscode: 403" in words
    plan = web.plan()
    container_of(plan, "web", "envoy")["readinessProbe"] = probe
    words = late(web, plan, rf"{runs}, but its readiness probe fails .*Readiness probe failed: {failing}")
    assert "Readiness probe failed: HTTP probe failed with statuscode: 403" in words
    assert "kubectl --namespace" in words
