# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workloads that share a network → a Deployment of pods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests import (
    object_names,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.cluster_settings import (
    ClusterSettings,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    Probe,
    Workload,
    WorkloadError,
)

Object = dict[str, Any]
# Seconds for which an answer of name resolution may be one of before: stock clusters have CoreDNS keep answers that long (its plugin
# `cache`, and `ttl 30` of `kubernetes`), or NodeLocal DNSCache. The demo's Envoys ask every second, and a Service learns within some.
BELIEVED = 30
# Seconds that a pod which goes still serves: until everybody who found it by name has asked again.
LINGER = BELIEVED + 5
# Until a start that does not end is one that failed, and is begun anew. How long a deploy waits for it is said there
# (`deployment_timeout`), and may be far longer than most programs take.
SECONDS_TO_START = 600
# What is read only below this in a pod; images differ in what else they let an arbitrary user write.
SCRATCH = "/tmp"  # noqa: S108  (a container's own)


# By this label Istio gives a pod its proxy (istio.io, "Installing the Sidecar").
INJECTED = {"sidecar.istio.io/inject": "true"}


@dataclass(frozen=True)
class Pod:
    """What runs in each pod of `group`; the first of `workloads` is the one whose network the others share."""

    group: str
    workloads: tuple[Workload, ...]

    @property
    def replicas(self) -> int:
        return self.workloads[0].replicas


def deployment(demo: str, pod: Pod, volumes: Mapping[str, Object], settings: ClusterSettings) -> Object:
    """Return the Deployment of `pod`; `volumes` are those of the mounted folders, by folder."""
    mounted = dict.fromkeys(mount.source for one in pod.workloads for mount in one.mounts)
    serving = [one for one in pod.workloads if one.sidecar]
    main = [one for one in pod.workloads if not one.sidecar]
    if not main:
        raise WorkloadError(f"group {pod.group}: has sidecars and nothing that they stand beside")
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": object_names.metadata(demo, object_names.object_name(demo, pod.group), pod.group),
        "spec": {
            "replicas": pod.replicas,
            "selector": {"matchLabels": object_names.match(demo, pod.group)},
            # A pod goes when the one in its place serves.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            # What pods of before read is removed with them, so there is nothing to go back to.
            "revisionHistoryLimit": 0,
            "template": {
                "metadata": {
                    "labels": {
                        **object_names.labels(demo, pod.group),
                        **(INJECTED if settings.injected else {}),
                    }
                },
                "spec": _pod_spec(demo, pod, main, serving, [volumes[one] for one in mounted], settings),
            },
        },
    }


def _pod_spec(
    demo: str,
    pod: Pod,
    main: Sequence[Workload],
    serving: Sequence[Workload],
    volumes: Sequence[Object],
    settings: ClusterSettings,
) -> Object:
    user = {"runAsUser": settings.uid, "fsGroup": settings.uid} if settings.uid else {}
    spec: Object = {
        "serviceAccountName": object_names.object_name(demo),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            **user,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationGracePeriodSeconds": LINGER + max(one.stop_seconds for one in pod.workloads),
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": object_names.match(demo, pod.group)},
            }
        ],
        # A native sidecar: it starts before the others and stops after them (Kubernetes 1.29 and newer).
        "initContainers": [{**_container(one), "restartPolicy": "Always"} for one in serving],
        "containers": [_container(one) for one in main],
        "volumes": [{"name": "scratch", "emptyDir": {"sizeLimit": "64Mi"}}, *volumes],
        "imagePullSecrets": [{"name": one} for one in settings.pull_secrets],
    }
    return {key: value for key, value in spec.items() if value not in ([], None)}


def _container(workload: Workload) -> Object:
    if not workload.image:
        raise WorkloadError(f"workload {workload.name} needs an image to run in a pod")
    program, *arguments = workload.command
    environment: list[Object] = [
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        *({"name": key, "value": value} for key, value in workload.environment.items()),
    ]
    container: Object = {
        "name": workload.container or object_names.dns(workload.name),
        "image": workload.image,
        "command": [program],
        "args": arguments,
        "workingDir": workload.directory if workload.directory.startswith("/") else None,
        "env": environment,
        "ports": [
            {"containerPort": port.number, "protocol": port.protocol.upper()} for port in workload.ports
        ],
        **_probes(workload.probe),
        "lifecycle": {"preStop": _before_stop(workload)},
        "resources": _resources(workload),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [
            {"name": "scratch", "mountPath": SCRATCH, "subPath": workload.container or None},
            *(
                {"name": volume_name(mount.source), "mountPath": mount.target, "readOnly": not mount.writable}
                for mount in workload.mounts
            ),
        ],
    }
    container["volumeMounts"] = [
        {key: value for key, value in mount.items() if value not in (None, False)}
        for mount in container["volumeMounts"]
    ]
    return {key: value for key, value in container.items() if value not in (None, [], {})}


def volume_name(folder: str) -> str:
    """Return the name of the volume that holds `folder`."""
    return object_names.dns(folder.replace("/", "-"))


def _before_stop(workload: Workload) -> Object:
    """Return what has a container go on serving those who have not heard yet that it goes, and send away those who stay connected.

    Where there is nothing to send the kubelet waits by itself: an image need not have any program. Whatever comes of the
    rest, the time is waited for.
    """
    if not workload.drain:
        return {"sleep": {"seconds": LINGER}}
    return {"exec": {"command": ["bash", "-c", f"{workload.drain}; sleep {LINGER}"]}}


def _probes(probe: Probe) -> Object:
    """Return probes that notice a start at once, and then look now and then; the kubelet asks from outside the pod."""
    if probe.kind == "none":
        return {}
    if probe.private and probe.command:
        ask: Object = {"exec": {"command": list(probe.command)}}
    elif probe.kind == "http":
        ask = {"httpGet": {"path": probe.path, "port": probe.port}}
    else:
        ask = {"tcpSocket": {"port": probe.port}}
    # A program has to be started for each question, which takes seconds on a node that is busy.
    patience = 10 if "exec" in ask else 3
    return {
        "startupProbe": {
            **ask,
            "periodSeconds": 1,
            "timeoutSeconds": patience,
            "failureThreshold": SECONDS_TO_START,
        },
        "readinessProbe": {**ask, "periodSeconds": 10, "timeoutSeconds": patience, "failureThreshold": 2},
    }


def _resources(workload: Workload) -> Object:
    """What a demo asks for is what it idles at, so that a small cluster takes many; what it may use is the workload's limit."""
    limits: Object = {}
    if workload.cpus:
        limits["cpu"] = f"{workload.cpus:g}"
    if workload.memory_mb:
        limits["memory"] = f"{workload.memory_mb}Mi"
    return {"requests": {"cpu": "10m", "memory": "32Mi"}, **({"limits": limits} if limits else {})}
