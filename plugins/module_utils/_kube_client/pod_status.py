# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a pod's object says about it: whether it is ready, and if not, why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Pod = Mapping[str, Any]
_MOST_NAMED = 8


@dataclass(frozen=True)
class Found:
    """The pods of a selector: those that can be asked, and those that are not ready, with the reason."""

    ready: tuple[Pod, ...] = ()
    unready: tuple[tuple[str, str], ...] = field(default=())  # name, why


def sort_out(pods: Iterable[Pod], container: str = "") -> Found:
    """Which pods are ready, by name. Pods that are ending, or have ended, are neither.

    With `container`, what counts is that this one is ready, whatever the others are.
    """
    ready, unready = [], []
    for pod in sorted(pods, key=name_of):
        if gone(pod):
            continue
        why = why_not_ready(pod, container)
        if why:
            unready.append((name_of(pod), why))
        else:
            ready.append(pod)
    return Found(tuple(ready), tuple(unready))


def name_of(pod: Pod) -> str:
    return str(pod["metadata"]["name"])


def identity_of(pod: Pod) -> tuple[str, str]:
    """Its name, and what tells it from an earlier one of that name."""
    return name_of(pod), str(pod["metadata"].get("uid", ""))


def gone(pod: Pod) -> str:
    """Why a pod will not answer again, in words; empty if it may."""
    if pod["metadata"].get("deletionTimestamp"):
        return "it is being deleted"
    status = pod.get("status", {})
    if status.get("phase") in ("Succeeded", "Failed"):
        return f"it has ended: {status.get('reason') or status['phase']}"
    return ""


def why_not_ready(pod: Pod, container: str = "") -> str:
    """In words; empty where it is ready."""
    if container:
        known = containers_of(pod)
        if container not in known:
            return f"it has no container {container}, but {', '.join(known)}"
        one = _status_of(pod, container)
        return (
            "" if one.get("ready") and "running" in one.get("state", {}) else _container_words(container, one)
        )
    if condition(pod, "Ready").get("status") == "True":
        return ""
    waiting = [
        _container_words(one["name"], one)
        for one in statuses(pod)
        if not one.get("ready") and "terminated" not in one.get("state", {})
    ]
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        return (
            f"it is not scheduled: {scheduled.get('message') or scheduled.get('reason') or 'no reason given'}"
        )
    return waiting[0] if waiting else f"it is {pod.get('status', {}).get('phase', 'Pending')}"


def containers_of(pod: Pod) -> list[str]:
    """The names of its containers, native sidecars included."""
    spec = pod.get("spec", {})
    sidecars = [one for one in spec.get("initContainers", ()) if one.get("restartPolicy") == "Always"]
    return [str(one["name"]) for one in [*spec.get("containers", ()), *sidecars]]


def port_of(pod: Pod, port: str | int, container: str = "") -> int | None:
    """A port by its number or by its name in the pod; None where it has none of that name."""
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


def nobody(found: Found, selector: str, namespace: str, everyone: Sequence[Pod] = ()) -> str:
    """Why there is no pod to ask. `everyone` are the namespace's pods, to say what there is."""
    what = f"{selector} in namespace {namespace}" if selector else f"namespace {namespace}"
    if found.unready:
        words = "; ".join(f"{name}: {why}" for name, why in found.unready[:_MOST_NAMED])
        return f"no pod of {what} is ready ({words})"
    others = sorted(name_of(pod) for pod in everyone)
    there = (
        f"there {'is' if len(others) == 1 else 'are'} {', '.join(others[:_MOST_NAMED])}"
        if others
        else "it has no pods"
    )
    more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
    return f"no pod is selected by {what}; {there}{more}"


def condition(thing: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """A condition of an object, by its type; empty where it has none of that type."""
    conditions = thing.get("status", {}).get("conditions") or ()
    return next((one for one in conditions if one.get("type") == kind), {})


def statuses(pod: Pod) -> list[Mapping[str, Any]]:
    """The states of its containers, native sidecars first."""
    status = pod.get("status", {})
    return [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]


def _status_of(pod: Pod, container: str) -> Mapping[str, Any]:
    return next((one for one in statuses(pod) if one.get("name") == container), {})


def _container_words(name: str, status: Mapping[str, Any]) -> str:
    state = status.get("state", {})
    for kind in ("waiting", "terminated"):
        if kind in state:
            message = " ".join(str(state[kind].get("message") or "").split())[:200]
            words = state[kind].get("reason") or kind
            return f"container {name} is {kind}: {words}" + (f" ({message})" if message else "")
    if "running" in state:
        return f"container {name} runs and is not ready yet"
    return f"container {name} has not begun"
