# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the rollout of a Deployment goes, from raw objects of the API: it is ready, waits for something, or cannot come true. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_status import (
    condition,
    container_statuses,
)

Object = Mapping[str, Any]
State = Literal["ready", "waiting", "broken"]

REVISION = "deployment.kubernetes.io/revision"
IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError")
# What a registry or a platform says of an image that no second attempt brings.
FOR_GOOD = re.compile(
    r"not found|denied|unauthorized|forbidden|invalid|no basic auth|manifest unknown|not present|x509|no such host|HTTP response to HTTPS",
    re.IGNORECASE,
)
CRASHES = "CrashLoopBackOff"
# Reasons of a container that waits, and that nobody but a person can help.
STARTS_NEVER = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
SECURITY = re.compile(r"violates PodSecurity|security context constraint", re.IGNORECASE)
QUOTA = re.compile(r"exceeded quota|failed quota", re.IGNORECASE)


@dataclass(frozen=True)
class Rollout:
    """`words` say why it is not ready, and what to do. `pod` and `container` are where more can be read, `previous` before its restart."""

    state: State
    words: str = ""
    pod: str = ""
    container: str = ""
    previous: bool = False


READY = Rollout("ready")


def judge(deployment: Object, replica_sets: Iterable[Object], pods: Iterable[Object]) -> Rollout:
    """Return how the rollout goes; `replica_sets` and `pods` may be those of others too.

    A pod of an earlier version counts for nothing: it may have been broken before, and goes when the new ones serve.
    """
    spec, status = deployment["spec"], deployment.get("status", {})
    if status.get("observedGeneration", 0) < deployment["metadata"].get("generation", 1):
        return Rollout("waiting", "the cluster has not looked at its Deployment yet")
    wanted = int(spec.get("replicas", 1))
    counted = {key: int(status.get(key, 0)) for key in ("replicas", "updatedReplicas", "availableReplicas")}
    if all(one == wanted for one in counted.values()):
        return READY
    newest = newest_of(deployment, replica_sets)
    if newest is None:
        return _not_created(deployment) or Rollout("waiting", "its pods are not made yet")
    found = [look for pod in pods_of(newest, pods) if (look := look_at(pod)).state != "ready"]
    for state in ("broken", "waiting"):
        if told := [one for one in found if one.state == state]:
            # One of them speaks for all; who has more to tell comes first.
            return max(told, key=lambda one: (bool(one.container), len(one.words)))
    return _not_created(newest) or _not_created(deployment) or _counting(wanted, counted)


def newest_of(deployment: Object, replica_sets: Iterable[Object]) -> Object | None:
    """Return the ReplicaSet of what the Deployment says now, None where there is none yet."""
    revision = deployment["metadata"].get("annotations", {}).get(REVISION)
    own = [one for one in replica_sets if _owned(one, deployment)]
    return next(
        (one for one in own if one["metadata"].get("annotations", {}).get(REVISION) == revision), None
    )


def pods_of(replica_set: Object, pods: Iterable[Object]) -> list[Object]:
    """Return the pods of a ReplicaSet that are to stay."""
    return [one for one in pods if _owned(one, replica_set) and not one["metadata"].get("deletionTimestamp")]


def look_at(pod: Object) -> Rollout:
    """Return how it goes with one pod."""
    name, status = str(pod["metadata"]["name"]), pod.get("status", {})
    if condition(pod, "Ready").get("status") == "True":
        return READY
    if status.get("phase") in ("Failed", "Succeeded"):
        why = status.get("message") or status.get("reason") or status["phase"]
        return Rollout("waiting", f"pod {name} has ended ({_line(why)}), and another takes its place", name)
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        return Rollout("waiting", _unscheduled(name, scheduled), name)
    looks = [_container(pod, one) for one in container_statuses(pod)]
    for state in ("broken", "waiting"):
        for look in looks:
            if look.state == state:
                return look
    return Rollout("waiting", f"pod {name} is {status.get('phase') or 'new'}", name)


def is_stuck(pod: Object) -> bool:
    """Whether the kubelet waits longer and longer before it tries this pod again, so that a new pod is quicker."""
    reasons = {one.get("state", {}).get("waiting", {}).get("reason") for one in container_statuses(pod)}
    return bool(reasons & {CRASHES, *IMAGE, *STARTS_NEVER})


def still_serving(deployment: Object, replica_sets: Sequence[Object]) -> int:
    """Return how many pods of earlier versions serve."""
    newest = newest_of(deployment, replica_sets)
    return sum(
        int(one.get("status", {}).get("availableReplicas", 0))
        for one in replica_sets
        if _owned(one, deployment) and one is not newest
    )


def _container(pod: Object, status: Object) -> Rollout:
    """Return how it goes with one container, by its status."""
    name, pod_name = str(status["name"]), str(pod["metadata"]["name"])
    state = status.get("state", {})
    waiting, running = state.get("waiting", {}), state.get("running")
    reason, message = str(waiting.get("reason") or ""), _line(waiting.get("message"))
    ended = state.get("terminated") or (status.get("lastState", {}).get("terminated") if waiting else None)
    what = f"container {name} of pod {pod_name}"
    if reason in IMAGE:
        return _image(pod_name, name, _image_of(pod, status), reason, message)
    if reason == CRASHES or (ended and ended.get("reason") in ("StartError", "ContainerCannotRun")):
        return Rollout("broken", f"{what} {_crash(pod, name, ended or {})}", pod_name, name, bool(waiting))
    if reason in STARTS_NEVER:
        return Rollout(
            "broken", f"{what} cannot be started: {message or reason}; correct that and run again", pod_name
        )
    if ended and int(ended.get("exitCode", 0)) != 0:
        return Rollout(
            "waiting", f"{what} ended with exit code {ended.get('exitCode')}, and is started again", pod_name
        )
    if ended and _is_init(pod, name):
        return READY
    if running is not None:
        if status.get("ready"):
            return READY
        if status.get("started") is False:
            return Rollout("waiting", f"{what} runs and did not pass its startup probe yet", pod_name, name)
        return Rollout("waiting", f"{what} runs, but its readiness probe fails", pod_name, name)
    return Rollout(
        "waiting", f"{what} waits ({': '.join(filter(None, (reason, message))) or 'not started'})", pod_name
    )


def _image(pod: str, container: str, image: str, reason: str, message: str) -> Rollout:
    # The first attempt is told in full, later ones behind "Back-off pulling image …: ErrImagePull: ".
    said = message.rpartition("desc = ")[2] or message
    said = re.sub(r"^Back-off pulling image \"[^\"]*\"(: ErrImagePull: |$)", "", said)
    words = f"image {image} cannot be pulled"
    where = f"(pod {pod}, container {container})"
    if reason in ("ErrImagePull", "ImagePullBackOff") and not FOR_GOOD.search(said):
        return Rollout(
            "waiting",
            f"{words}{f': {said}' if said else ''} {where}; the cluster tries again",
            "" if said else pod,
        )
    return Rollout(
        "broken",
        f"{words}: {said or reason} {where}; correct its name, or let the cluster's nodes reach and use its registry",
        pod,
    )


def _crash(pod: Object, container: str, ended: Object) -> str:
    code, reason, message = ended.get("exitCode"), ended.get("reason"), _line(ended.get("message"))
    if reason == "OOMKilled":
        limit = _spec_of(pod, container).get("resources", {}).get("limits", {}).get("memory", "its limit")
        return f"needs more memory than {limit}, and was killed for it"
    if reason in ("StartError", "ContainerCannotRun"):
        return f"cannot be started: {message}"
    return f"ends again and again, with exit code {code}" if code is not None else "ends again and again"


def _unscheduled(pod: str, condition: Object) -> str:
    why = _line(condition.get("message") or condition.get("reason"))
    return f"no node takes pod {pod}: {why}; free what it asks for, or ask for less"


def _not_created(owner: Object) -> Rollout | None:
    """Return why a controller could not make pods, None where it could."""
    failure = condition(owner, "ReplicaFailure")
    if failure.get("status") != "True":
        return None
    words = re.sub(r'^pods "[^"]*" is forbidden: ', "", _line(failure.get("message")))
    if SECURITY.search(words):
        return Rollout(
            "broken",
            f"its pods are refused by the cluster's security rules: {words}; let them ask for less, or use another namespace",
        )
    if QUOTA.search(words):
        return Rollout(
            "waiting",
            f"the namespace's quota has no room for its pods: {words}; free some, or raise the quota",
        )
    if "serviceaccount" in words.replace(" ", "").lower():
        return Rollout("waiting", f"its pods cannot be made yet: {words}")
    return Rollout("broken", f"its pods cannot be made: {words}; correct that and run again")


def _counting(wanted: int, counted: Mapping[str, int]) -> Rollout:
    if counted["availableReplicas"] < wanted or counted["updatedReplicas"] < wanted:
        new = min(counted["availableReplicas"], counted["updatedReplicas"])
        return Rollout("waiting", f"{new} of {wanted} pods serve")
    return Rollout("waiting", f"{counted['replicas'] - wanted} pods of before are still there")


def _owned(thing: Object, owner: Object) -> bool:
    uid = owner["metadata"].get("uid")
    return any(one.get("uid") == uid for one in thing["metadata"].get("ownerReferences", ()))


def _spec_of(pod: Object, container: str) -> Object:
    spec = pod.get("spec", {})
    every = [*spec.get("initContainers", ()), *spec.get("containers", ())]
    return next((one for one in every if one["name"] == container), {})


def _is_init(pod: Object, container: str) -> bool:
    inits = pod.get("spec", {}).get("initContainers", ())
    return any(one["name"] == container and one.get("restartPolicy") != "Always" for one in inits)


def _image_of(pod: Object, status: Object) -> str:
    return str(_spec_of(pod, status["name"]).get("image") or status.get("image"))


def _line(words: Any) -> str:
    return " ".join(str(words or "").split())[:600]
