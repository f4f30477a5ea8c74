# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of pods: security, probes, termination and resources."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import Any

import pytest
from manifest_objects import APP, ENVOY, objects, pod

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.cluster_settings import (
    read_settings,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.pod_template import (
    LINGER,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.openshift.layout import (
    OpenShiftPlatform,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Port
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.verification_run import (
    NAME_RESOLUTION_TIMEOUT,
)


def test_pod_meets_the_restricted_pod_security_standard() -> None:
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


def test_pods_are_spread_over_nodes() -> None:
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
def test_container_has_the_limits_of_its_workload(own: dict[str, Any], limits: Any) -> None:
    (app,) = pod(objects(ENVOY, replace(APP, **own)))["containers"]
    assert app["resources"].get("limits") == limits


def test_terminating_pod_serves_before_it_stops() -> None:
    spec = pod(objects(replace(ENVOY, stop_seconds=7), replace(APP, stop_seconds=12)))
    for one in (*spec["containers"], *spec["initContainers"]):
        assert one["lifecycle"] == {"preStop": {"sleep": {"seconds": LINGER}}}
    # The kubelet counts the wait as a part of it; and what takes longest has to be done.
    assert spec["terminationGracePeriodSeconds"] == LINGER + 12


def test_terminating_pod_outlives_dns_caches() -> None:
    """CoreDNS and NodeLocal DNSCache keep a response for 30 s by default. Envoy resolves names every second."""
    assert LINGER > 30 + 1
    assert NAME_RESOLUTION_TIMEOUT > 30 + 1


def test_drain_command_runs_before_the_wait() -> None:
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


OPENSHIFT_DEFAULTS = OpenShiftPlatform.default_settings


OPENSHIFT = read_settings({"domain": "apps.example.com"}, OPENSHIFT_DEFAULTS)


def test_user_id_is_left_to_openshift() -> None:
    context = pod(objects(settings=OPENSHIFT))["securityContext"]
    assert "runAsUser" not in context
    assert "fsGroup" not in context
    assert context["runAsNonRoot"]


def test_private_port_has_an_exec_probe() -> None:
    (app,) = pod(objects())["containers"]
    assert app["readinessProbe"]["exec"] == {"command": ["ask"]}
    (envoy,) = pod(objects())["initContainers"]
    assert envoy["readinessProbe"]["httpGet"] == {"path": "/ready", "port": 9902}


def test_startup_probe_allows_a_slow_start() -> None:
    """A deployment has its own timeout. A program that is killed after a minute would never start."""
    for one in (*pod(objects())["initContainers"], *pod(objects())["containers"]):
        probe = one["startupProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] >= 600


def test_busy_node_does_not_end_readiness() -> None:
    """Without a ready pod, a Service refuses connections. A container that ends is not ready at once in any case."""
    for one in (*pod(objects())["initContainers"], *pod(objects())["containers"]):
        probe = one["readinessProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] >= 60
        assert probe["timeoutSeconds"] >= (30 if "exec" in probe else 10)


def test_replicas_do_not_change_the_pod_template() -> None:
    one = objects(replace(ENVOY, replicas=1), replace(APP, replicas=1))
    assert pod(one) == pod(objects())
    assert "PodDisruptionBudget/my-demo-web-1" in objects()
    assert "PodDisruptionBudget/my-demo-web-1" not in one


def test_port_below_1024_needs_no_capability() -> None:
    workloads = (replace(APP, ports=(Port(80),)), ENVOY)
    assert pod(objects(*workloads))["securityContext"]["sysctls"] == [
        {"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}
    ]
