# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of deployments to a real cluster: each has a message, and most are found before anything is changed."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from cluster_home import ClusterHome
from deployment import Deployment
from live import ROOT
from plan_changes import container_of, pod_spec_of
from pod_requests import requests_during

from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import attempts
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
    result = deployment.run(deployment.plan(), state="absent")
    assert not result["failed"], result["msg"]


def refused(deployment: Deployment, plan: Any, **options: Any) -> str:
    """Run a deployment that is refused before anything is changed; return the message."""
    result = deployment.run(plan, **options)
    assert result["failed"]
    assert not result["changed"]
    message = str(result["msg"])
    assert message.endswith(" Nothing was changed.")
    return message


def failed(deployment: Deployment, plan: Any, **options: Any) -> str:
    result = deployment.run(plan, **options)
    assert result["failed"]
    return str(result["msg"])


def not_ready_in_time(deployment: Deployment, plan: Any, pattern: str) -> str:
    """Run a deployment that is not ready in time, with longer timeouts until the message matches; return it without the timeout."""
    for timeout in (5, 30, 120):
        message = failed(deployment, plan, timeout=timeout)
        assert f" is not ready after {timeout} s without progress: " in message
        message = message.replace(f" after {timeout} s without progress: ", " in time: ")
        if re.match(pattern, message):
            break
    assert re.match(pattern, message), message
    return message


def service_account(home: ClusterHome, name: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    """Create a ServiceAccount with a Role of `rules`; return the option `cluster` for it."""
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
    path = f"/api/v1/namespaces/{home.namespace}/serviceaccounts/{name}/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token, _warnings = home.cluster.api.request_json(
        "POST", path, "a token", None, "application/json", request
    )
    # With host and api_key the kubeconfig is not read.
    where = {"host": home.cluster.server, "validate_certs": False, "namespace": home.namespace}
    return {**where, "api_key": token["status"]["token"]}


def test_unreachable_cluster_is_refused(web: Deployment) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    where = {"host": f"https://127.0.0.1:{port}", "api_key": "x", "namespace": "demo"}
    message = refused(web, web.plan(), cluster=where)
    assert f"127.0.0.1:{port}" in message
    assert "onnection refused" in message
    result = web.run(web.plan(), cluster=where, _ansible_check_mode=True)
    assert not result["failed"]
    assert f"127.0.0.1:{port}" in str(result["warnings"])


def test_missing_namespace_is_refused(web: Deployment) -> None:
    message = refused(web, web.plan(), cluster={"namespace": "no-such-namespace"})
    assert message == (
        "There is no namespace no-such-namespace on this cluster. Create it (kubectl create namespace no-such-namespace),"
        " or set cluster.namespace to another one. Nothing was changed."
    )


def test_missing_permission_is_refused(web: Deployment, home: ClusterHome) -> None:
    read_only = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}]
    message = refused(web, web.plan(), cluster=service_account(home, "read-only", read_only))
    assert f"system:serviceaccount:{home.namespace}:read-only is forbidden to patch deployments" in message
    assert "Bind it to a Role with verb patch on deployments" in message
    assert home.objects("Deployment") == []


def test_impersonated_user_has_only_its_permissions(web: Deployment, home: ClusterHome) -> None:
    """The user of the tests has all permissions, the impersonated one only some: in requests, and in the handshake of a port-forward."""
    service_account(home, "sees-pods", [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}])
    user = f"system:serviceaccount:{home.namespace}:sees-pods"
    options = {"namespace": home.namespace, "impersonate_user": user}
    assert f"{user} is forbidden to list" in refused(web, web.plan(), cluster=options)
    with connect(options) as cluster, pytest.raises(ClusterError, match=f"{user} is forbidden to ") as error:
        cluster.forward("web", 9901)
    assert error.value.reason == "forbidden"
    # Each impersonated group has its permissions.
    admin = {
        "namespace": home.namespace,
        "impersonate_user": "x",
        "impersonate_groups": ["a", "system:masters"],
    }
    with connect(admin) as cluster:
        assert cluster.list("Secret") == []


def test_documented_role_is_sufficient(web: Deployment, home: ClusterHome) -> None:
    """Without one of its permissions, the deployment is refused before anything is changed."""
    role = next(one for one in yaml.safe_load(ROLE.read_text())["items"] if one["kind"] == "Role")
    options = service_account(home, "deploys", role["rules"])
    assert not (result := web.run(web.plan(), cluster=options))["failed"], result["msg"]
    running = home.running(DEMO)
    changed = web.plan({"services": {"web": {"sidecar": {"access_log": False}}}})
    less = web.plan()
    less["manifests"] = [one for one in less["manifests"] if one["kind"] != "Service"]
    for name, resource, verb, plan in (
        ("patches-no-pods", "pods", "patch", changed),
        ("removes-no-services", "services", "delete", less),
    ):
        rules = without(role["rules"], resource, verb)
        message = refused(web, plan, cluster=service_account(home, name, rules))
        assert f":{name} is forbidden to {verb} {resource} in namespace {home.namespace}" in message
    for plan in (changed, less, web.plan()):
        assert not (result := web.run(plan, cluster=options))["failed"], result["msg"]
    assert home.running(DEMO) == running
    message = refused(
        web, web.plan(), state="absent", cluster=service_account(home, "removes-no-services", rules)
    )
    assert "is forbidden to delete services" in message
    assert not (result := web.run(web.plan(), state="absent", cluster=options))["failed"], result["msg"]
    assert home.remaining(DEMO) == []


def without(rules: list[dict[str, Any]], resource: str, verb: str) -> list[dict[str, Any]]:
    """Return rules without one verb on one resource."""
    remaining = []
    for one in rules:
        if others := [each for each in one["resources"] if each != resource]:
            remaining.append({**one, "resources": others})
        if resource in one["resources"]:
            verbs = [each for each in one["verbs"] if each != verb]
            remaining.append({**one, "resources": [resource], "verbs": verbs})
    return remaining


def test_pod_security_is_checked_before_any_change(web: Deployment, home: ClusterHome) -> None:
    plan = web.plan()
    container_of(plan, "web", "app")["securityContext"]["allowPrivilegeEscalation"] = True
    message = refused(web, plan)
    assert 'web: the cluster rejects its pods: violates PodSecurity "restricted:latest"' in message
    assert 'container "app" must set securityContext.allowPrivilegeEscalation=false' in message
    assert home.objects("ConfigMap") == []


def test_pod_security_is_reported_during_the_rollout(web: Deployment, home: ClusterHome) -> None:
    """A user who cannot create pods cannot dry-run one: the controller of the Deployment reports the rejection."""
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
    message = failed(web, plan, cluster=service_account(home, "creates-no-pods", rules))
    assert message.startswith(
        'web: the cluster\'s security rules reject its pods: violates PodSecurity "restricted:latest"'
    )
    assert message.endswith("Lower the pods' privileges, or use another namespace.")


@pytest.mark.lab
def test_missing_image_is_reported_and_corrected(web: Deployment) -> None:
    plan = web.plan()
    container_of(plan, "web", "app")["image"] = "localhost:5000/no-such-image:0"
    message = failed(web, plan)
    assert message.startswith("web: image localhost:5000/no-such-image:0 cannot be pulled: ")
    assert "not found" in message
    assert "Correct its name, or give the cluster's nodes access to its registry." in message
    # The next run replaces the pod, and does not wait for the kubelet's next attempt.
    assert not web.run(web.plan())["failed"]


def test_crash_of_new_pods_leaves_the_previous_pods(web: Deployment, home: ClusterHome) -> None:
    good = web.plan()
    assert not web.run(good)["failed"]
    before = home.running(DEMO)
    # The folder exists where the file is validated, but not in the pod.
    path = str(home.folder / "access.log")
    log = {
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": path,
        },
    }
    sidecar = {"services": {"web": {"sidecar": {"bootstrap": {"admin": {"access_log": [log]}}}}}}
    with requests_during(home, DEMO, "web", INGRESS + home.shift, "/") as counts:
        message = failed(web, web.plan(sidecar), timeout=90)
    assert counts.pop("200") > 20
    assert not counts
    assert re.match(
        r"web: container envoy of pod \S+ crashes repeatedly with exit code 1\. 1 of its previous pods still serve\."
        r" Last lines of its log \(kubectl --namespace \S+ logs \S+ --container envoy --previous\):\n",
        message,
    )
    assert f"unable to open file '{path}'" in message
    serving = [pod_name(pod) for pod in select_ready(home.pods(DEMO, "web")).ready]
    assert [one for one in before if one.partition(" ")[0] in serving] == [*before]
    assert not web.run(good)["failed"]
    assert home.running(DEMO) == before


def test_missing_resources_are_reported(web: Deployment, home: ClusterHome) -> None:
    plan = web.plan()
    pod_spec_of(plan, "web")["nodeSelector"] = {"meshlab.envoy/nowhere": "true"}
    message = not_ready_in_time(web, plan, "web is not ready in time: no node can run pod ")
    assert "didn't match Pod's node affinity/selector" in message


def test_quota_is_compared_with_the_whole_demo(web: Deployment, home: ClusterHome) -> None:
    """Each pod alone fits, and all of them together do not."""
    cluster, path = home.cluster, f"/api/v1/namespaces/{home.namespace}/resourcequotas"
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small"}}
    body = {**quota, "spec": {"hard": {"pods": "2"}}}
    cluster.api.request_json("POST", path, "a quota", None, "application/json", body)
    try:
        for _left in attempts(30):
            if (cluster.get("ResourceQuota", "small") or {}).get("status", {}).get("used"):
                break
        message = refused(web, web.plan(replicas={"web": 3}))
        assert home.objects("ConfigMap", DEMO) == []
    finally:
        cluster.delete("ResourceQuota", "small")
    assert re.search(
        rf"ResourceQuota small in namespace {home.namespace}: this deployment adds \d+ pods \(.*web: 3.*\), but 2 of 2 are left\."
        r" Raise pods of the quota to \d+, lower the replicas, or use another namespace\.",
        message,
    )


def test_foreign_objects_are_refused(web: Deployment, home: ClusterHome) -> None:
    plan = web.plan()
    for kind in ("Deployment", "Service", "ConfigMap"):
        planned = next(one for one in plan["manifests"] if one["kind"] == kind)
        name = planned["metadata"]["name"]
        foreign = {**planned, "metadata": {"name": name}}
        if kind == "Deployment":
            labels = {"app": "another"}
            template = {**planned["spec"]["template"], "metadata": {"labels": labels}}
            spec = {**planned["spec"], "replicas": 0, "selector": {"matchLabels": labels}}
            foreign["spec"] = {**spec, "template": template}
        home.cluster.apply(foreign)
        try:
            message = refused(web, plan)
        finally:
            home.cluster.delete(kind, name)
        assert f"{kind} {name} in namespace {home.namespace} belongs to no demo. Remove it," in message
        assert "immutable" not in message


def test_failing_probes_are_reported(web: Deployment) -> None:
    plan = web.plan()
    probe = {"httpGet": {"path": "/no-such-page", "port": 9902}, "periodSeconds": 1, "failureThreshold": 3600}
    container_of(plan, "web", "envoy")["startupProbe"] = probe
    runs = r"web is not ready in time: container envoy of pod \S+ runs"
    failing = "HTTP probe failed with statuscode: 403"
    message = not_ready_in_time(
        web, plan, rf"{runs} and has not passed its startup probe yet .*Startup probe failed: {failing}"
    )
    assert "Startup probe failed: HTTP probe failed with statuscode: 403" in message
    plan = web.plan()
    container_of(plan, "web", "envoy")["readinessProbe"] = probe
    message = not_ready_in_time(
        web, plan, rf"{runs}, but its readiness probe fails .*Readiness probe failed: {failing}"
    )
    assert "Readiness probe failed: HTTP probe failed with statuscode: 403" in message
    assert "kubectl --namespace" in message
