# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Has the API server try all of a change before any of it is made: missing rights, Pod Security, quotas and names that others have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.thread_pool import map_to_dict
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import Cluster
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes import (
    object_diff as objects,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.errors import (
    NoNamespace,
    refusal,
    sentence,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests import (
    object_names as labels,
)

Object = dict[str, Any]
Key = tuple[str, str]

TOUCH = {"metadata": {"annotations": {objects.SYNCED: "tried"}}}


class Rehearsal:
    """One change of the demo that `selector` finds; `there` is what it has, `called` says what the demo calls a Deployment."""

    def __init__(
        self,
        cluster: Cluster,
        selector: str,
        there: Mapping[Key, Object],
        called: Callable[[Mapping[str, Any]], str],
    ) -> None:
        self._cluster, self._selector = cluster, selector
        self._there, self._called = there, called

    def hold(
        self, applied: Mapping[Key, Object], removed: Iterable[Key] = (), touched: Iterable[Key] = ()
    ) -> dict[Key, Object]:
        """Return what the API server would make of each of `applied`. Raises PlatformRefused, with all that it would refuse.

        `removed` are deleted, `touched` are pods that the kubelet is to look at: of these it is tried whether this user may.
        """
        things = {**applied, **self._samples(applied)}
        steps = [
            *(("apply", key) for key in things),
            *(("delete", key) for key in removed),
            *(("touch", key) for key in touched),
        ]

        def attempt(step: tuple[str, Key]) -> Object | ClusterError:
            verb, (kind, name) = step
            try:
                if verb == "apply":
                    return self._cluster.apply(things[kind, name], dry_run=True).object
                if verb == "delete":
                    self._cluster.delete(kind, name, dry_run=True)
                else:
                    self._cluster.patch(kind, name, TOUCH, dry_run=True)
            except ClusterError as error:
                return error
            return {}

        said: dict[str, None] = {}
        would_be: dict[Key, Object] = {}
        for (verb, key), answer in map_to_dict(attempt, steps).items():
            if isinstance(answer, ClusterError):
                if why := self._why_not(verb, key, answer, things):
                    said[why] = None
            elif verb == "apply" and key in applied:
                # What is only tried gets no version of its own.
                if key not in self._there and answer["metadata"].get("resourceVersion"):
                    said[self._somebody_elses(key)] = None
                would_be[key] = answer
        if said:
            raise PlatformRefused("; ".join(said))
        return would_be

    def _samples(self, applied: Mapping[Key, Object]) -> dict[Key, Object]:
        """Return a pod as each Deployment would make new ones, by the Deployment's name."""
        deployments = {name: one for (kind, name), one in applied.items() if kind == "Deployment"}
        return {
            ("Pod", name): objects.sample_pod(one)
            for name, one in deployments.items()
            if not objects.is_as_wanted(
                objects.template_of(one), objects.template_of(self._there.get(("Deployment", name)))
            )
        }

    def _why_not(self, verb: str, key: Key, error: ClusterError, things: Mapping[Key, Object]) -> str:
        """Return why a step would be refused, '' where that stands in nobody's way. Raises PlatformRefused for what concerns all steps."""
        if error.reason not in ("forbidden", "invalid", "conflict", "not_found"):
            raise refusal(error)
        if verb != "apply":
            return sentence(error.message) if error.reason == "forbidden" else ""
        if key[0] == "Pod":
            if _says_nothing_of_pods(error):
                return ""
            said = error.message.partition(": ")[2]
            return f"{self._called(things['Deployment', key[1]])}: the cluster would refuse its pods: {said}"
        if error.reason == "not_found" and "namespace" in error.message:
            raise NoNamespace(sentence(error.message))
        if error.reason == "not_found":
            return f"This cluster has no {key[0]}, which {key[1]} is: install what brings it, or do without"
        return sentence(error.message)

    def _somebody_elses(self, key: Key) -> str:
        try:
            there = self._cluster.get(*key) or {"metadata": {}}
        except ClusterError as error:
            return f"{key[0]} {key[1]} is there already, and whose it is cannot be seen: {error}"
        demo = (there["metadata"].get("labels") or {}).get(labels.DEMO)
        whose = f"is of the demo {demo}" if demo else "is not of any demo"
        namespace = self._cluster.namespace
        own = ""
        if not demo:
            command = f"kubectl --namespace {namespace} label {key[0].lower()} {key[1]} {self._selector}"
            own = f"; if it is this demo's own, say so: {command}"
        return (
            f"{key[0]} {key[1]} in namespace {namespace} {whose}: remove it, choose another namespace,"
            f" or give this demo another name{own}"
        )


def _says_nothing_of_pods(error: ClusterError) -> bool:
    """Whether a pod was not let in for who asks, or for what is there only later: a Deployment's pods are made by another."""
    return error.reason in ("forbidden", "conflict", "not_found") or "service account" in error.message
