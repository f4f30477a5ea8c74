# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of a Deployment's rollout, from its objects: ready, waiting, or failed. Pure functions.

The texts that are recognised are those of Kubernetes 1.34.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_status import (
    condition,
    container_statuses,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.readiness_loop import Status

Object = Mapping[str, Any]

REVISION = "deployment.kubernetes.io/revision"
IMAGE_REASONS = (
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
)
# Texts of registries and container runtimes about an image that no further attempt can pull.
PERMANENT_PULL_ERROR = re.compile(
    r"not found|denied|unauthorized|forbidden|invalid|no basic auth|manifest unknown|not present|x509|no such host|HTTP response to HTTPS",
    re.IGNORECASE,
)
CRASH_LOOP = "CrashLoopBackOff"
# Reasons of a waiting container that only a change of the objects resolves.
CREATE_REASONS = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
# Reasons of an ended container whose program was never started.
START_REASONS = ("StartError", "ContainerCannotRun")
SECURITY = re.compile(r"violates PodSecurity|security context constraint", re.IGNORECASE)
QUOTA = re.compile(r"exceeded quota|failed quota", re.IGNORECASE)


@dataclass(frozen=True)
class RolloutStatus(Status):
    """The status of a Deployment, with the pod and the container whose log explains it.

    Attributes:
        pod: The name of the pod; empty if no pod explains the status.
        container: The name of the container whose log explains the status; empty if no log does.
        previous: Whether the log is that of the container before its last restart.
    """

    pod: str = ""
    container: str = ""
    previous: bool = False


READY = RolloutStatus("ready")


def rollout_status(
    deployment: Object, replica_sets: Iterable[Object], pods: Iterable[Object]
) -> RolloutStatus:
    """Return the status of a rollout.

    Pods of an earlier revision do not count: they may have failed before, and are deleted when the new pods are ready.

    Args:
        deployment: The Deployment.
        replica_sets: ReplicaSets, which may include those of other Deployments.
        pods: Pods, which may include those of other Deployments.
    """
    spec, status = deployment["spec"], deployment.get("status", {})
    if status.get("observedGeneration", 0) < deployment["metadata"].get("generation", 1):
        return _waiting("the cluster has not processed its Deployment yet")
    if is_complete(deployment):
        return READY
    replicas = int(spec.get("replicas", 1))
    counts = _counts(status)
    newest = newest_replica_set(deployment, replica_sets)
    if newest is None:
        return _creation_failure(deployment) or _waiting("its pods are not created yet")
    new_pods = pods_of(newest, pods)
    progress = sum(map(_pod_progress, new_pods))
    return replace(_rollout_status(deployment, newest, new_pods, replicas, counts), progress=progress)


def is_complete(deployment: Object) -> bool:
    """Return whether a Deployment has exactly the pods of its current revision, and all are available."""
    status, metadata = deployment.get("status", {}), deployment["metadata"]
    replicas = int(deployment["spec"].get("replicas", 1))
    return int(status.get("observedGeneration", 0)) >= metadata.get("generation", 1) and all(
        count == replicas for count in _counts(status).values()
    )


def _counts(status: Object) -> dict[str, int]:
    return {key: int(status.get(key, 0)) for key in ("replicas", "updatedReplicas", "availableReplicas")}


def _rollout_status(
    deployment: Object, newest: Object, new_pods: Sequence[Object], replicas: int, counts: Mapping[str, int]
) -> RolloutStatus:
    found = [status for pod in new_pods if (status := pod_rollout_status(pod)).state != "ready"]
    for state in ("failed", "waiting"):
        if same := [one for one in found if one.state == state]:
            # One pod stands for all: the one with the most information.
            return max(same, key=lambda one: (bool(one.container), len(one.reason)))
    return _creation_failure(newest) or _creation_failure(deployment) or _missing_pods(replicas, counts)


def _pod_progress(pod: Object) -> int:
    """Return the number of steps that a pod has done: it exists, is scheduled, has started containers, and is ready."""
    conditions: int = sum(condition(pod, one).get("status") == "True" for one in ("PodScheduled", "Ready"))
    started = sum(
        bool(one.get("started") or one.get("ready") or one.get("state", {}).get("running"))
        for one in container_statuses(pod)
    )
    return 1 + conditions + started


def newest_replica_set(deployment: Object, replica_sets: Iterable[Object]) -> Object | None:
    """Return the ReplicaSet of a Deployment's current revision; None if it does not exist yet."""
    revision = deployment["metadata"].get("annotations", {}).get(REVISION)
    owned = [one for one in replica_sets if _is_owned(one, deployment)]
    return next(
        (one for one in owned if one["metadata"].get("annotations", {}).get(REVISION) == revision), None
    )


def pods_of(replica_set: Object, pods: Iterable[Object]) -> list[Object]:
    """Return the pods of a ReplicaSet that do not terminate."""
    return [
        pod for pod in pods if _is_owned(pod, replica_set) and not pod["metadata"].get("deletionTimestamp")
    ]


def pod_rollout_status(pod: Object) -> RolloutStatus:
    """Return the status of one pod of the current revision."""
    name, status = str(pod["metadata"]["name"]), pod.get("status", {})
    if condition(pod, "Ready").get("status") == "True":
        return READY
    if status.get("phase") in ("Failed", "Succeeded"):
        reason = _one_line(status.get("message") or status.get("reason") or status["phase"])
        return _waiting(f"pod {name} has ended ({reason}), and the cluster replaces it", name)
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        reason = _one_line(scheduled.get("message") or scheduled.get("reason"))
        return _waiting(
            f"no node can run pod {name}: {reason}. Free resources, or lower the pod's requests", name
        )
    containers = [_container_status(pod, one) for one in container_statuses(pod)]
    for state in ("failed", "waiting"):
        for one in containers:
            if one.state == state:
                return one
    return _waiting(f"pod {name} is {status.get('phase') or 'new'}", name)


def is_backing_off(pod: Object) -> bool:
    """Return whether the kubelet waits longer before each attempt to start this pod, so that a new pod starts sooner."""
    reasons = {one.get("state", {}).get("waiting", {}).get("reason") for one in container_statuses(pod)}
    return bool(reasons & {CRASH_LOOP, *IMAGE_REASONS, *CREATE_REASONS})


def serving_previous_pods(deployment: Object, replica_sets: Sequence[Object]) -> int:
    """Return the number of available pods of earlier revisions."""
    newest = newest_replica_set(deployment, replica_sets)
    return sum(
        int(one.get("status", {}).get("availableReplicas", 0))
        for one in replica_sets
        if _is_owned(one, deployment) and one is not newest
    )


def _container_status(pod: Object, status: Object) -> RolloutStatus:
    name, pod_name = str(status["name"]), str(pod["metadata"]["name"])
    state = status.get("state", {})
    waiting, running = state.get("waiting", {}), state.get("running")
    reason, message = str(waiting.get("reason") or ""), _one_line(waiting.get("message"))
    ended = state.get("terminated") or (status.get("lastState", {}).get("terminated") if waiting else None)
    subject = f"container {name} of pod {pod_name}"
    if reason in IMAGE_REASONS:
        return _image_status(pod_name, name, _image_of(pod, status), reason, message)
    if reason == CRASH_LOOP or (ended and ended.get("reason") in START_REASONS):
        problem = f"{subject} {_crash_reason(pod, name, ended or {})}"
        return _failed(problem, pod_name, name, previous=bool(waiting))
    if reason in CREATE_REASONS:
        return _failed(
            f"{subject} cannot be started: {message or reason}. Correct that, and run again", pod_name
        )
    if ended and int(ended.get("exitCode", 0)) != 0:
        exit_code = ended.get("exitCode")
        return _waiting(f"{subject} ended with exit code {exit_code}, and the cluster restarts it", pod_name)
    if ended and _is_init_container(pod, name):
        return READY
    if running is not None:
        if status.get("ready"):
            return READY
        if status.get("started") is False:
            return _waiting(f"{subject} runs and has not passed its startup probe yet", pod_name, name)
        return _waiting(f"{subject} runs, but its readiness probe fails", pod_name, name)
    return _waiting(
        f"{subject} waits ({': '.join(filter(None, (reason, message))) or 'not started'})", pod_name
    )


def _image_status(pod: str, container: str, image: str, reason: str, message: str) -> RolloutStatus:
    # The first attempt's message ends with "desc = <reason>", later ones begin with "Back-off pulling image …: ErrImagePull: ".
    cause = message.rpartition("desc = ")[2] or message
    cause = re.sub(r"^Back-off pulling image \"[^\"]*\"(: ErrImagePull: |$)", "", cause)
    problem = f"image {image} cannot be pulled"
    where = f"(pod {pod}, container {container})"
    if reason in ("ErrImagePull", "ImagePullBackOff") and not PERMANENT_PULL_ERROR.search(cause):
        return _waiting(
            f"{problem}{f': {cause}' if cause else ''} {where}. The cluster tries again", "" if cause else pod
        )
    return _failed(
        f"{problem}: {cause or reason} {where}."
        " Correct its name, or give the cluster's nodes access to its registry",
        pod,
    )


def _crash_reason(pod: Object, container: str, ended: Object) -> str:
    code, reason, message = ended.get("exitCode"), ended.get("reason"), _one_line(ended.get("message"))
    if reason == "OOMKilled":
        limits = _container_spec(pod, container).get("resources", {}).get("limits", {})
        return f"was killed because it needs more memory than {limits.get('memory', 'its limit')}"
    if reason in START_REASONS:
        return f"cannot be started: {message}"
    return f"crashes repeatedly with exit code {code}" if code is not None else "crashes repeatedly"


def _creation_failure(owner: Object) -> RolloutStatus | None:
    """Return why a controller could not create pods; None if it could."""
    failure = condition(owner, "ReplicaFailure")
    if failure.get("status") != "True":
        return None
    reason = re.sub(r'^pods "[^"]*" is forbidden: ', "", _one_line(failure.get("message")))
    if SECURITY.search(reason):
        return _failed(
            f"the cluster's security rules reject its pods: {reason}."
            " Lower the pods' privileges, or use another namespace"
        )
    if QUOTA.search(reason):
        return _waiting(
            f"its pods exceed the namespace's quota: {reason}. Free resources, or raise the quota"
        )
    if "serviceaccount" in reason.replace(" ", "").lower():
        return _waiting(f"its pods cannot be created yet: {reason}")
    return _failed(f"its pods cannot be created: {reason}. Correct that, and run again")


def _missing_pods(replicas: int, counts: Mapping[str, int]) -> RolloutStatus:
    if counts["availableReplicas"] < replicas or counts["updatedReplicas"] < replicas:
        new = min(counts["availableReplicas"], counts["updatedReplicas"])
        return _waiting(f"{new} of {replicas} pods are ready")
    return _waiting(f"{counts['replicas'] - replicas} previous pods still exist")


def _waiting(reason: str, pod: str = "", container: str = "") -> RolloutStatus:
    return RolloutStatus("waiting", reason, pod=pod, container=container)


def _failed(reason: str, pod: str = "", container: str = "", *, previous: bool = False) -> RolloutStatus:
    return RolloutStatus("failed", reason, pod=pod, container=container, previous=previous)


def _is_owned(thing: Object, owner: Object) -> bool:
    uid = owner["metadata"].get("uid")
    return any(one.get("uid") == uid for one in thing["metadata"].get("ownerReferences", ()))


def _container_spec(pod: Object, container: str) -> Object:
    spec = pod.get("spec", {})
    containers = [*spec.get("initContainers", ()), *spec.get("containers", ())]
    return next((one for one in containers if one["name"] == container), {})


def _is_init_container(pod: Object, container: str) -> bool:
    inits = pod.get("spec", {}).get("initContainers", ())
    return any(one["name"] == container and one.get("restartPolicy") != "Always" for one in inits)


def _image_of(pod: Object, status: Object) -> str:
    return str(_container_spec(pod, status["name"]).get("image") or status.get("image"))


def _one_line(text: Any) -> str:
    return " ".join(str(text or "").split())[:600].rstrip(".")
