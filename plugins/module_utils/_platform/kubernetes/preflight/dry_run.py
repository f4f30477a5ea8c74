# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dry runs of all requests of a deployment before the first change: missing permissions, Pod Security, quotas, and names in use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.thread_pool import map_to_dict
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.api_server import KubernetesObject
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import Cluster
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.errors import (
    NamespaceMissing,
    refusal,
    sentence,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests import (
    object_names,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.mesh.istio_mesh import (
    NOT_INJECTED,
    lacks_proxy,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.object_changes import (
    sample_pod,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.object_diff import (
    ObjectKey,
    is_subset,
    pod_template,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.pod_volumes import REFRESHED
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.rollout import QUOTA

REFRESH = {"metadata": {"annotations": {REFRESHED: "dry-run"}}}


class DryRun:
    """The dry runs of one deployment or of one teardown."""

    def __init__(
        self,
        cluster: Cluster,
        selector: str,
        existing: Mapping[ObjectKey, KubernetesObject],
        group_of: Callable[[Mapping[str, Any]], str],
        tool: str = "kubectl",
    ) -> None:
        """Keep what the dry runs need.

        Args:
            cluster: The cluster.
            selector: The label selector of the demo's objects.
            existing: The demo's objects in the cluster.
            group_of: Returns the name that the demo has for a Deployment.
            tool: The command that messages name: kubectl or oc.
        """
        self._cluster, self._selector, self._tool = cluster, selector, tool
        self._existing, self._group_of = existing, group_of

    def run(
        self,
        applied: Mapping[ObjectKey, KubernetesObject],
        deleted: Iterable[ObjectKey] = (),
        refreshed: Iterable[ObjectKey] = (),
        quota_problems: Callable[[Mapping[str, KubernetesObject]], Sequence[str]] = lambda _pods: (),
    ) -> dict[ObjectKey, KubernetesObject]:
        """Return the objects that an apply would result in.

        Args:
            applied: The objects to apply. Of each changed Deployment a pod is applied, too.
            deleted: The objects to delete.
            refreshed: The pods to annotate, as `refresh_volumes` does.
            quota_problems: Returns a sentence for each exceeded quota, from the pods of the dry run by the name of their Deployment.

        Raises:
            PlatformRefused: The API server would reject a request; the message names all such requests.
        """
        things = {**applied, **self._sample_pods(applied)}
        requests = [
            *(("apply", key) for key in things),
            *(("delete", key) for key in deleted),
            *(("refresh", key) for key in refreshed),
        ]

        def send(request: tuple[str, ObjectKey]) -> KubernetesObject | ClusterError:
            verb, (kind, name) = request
            try:
                if verb == "apply":
                    return self._cluster.apply(things[kind, name], dry_run=True).object
                if verb == "delete":
                    self._cluster.delete(kind, name, dry_run=True)
                else:
                    self._cluster.patch(kind, name, REFRESH, dry_run=True)
            except ClusterError as error:
                return error
            return {}

        problems: dict[str, None] = {}  # a set in the order of the requests
        results: dict[ObjectKey, KubernetesObject] = {}
        responses = map_to_dict(send, requests)
        pods = {
            key[1]: result
            for (verb, key), result in responses.items()
            if verb == "apply" and key[0] == "Pod" and not isinstance(result, ClusterError)
        }
        exceeded = quota_problems(pods)
        problems.update(dict.fromkeys(exceeded))
        for (verb, key), result in responses.items():
            if isinstance(result, ClusterError):
                if exceeded and QUOTA.search(result.message):
                    continue  # a problem of all objects together
                if verb == "apply" and key not in self._existing and self._is_foreign(key, result):
                    problems[self._name_in_use(key)] = None
                elif problem := self._problem(verb, key, result, things):
                    problems[problem] = None
            elif verb == "apply" and key in applied:
                # An object that the dry run would create has no resourceVersion.
                if key not in self._existing and result["metadata"].get("resourceVersion"):
                    problems[self._name_in_use(key)] = None
                results[key] = result
            elif verb == "apply" and key[0] == "Pod" and lacks_proxy(result):
                group = self._group_of(things["Deployment", key[1]])
                problems[f"{group}: {NOT_INJECTED}"] = None
        if problems:
            raise PlatformRefused(" ".join(problems))
        return results

    def _is_foreign(self, key: ObjectKey, error: ClusterError) -> bool:
        """Return whether the API server rejects a new object because of another object with its name."""
        if error.reason not in ("invalid", "conflict") or key[0] == "Pod":
            return False
        try:
            return self._cluster.get(*key) is not None
        except ClusterError:
            return False

    def _sample_pods(
        self, applied: Mapping[ObjectKey, KubernetesObject]
    ) -> dict[ObjectKey, KubernetesObject]:
        """Return a pod of each Deployment that would create new pods, by the Deployment's name."""
        deployments = {name: thing for (kind, name), thing in applied.items() if kind == "Deployment"}
        return {
            ("Pod", name): sample_pod(thing)
            for name, thing in deployments.items()
            if not is_subset(pod_template(thing), pod_template(self._existing.get(("Deployment", name))))
        }

    def _problem(
        self, verb: str, key: ObjectKey, error: ClusterError, things: Mapping[ObjectKey, KubernetesObject]
    ) -> str:
        """Return the sentences about a request that would fail; empty if the failure has no consequence.

        Raises:
            PlatformRefused: The failure concerns all requests.
        """
        if error.reason not in ("forbidden", "invalid", "conflict", "not_found"):
            raise refusal(error)
        if verb != "apply":
            return sentence(error.message) if error.reason == "forbidden" else ""
        if key[0] == "Pod":
            if _is_about_the_user(error):
                return ""
            reason = error.message.partition(": ")[2].rstrip(".")
            group = self._group_of(things["Deployment", key[1]])
            return (
                f"{group}: the cluster rejects its pods: {reason}. Change the demo or the namespace's rules."
            )
        if error.reason == "not_found" and "namespace" in error.message:
            raise NamespaceMissing(sentence(error.message))
        if error.reason == "not_found":
            return f"{key[0]} {key[1]}: the cluster does not support {key[0]}. Install its API, or do not use it."
        return sentence(error.message)

    def _name_in_use(self, key: ObjectKey) -> str:
        kind, name = key
        namespace = self._cluster.namespace
        try:
            existing = self._cluster.get(*key) or {"metadata": {}}
        except ClusterError as error:
            return f"{kind} {name} exists, and its labels cannot be read: {sentence(error.message)}"
        demo = (existing["metadata"].get("labels") or {}).get(object_names.DEMO)
        owner = f"belongs to demo {demo}" if demo else "belongs to no demo"
        adopt = ""
        if not demo:
            command = f"{self._tool} --namespace {namespace} label {kind.lower()} {name} {self._selector}"
            adopt = f" If it belongs to this demo, label it: {command}."
        return (
            f"{kind} {name} in namespace {namespace} {owner}."
            f" Remove it, use another namespace, or rename this demo.{adopt}"
        )


def _is_about_the_user(error: ClusterError) -> bool:
    """Return whether a pod was rejected because of this user, or of an object that is created later.

    The pods of a Deployment are created by a controller of the cluster, with its own permissions.
    """
    return error.reason in ("forbidden", "conflict", "not_found") or "service account" in error.message
