# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demos of the foundation on a cluster, by the same files and the same commands as anywhere else, from nothing to nothing left."""

from __future__ import annotations

import json
import os
from collections import Counter

import pytest
from cluster_home import PLATFORMS, ClusterHome, kubectl, traffic_to_pods
from live import FOUNDATION, demo_data, docker

# Asks 60 times, on a connection each, and prints who answered, and what stood in front of it.
ASKS = """
import json, sys, urllib.request
answers = [urllib.request.urlopen(sys.argv[1], timeout=10).headers for _number in range(60)]
print(json.dumps([(one["x-served-by"], one["server"]) for one in answers]))
"""
REGISTRY = os.environ.get("MESHLAB_LAB_REGISTRY", "")


@pytest.mark.parametrize("name", sorted(FOUNDATION))
def test_a_demo_from_nothing_to_nothing(name: str) -> None:
    """What else there is to hold of a demo, test_gallery_pods.py does."""
    home = ClusterHome("kubernetes")
    try:
        tell(home, name)
    finally:
        home.close()


def tell(home: ClusterHome, name: str) -> None:
    demo = home.demo(name)
    fresh = home.play("site", "--check", "--diff", demo=demo)
    assert "+++ after" in fresh.output, fresh.output
    assert home.remaining(name) == [], "--check on a fresh host changed something"

    home.play("site", "--skip-tags", "verify", demo=demo)
    running = home.running(name)
    # A service and its sidecar are one pod, '2/2' in the words of kubectl.
    services = demo_data(name, 0)["services"]
    for group in [key for key, one in services.items() if "sidecar" in one]:
        [pod] = home.pods(name, group.replace("_", "-"))
        containers = [*pod["spec"]["containers"], *pod["spec"].get("initContainers", ())]
        assert {"app", "envoy"} <= {one["name"] for one in containers}

    again = home.play("site", demo=demo)
    assert again.recap["changed"] == 0, again.output
    assert home.running(name) == running

    assert home.play("teardown", demo=demo).recap["changed"] == 1
    assert home.remaining(name) == []


@pytest.mark.parametrize("platform", PLATFORMS)
def test_nobody_is_the_user_of_the_image(platform: str) -> None:
    """On OpenShift it is the project's user, on Kubernetes the one that is set; in neither root."""
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


def test_a_change_loses_no_request_and_restarts_nobody() -> None:
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
        assert before < home.running("front_proxy"), "what ran before was restarted"
        assert (
            "expected 3, got 3 (answering hosts of traffic service 1 through the edge)"
            in home.play("verify", demo=demo, **three).words
        )
        with traffic_to_pods(home, "front_proxy", "edge", port, "/service/1"):
            home.play("site", "--skip-tags", "verify", demo=demo)
        assert len(home.pods("front_proxy", "service1")) == 1
    finally:
        home.close()


def test_a_service_may_stand_where_the_edge_did() -> None:
    home = ClusterHome("kubernetes")
    try:
        words = home.play("site", demo=home.demo("front_proxy"), deployment_edge="service").words
        assert "9 of 9 expectations hold" in words
        assert [one["metadata"]["name"] for one in home.objects("Deployment", "front_proxy")] == [
            f"{home.name('front_proxy').replace('_', '-')}-service{number}" for number in (1, 2)
        ]
    finally:
        home.close()


def test_a_service_balances_over_the_sidecars_of_all_pods() -> None:
    """Who asks it in the cluster: the traffic of a demo comes by a port-forward, and so to pods that it chooses itself."""
    home = ClusterHome("kubernetes")
    try:
        demo, replicas = home.demo("front_proxy"), {"deployment_replicas": {"service1": 2}}
        home.play("site", "--skip-tags", "verify", demo=demo, deployment_edge="service", **replicas)
        [service] = [one for one in home.objects("Service") if one["metadata"]["name"].endswith("-service1")]
        port = next(one["port"] for one in service["spec"]["ports"] if one["name"] == "ingress")
        [asker] = home.pods("front_proxy", "service2")
        url = f"http://{service['metadata']['name']}:{port}/"
        told = kubectl(
            home, "exec", asker["metadata"]["name"], "--container", "app", "--", "python3", "-c", ASKS, url
        )
        assert told.returncode == 0, told.stderr
        answers = json.loads(told.stdout)
        pods = {one["metadata"]["name"] for one in home.pods("front_proxy", "service1")}
        assert {host for host, _server in answers} == pods
        assert {server for _host, server in answers} == {"envoy"}
        # By chance, each of them again: the odds that one of two gets fewer than 10 of 60 are one in thirty million.
        assert min(Counter(host for host, _server in answers).values()) >= 10
    finally:
        home.close()


def test_two_demos_beside_each_other() -> None:
    """What one demo prunes and takes away is its own."""
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


def test_a_demo_in_two_namespaces() -> None:
    """Each has its own folder, and in it its own authority."""
    home, other = ClusterHome("kubernetes"), ClusterHome("kubernetes")
    there = {"deployment_cluster": {"namespace": other.namespace}}
    try:
        demo = home.demo("front_proxy")
        home.play("site", "--skip-tags", "verify", demo=demo)
        home.play("site", "--skip-tags", "verify", demo=demo, **there)
        running = home.running("front_proxy")
        # From a namespace's folder nothing reaches another, neither to deploy nor to take down.
        folder = {"deployment_folder": str(home.state("front_proxy"))}
        for playbook in ("site", "teardown"):
            words = home.play(playbook, ok=False, demo=demo, **there, **folder).words
            assert (
                f"belongs to a deployment on namespace {home.namespace} of {home.cluster.server}, but this run targets"
                in words
            )
        assert len(other.objects("Deployment")) == 3
        home.play("teardown", demo=demo, **there)
        assert other.objects("Deployment") == []
        # With the authority that its certificates are of.
        home.play("verify", demo=demo)
        assert home.running("front_proxy") == running
    finally:
        other.close()
        home.close()


@pytest.mark.skipif(not REGISTRY, reason="there is no registry that the cluster pulls from")
def test_images_of_ones_own_reach_the_pods_and_so_does_their_change() -> None:
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
