# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demos of the foundation on a cluster, with the files and commands of the other platforms, from deployment to teardown."""

from __future__ import annotations

import json
import os
from collections import Counter

import pytest
from cluster_home import PLATFORMS, ClusterHome, kubectl, traffic_to_pods
from live import FOUNDATION, TASKS_OF_UNCHANGED_RUN, demo_data, docker
from rotation import cases_of_week

# Sends 60 requests on a connection each, and prints which host and which server responded.
SEND_60_REQUESTS = """
import json, sys, urllib.request
headers = [urllib.request.urlopen(sys.argv[1], timeout=10).headers for _number in range(60)]
print(json.dumps([(one["x-served-by"], one["server"]) for one in headers]))
"""
REGISTRY = os.environ.get("MESHLAB_LAB_REGISTRY", "")


@pytest.mark.parametrize("name", cases_of_week(sorted(FOUNDATION), weeks=3))
def test_demo_is_deployed_and_torn_down(name: str) -> None:
    """The expectations of all demos are tested in test_gallery_pods.py."""
    home = ClusterHome("kubernetes")
    try:
        deploy_and_tear_down(home, name)
    finally:
        home.close()


def deploy_and_tear_down(home: ClusterHome, name: str) -> None:
    """Check, deploy, deploy again and tear down a demo."""
    demo = home.demo(name)
    fresh = home.play("site", "--check", "--diff", demo=demo)
    assert "+++ after" in fresh.output, fresh.output
    assert home.remaining(name) == [], "--check on a fresh host changed something"

    home.play("site", "--skip-tags", "verify", demo=demo)
    running = home.running(name)
    # A service and its sidecar are one pod, which kubectl shows as 2/2.
    services = demo_data(name, 0)["services"]
    for group in [key for key, one in services.items() if "sidecar" in one]:
        [pod] = home.pods(name, group.replace("_", "-"))
        containers = [*pod["spec"]["containers"], *pod["spec"].get("initContainers", ())]
        assert {"app", "envoy"} <= {one["name"] for one in containers}

    again = home.play("site", demo=demo)
    assert again.recap["changed"] == 0, again.output
    assert len(again.tasks) == TASKS_OF_UNCHANGED_RUN, again.tasks
    assert home.running(name) == running

    assert home.play("teardown", demo=demo).recap["changed"] == 1
    assert home.remaining(name) == []


@pytest.mark.parametrize("platform", PLATFORMS)
def test_pods_do_not_run_as_the_user_of_the_image(platform: str) -> None:
    """On OpenShift pods run as the user of the project, on Kubernetes as the configured one, never as root."""
    home = ClusterHome(platform)
    try:
        home.play("site", "--skip-tags", "verify", demo=home.demo("front_proxy"))
        users = {
            (
                pod["spec"]["securityContext"].get("runAsUser"),
                one["securityContext"]["readOnlyRootFilesystem"],
            )
            for pod in home.objects("Pod", "front_proxy")
            for one in pod["spec"]["containers"]
        }
        assert users == {(65532 if platform == "kubernetes" else 1000650000, True)}
    finally:
        home.close()


def test_change_loses_no_request_and_restarts_nothing() -> None:
    home = ClusterHome("kubernetes")
    try:
        demo = home.demo("canary")
        home.play("site", "--skip-tags", "verify", demo=demo)
        before = home.running("canary")
        for change in ("half", "all"):
            assert "6 of 6 expectations hold" in home.play("change", demo=demo, change=change).words
        assert home.running("canary") == before
    finally:
        home.close()


def test_scaling_loses_no_request() -> None:
    home = ClusterHome("kubernetes")
    three = {"deployment_replicas": {"service1": 3}}
    try:
        demo = home.demo("front_proxy")
        home.play("site", "--skip-tags", "verify", demo=demo)
        before = home.running("front_proxy")
        port = 8080 + home.shift
        with traffic_to_pods(home, "front_proxy", "edge", port, "/service/1") as hosts:
            home.play("site", "--skip-tags", "verify", demo=demo, **three)
        assert len(hosts) == 3
        assert before < home.running("front_proxy"), "a container was restarted"
        assert (
            "expected 3, got 3 (answering hosts of traffic service 1 through the edge)"
            in home.play("verify", demo=demo, **three).words
        )
        with traffic_to_pods(home, "front_proxy", "edge", port, "/service/1"):
            home.play("site", "--skip-tags", "verify", demo=demo)
        assert len(home.pods("front_proxy", "service1")) == 1
    finally:
        home.close()


def test_service_replaces_the_edge() -> None:
    home = ClusterHome("kubernetes")
    try:
        words = home.play("site", demo=home.demo("front_proxy"), deployment_edge="service").words
        assert "9 of 9 expectations hold" in words
        assert [one["metadata"]["name"] for one in home.objects("Deployment", "front_proxy")] == [
            f"{home.name('front_proxy').replace('_', '-')}-service{number}" for number in (1, 2)
        ]
    finally:
        home.close()


def test_service_balances_over_the_sidecars_of_all_pods() -> None:
    """The client is in the cluster: the traffic of a demo chooses the pods of its port-forwards itself."""
    home = ClusterHome("kubernetes")
    try:
        demo, replicas = home.demo("front_proxy"), {"deployment_replicas": {"service1": 2}}
        home.play("site", "--skip-tags", "verify", demo=demo, deployment_edge="service", **replicas)
        [service] = [one for one in home.objects("Service") if one["metadata"]["name"].endswith("-service1")]
        port = next(one["port"] for one in service["spec"]["ports"] if one["name"] == "ingress")
        [client] = home.pods("front_proxy", "service2")
        url = f"http://{service['metadata']['name']}:{port}/"
        ran = kubectl(
            home,
            "exec",
            client["metadata"]["name"],
            "--container",
            "app",
            "--",
            "python3",
            "-c",
            SEND_60_REQUESTS,
            url,
        )
        assert ran.returncode == 0, ran.stderr
        responses = json.loads(ran.stdout)
        pods = {one["metadata"]["name"] for one in home.pods("front_proxy", "service1")}
        assert {host for host, _server in responses} == pods
        assert {server for _host, server in responses} == {"envoy"}
        # The choice is random. The probability that one of two pods gets fewer than 10 of 60 requests is one in thirty million.
        assert min(Counter(host for host, _server in responses).values()) >= 10
    finally:
        home.close()


def test_two_demos_in_one_namespace() -> None:
    """A deployment and a teardown remove only objects of their own demo."""
    home = ClusterHome("kubernetes")
    try:
        first, second = home.demo("front_proxy"), home.demo("fault_injection")
        home.play("site", "--skip-tags", "verify", demo=first)
        deployed = home.running("front_proxy")
        home.play("site", "--skip-tags", "verify", demo=second)
        home.play("teardown", demo=second)
        assert not home.state("fault_injection").exists()
        assert home.objects("Deployment", "fault_injection") == []
        assert home.running("front_proxy") == deployed
    finally:
        home.close()


def test_one_demo_in_two_namespaces() -> None:
    """Each namespace has its own state folder, with its own certificate authority."""
    home, other = ClusterHome("kubernetes"), ClusterHome("kubernetes")
    in_other = {"deployment_cluster": {"namespace": other.namespace}}
    try:
        demo = home.demo("front_proxy")
        home.play("site", "--skip-tags", "verify", demo=demo)
        home.play("site", "--skip-tags", "verify", demo=demo, **in_other)
        running = home.running("front_proxy")
        # The state folder of one namespace is refused for another one.
        folder = {"deployment_folder": str(home.state("front_proxy"))}
        for playbook in ("site", "teardown"):
            words = home.play(playbook, ok=False, demo=demo, **in_other, **folder).words
            assert (
                f"belongs to a deployment on namespace {home.namespace} of {home.cluster.server}, but this run targets"
                in words
            )
        assert len(other.objects("Deployment")) == 3
        home.play("teardown", demo=demo, **in_other)
        assert other.objects("Deployment") == []
        # Its certificates are verified with its own authority.
        home.play("verify", demo=demo)
        assert home.running("front_proxy") == running
    finally:
        other.close()
        home.close()


@pytest.mark.skipif(not REGISTRY, reason="the cluster has no registry to pull from")
def test_built_images_and_their_changes_reach_the_pods() -> None:
    home = ClusterHome("kubernetes")
    built = f"{REGISTRY}/{home.prefix}"
    home.variables |= {
        "envoy_image_source": "build",
        "envoy_image_build_registry": REGISTRY,
        "envoy_image_build_name": f"{home.prefix}/envoy",
        "demo_app_image_source": "build",
        "demo_app_image_registry": REGISTRY,
        "demo_app_image_name": f"{home.prefix}/demo_app",
    }
    seen: set[str] = set()

    def images() -> dict[str, str]:
        found = {
            one["name"]: one["image"]
            for pod in home.objects("Pod", "front_proxy")
            if "deletionTimestamp" not in pod["metadata"]
            for one in [*pod["spec"]["containers"], *pod["spec"].get("initContainers", ())]
        }
        seen.update(found.values())
        return found

    try:
        demo = home.demo("front_proxy")
        home.play("site", demo=demo)
        before = images()
        assert before["envoy"].startswith(f"{built}/envoy:v1.40.0-")
        assert before["app"].startswith(f"{built}/demo_app:")
        running = home.running("front_proxy")
        assert home.play("site", demo=demo).recap["changed"] == 0
        assert home.running("front_proxy") == running
        home.play("change", demo=demo, change="scaled")
        assert images() == before
        assert running < home.running("front_proxy")

        more = {"envoy_image_build_files": [{"path": "/etc/envoy/note.txt", "content": "changed"}]}
        home.play("site", demo=demo, **more)
        after = images()
        assert after["envoy"].startswith(f"{built}/envoy:v1.40.0-")
        assert after["envoy"] != before["envoy"]
        assert after["app"] == before["app"]
    finally:
        if seen:
            docker("rmi", "--force", *seen)
        home.close()
