# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Demos in a real mesh: their expectations, live changes, mutual TLS, and Istio's own validator."""

from __future__ import annotations

import copy
import http.client
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster_home import ClusterHome
from istio_documents import istio_objects_of, istio_objects_of_gallery
from live import demo_data

# The changes of the demos that Istio supports.
CHANGES = {"canary": ("half", "all"), "front_proxy": ("scaled",)}
# Kinds of objects of Istio that a teardown removes.
KINDS = ("Gateway.networking.istio.io", "VirtualService", "DestinationRule", "PeerAuthentication")


def validate(istioctl: str, folder: Path, objects: list[dict[str, Any]]) -> tuple[int, str]:
    """Return the exit status and the output of Istio's validator."""
    path = folder / "objects.yaml"
    path.write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    done = subprocess.run(
        [istioctl, "validate", "--filename", str(path)], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_validator_accepts_objects_of_all_demos(istioctl: str, tmp_path: Path) -> None:
    found = istio_objects_of_gallery()
    assert {name.partition(" ")[0] for name in found} >= set(CHANGES)
    for name, objects in found.items():
        status, output = validate(istioctl, tmp_path, objects)
        assert status == 0, f"{name}: {output}"


def test_validator_refuses_a_wrong_weight(istioctl: str, tmp_path: Path) -> None:
    objects = copy.deepcopy(istio_objects_of("canary"))
    (service,) = [one for one in objects if one["kind"] == "VirtualService"]
    service["spec"]["http"][0]["route"][0]["weight"] = -1
    status, output = validate(istioctl, tmp_path, objects)
    assert status != 0
    assert "weight -1 < 0" in output


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_demo_holds_its_expectations_in_the_mesh(home: ClusterHome, name: str) -> None:
    demo = home.demo(name)
    home.play("site", demo=demo)
    running = home.running(name)
    proxies = {one.split()[1] for one in running}
    assert proxies == {"istio-init", "istio-proxy", "app"}, running
    again = home.play("site", demo=demo)
    assert again.recap["changed"] == 0, again.output

    for change in CHANGES[name]:
        changed = home.play("change", demo=demo, change=change)
        data = demo_data(name, 0)["changes"][change]
        # The change fails if an expectation about the requests during the change fails.
        assert all(traffic["name"] in changed.words for traffic in data["during"])
        # A change of routes or replicas restarts no pod.
        assert running <= home.running(name)

    assert home.play("teardown", demo=demo).recap["changed"] == 1
    assert home.remaining(name) == []
    assert [one for kind in KINDS for one in home.objects(kind, name)] == []


def test_services_use_mutual_tls(home: ClusterHome) -> None:
    demo = home.demo("front_proxy")
    home.play("site", demo=demo)
    # The address of a pod is reachable from this machine, which is outside of the mesh.
    [published], [private] = (home.pods("front_proxy", group) for group in ("service1", "service2"))
    assert status_of(published["status"]["podIP"]) == 200
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        status_of(private["status"]["podIP"])
    # The gateway's requests arrived over TLS, with the identity of the demo.
    config = proxy_page(home, private, "config_dump?resource=dynamic_active_secrets&mask=name")
    assert {one["name"] for one in json.loads(config)["configs"]} >= {"default", "ROOTCA"}
    (edge,) = home.pods("front_proxy", "edge")
    stats = proxy_page(home, edge, "stats?filter=service2-pods.*ssl.handshake&format=json")
    (handshakes,) = json.loads(stats)["stats"]
    assert handshakes["value"] > 0


def status_of(address: str) -> int:
    """Return the status of a request to the app of a pod, without TLS."""
    connection = http.client.HTTPConnection(address, 8080, timeout=10)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    finally:
        connection.close()


def proxy_page(home: ClusterHome, pod: dict[str, Any], page: str) -> str:
    """Return a page of the admin interface of the Istio proxy of a pod."""
    program = "pilot-agent request GET"
    done = home.kubectl("exec", pod["metadata"]["name"], "-c", "istio-proxy", "--", *program.split(), page)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_namespace_without_injection_is_refused(home: ClusterHome) -> None:
    demo = home.demo("canary")
    home.cluster.patch("Namespace", home.namespace, {"metadata": {"labels": {"istio.io/rev": None}}})
    refused = home.play("site", demo=demo, ok=False)
    assert (
        "edge: the cluster injects no Istio proxy into its pods. Install Istio, label the namespace"
        in refused.words
    )
    assert home.remaining("canary") == []
