# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Deployment of the workloads that share a network."""

from __future__ import annotations

import hashlib
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
    UNPRIVILEGED_PORT,
    UNPRIVILEGED_PORT_SYSCTL,
    Probe,
    Volume,
    Workload,
    WorkloadError,
    lowest_port,
)

Object = dict[str, Any]
# Seconds for which a DNS response can be outdated: CoreDNS, with its plugin `cache` and `ttl 30` of `kubernetes`, and NodeLocal
# DNSCache keep responses that long by default. The demo's Envoys resolve names every second.
DNS_CACHE_SECONDS = 30
# Seconds for which a terminating pod still serves: until all clients have resolved its name again.
LINGER = DNS_CACHE_SECONDS + 5
# Seconds until the kubelet restarts a container that has not started. A deployment waits for `deployment_timeout`, which can
# be longer than most programs need.
SECONDS_TO_START = 600
# The only writable directory of a pod. Images differ in what else an arbitrary user can write.
SCRATCH = "/tmp"  # noqa: S108  (a container's own)


@dataclass(frozen=True)
class Pod:
    """The workloads in each pod of `group`. The first one owns the network that they share."""

    group: str
    workloads: tuple[Workload, ...]

    @property
    def replicas(self) -> int:
        """The number of pods."""
        return self.workloads[0].replicas


def deployment(demo: str, pod: Pod, volumes: Mapping[str, Object], settings: ClusterSettings) -> Object:
    """Return the Deployment of `pod`. `volumes` has the volumes of the mounted directories, by directory."""
    mounted = dict.fromkeys(mount.source for one in pod.workloads for mount in one.mounts)
    serving = [one for one in pod.workloads if one.sidecar]
    main = [one for one in pod.workloads if not one.sidecar]
    if not main:
        raise WorkloadError(
            f"group {pod.group}: all its workloads are sidecars. Add a workload that is not a sidecar."
        )
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": object_names.metadata(demo, object_names.object_name(demo, pod.group), pod.group),
        "spec": {
            "replicas": pod.replicas,
            "selector": {"matchLabels": object_names.match(demo, pod.group)},
            # A pod terminates after its replacement is ready.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            # A rollback is impossible, because the ConfigMaps of previous pods are deleted with them.
            "revisionHistoryLimit": 0,
            "template": {
                "metadata": {"labels": object_names.labels(demo, pod.group)},
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
    low = lowest_port(pod.workloads) < UNPRIVILEGED_PORT
    # A safe sysctl, which Pod Security `restricted` allows.
    sysctls = {"sysctls": [{"name": UNPRIVILEGED_PORT_SYSCTL, "value": "0"}]} if low else {}
    user = {"runAsUser": settings.uid, "fsGroup": settings.uid} if settings.uid else {}
    spec: Object = {
        "serviceAccountName": object_names.object_name(demo),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            **user,
            **sysctls,
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
        # A native sidecar starts before the other containers and stops after them (Kubernetes 1.29 and newer).
        "initContainers": [{**_container(one), "restartPolicy": "Always"} for one in serving],
        "containers": [_container(one) for one in main],
        "volumes": [
            {"name": "scratch", "emptyDir": {"sizeLimit": "64Mi"}},
            *volumes,
            *{
                _author_volume_name(v): _author_volume(v) for one in pod.workloads for v in one.volumes
            }.values(),
        ],
        "imagePullSecrets": [{"name": one} for one in settings.pull_secrets],
    }
    return {key: value for key, value in spec.items() if value not in ([], None)}


def _container(workload: Workload) -> Object:
    if not workload.image:
        raise WorkloadError(f"workload {workload.name}: has no image. A pod needs one.")
    program, *arguments = workload.command
    environment: list[Object] = [
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        # Kubernetes replaces `$(NAME)` in a value.
        *({"name": key, "value": value.replace("$(", "$$(")} for key, value in workload.environment.items()),
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
            *(
                {
                    "name": _author_volume_name(one),
                    "mountPath": one.target,
                    "readOnly": not one.writable,
                }
                for one in workload.volumes
            ),
        ],
    }
    container["volumeMounts"] = [
        {key: value for key, value in mount.items() if value not in (None, False)}
        for mount in container["volumeMounts"]
    ]
    return {key: value for key, value in container.items() if value not in (None, [], {})}


def _author_volume_name(volume: Volume) -> str:
    """Return the name of a volume of the author. Containers of a pod that mount the same object share it."""
    content = f"{volume.kind} {volume.name}" if volume.name else volume.target
    return f"author-{hashlib.sha256(content.encode()).hexdigest()[:10]}"


def _author_volume(volume: Volume) -> Object:
    sources: dict[str, Object] = {
        "empty": {"emptyDir": {"sizeLimit": "64Mi"}},
        "config_map": {"configMap": {"name": volume.name}},
        "secret": {"secret": {"secretName": volume.name, "defaultMode": 0o440}},
        "claim": {"persistentVolumeClaim": {"claimName": volume.name}},
    }
    return {"name": _author_volume_name(volume), **sources[volume.kind]}


def volume_name(folder: str) -> str:
    """Return the name of the volume that holds `folder`."""
    return object_names.dns(folder.replace("/", "-"))


def _before_stop(workload: Workload) -> Object:
    """Return the preStop handler: it closes connections gracefully and serves until DNS caches are up to date.

    Without a drain command the kubelet itself waits, so the image needs no program. A drain command that fails does not
    shorten the wait.
    """
    if not workload.drain:
        return {"sleep": {"seconds": LINGER}}
    return {"exec": {"command": ["bash", "-c", f"{workload.drain}; sleep {LINGER}"]}}


def _probes(probe: Probe) -> Object:
    """Return a startup probe every second and a readiness probe every 10 s. The kubelet probes from outside the pod."""
    if probe.kind == "none" or (probe.unix_socket and not probe.command):
        return {}  # the kubelet cannot connect to a Unix socket
    if probe.command and (probe.private or probe.unix_socket):
        handler: Object = {"exec": {"command": list(probe.command)}}
    elif probe.kind == "http":
        handler = {"httpGet": {"path": probe.path, "port": probe.port}}
    else:
        handler = {"tcpSocket": {"port": probe.port}}
    # Each exec probe starts a program, which takes many seconds on a busy node, and takes as long again after a timeout.
    timeout = 30 if "exec" in handler else 10
    return {
        "startupProbe": {
            **handler,
            "periodSeconds": 1,
            "timeoutSeconds": timeout,
            "failureThreshold": SECONDS_TO_START,
        },
        # A pod that is not ready receives no requests, not even if it is the only one, so a busy node must not cause that.
        "readinessProbe": {**handler, "periodSeconds": 10, "timeoutSeconds": timeout, "failureThreshold": 6},
    }


def _resources(workload: Workload) -> Object:
    """Return the resources: requests of an idle container, so that a small cluster schedules many, and the workload's limits."""
    limits: Object = {}
    if workload.cpus:
        limits["cpu"] = f"{workload.cpus:g}"
    if workload.memory_mb:
        limits["memory"] = f"{workload.memory_mb}Mi"
    return {"requests": {"cpu": "10m", "memory": "32Mi"}, **({"limits": limits} if limits else {})}
