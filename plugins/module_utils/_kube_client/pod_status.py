# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of pods, from their objects: which are ready, and why the others are not. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# A Pod as the API returns it, and other objects that have conditions.
PodObject = Mapping[str, Any]
_MAX_NAMES = 8  # of pods in one message


@dataclass(frozen=True)
class SelectedPods:
    """The pods of a selector that are not terminating: those that are ready, and name and reason of the others."""

    ready: tuple[PodObject, ...] = ()
    unready: tuple[tuple[str, str], ...] = ()


def select_ready(pods: Iterable[PodObject], container: str = "") -> SelectedPods:
    """Return which pods are ready, sorted by name. Pods that terminate or have ended are left out.

    Args:
        pods: The pods.
        container: Only the readiness of this container counts. Empty: the readiness of the whole pod counts.

    Example:
        >>> pod = {"metadata": {"name": "web-1"}, "status": {"phase": "Pending"}}
        >>> select_ready([pod])
        SelectedPods(ready=(), unready=(('web-1', 'the pod is Pending'),))
    """
    ready, unready = [], []
    for pod in sorted(pods, key=pod_name):
        if termination_reason(pod):
            continue
        reason = unready_reason(pod, container)
        if reason:
            unready.append((pod_name(pod), reason))
        else:
            ready.append(pod)
    return SelectedPods(tuple(ready), tuple(unready))


def pod_name(pod: PodObject) -> str:
    """Return the name of a pod."""
    return str(pod["metadata"]["name"])


def pod_identity(pod: PodObject) -> tuple[str, str]:
    """Return the name and the uid of a pod; an earlier pod of the same name has another uid."""
    return pod_name(pod), str(pod["metadata"].get("uid", ""))


def termination_reason(pod: PodObject) -> str:
    """Return why a pod will not respond again; empty if it may respond."""
    if pod["metadata"].get("deletionTimestamp"):
        return "it is being deleted"
    status = pod.get("status", {})
    if status.get("phase") in ("Succeeded", "Failed"):
        return f"it has ended: {status.get('reason') or status['phase']}"
    return ""


def unready_reason(pod: PodObject, container: str = "") -> str:
    """Return why a pod, or one of its containers, is not ready; empty if it is ready."""
    if container:
        known = container_names(pod)
        if container not in known:
            return f"the pod has no container {container}, only {', '.join(known)}"
        status = _container_status(pod, container)
        is_ready = status.get("ready") and "running" in status.get("state", {})
        return "" if is_ready else _container_reason(container, status)
    if condition(pod, "Ready").get("status") == "True":
        return ""
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        reason = scheduled.get("message") or scheduled.get("reason") or "the cluster reports no reason"
        return f"the pod is not scheduled: {reason}"
    for status in container_statuses(pod):
        if not status.get("ready") and "terminated" not in status.get("state", {}):
            return _container_reason(status["name"], status)
    return f"the pod is {pod.get('status', {}).get('phase', 'Pending')}"


def container_names(pod: PodObject) -> list[str]:
    """Return the names of a pod's containers, including native sidecars."""
    spec = pod.get("spec", {})
    sidecars = [one for one in spec.get("initContainers", ()) if one.get("restartPolicy") == "Always"]
    return [str(one["name"]) for one in [*spec.get("containers", ()), *sidecars]]


def port_number(pod: PodObject, port: str | int, container: str = "") -> int | None:
    """Return the number of a port by its number or by its name in the pod; None if no port has this name."""
    if isinstance(port, int) or port.isdigit():
        return int(port)
    spec = pod.get("spec", {})
    for one in [*spec.get("containers", ()), *spec.get("initContainers", ())]:
        if container and one["name"] != container:
            continue
        for entry in one.get("ports", ()):
            if entry.get("name") == port:
                return int(entry["containerPort"])
    return None


def no_ready_pod(
    selected: SelectedPods, selector: str, namespace: str, namespace_pods: Sequence[PodObject] = ()
) -> str:
    """Return why a selector has no ready pod.

    Args:
        selected: The pods of the selector, none of them ready.
        selector: The label selector.
        namespace: The name of the namespace.
        namespace_pods: All pods of the namespace; the message lists them where the selector matches none.
    """
    subject = f"{selector} in namespace {namespace}" if selector else f"namespace {namespace}"
    if selected.unready:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in selected.unready[:_MAX_NAMES])
        return f"no pod of {subject} is ready ({reasons})"
    names = sorted(pod_name(pod) for pod in namespace_pods)
    if not names:
        return f"no pod is selected by {subject}. The namespace has no pods."
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return f"no pod is selected by {subject}. The namespace has {', '.join(names[:_MAX_NAMES])}{more}."


def condition(thing: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """Return the condition of this type from an object's status; empty if the object has no such condition."""
    conditions = thing.get("status", {}).get("conditions") or ()
    return next((one for one in conditions if one.get("type") == kind), {})


def container_statuses(pod: PodObject) -> list[Mapping[str, Any]]:
    """Return the statuses of a pod's containers; init containers and native sidecars come first."""
    status = pod.get("status", {})
    return [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]


def _container_status(pod: PodObject, container: str) -> Mapping[str, Any]:
    return next((one for one in container_statuses(pod) if one.get("name") == container), {})


def _container_reason(name: str, status: Mapping[str, Any]) -> str:
    state = status.get("state", {})
    for kind in ("waiting", "terminated"):
        if kind in state:
            message = " ".join(str(state[kind].get("message") or "").split())[:200]
            reason = state[kind].get("reason") or kind
            return f"container {name} is {kind}: {reason}" + (f" ({message})" if message else "")
    if "running" in state:
        return f"container {name} runs and is not ready yet"
    return f"container {name} has not started"
