# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The comparison of what a deployment adds to a namespace with the quotas of the namespace. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Union

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.resource_kinds import (
    Kind,
    kind_of,
    kind_of_object,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.object_diff import quantity

Object = Mapping[str, Any]
Amounts = dict[str, Decimal]
Add = Callable[[str, Union[Decimal, int]], None]  # adds an amount of a resource

# Kinds that a quota can also count by their plural alone, besides `count/<plural>.<group>`.
_COUNTED = ("Pod", "Service", "ConfigMap", "Secret")
# Quotas of these scopes limit the pods of a Deployment whose containers request resources.
_SCOPES = {"NotTerminating", "NotBestEffort"}


@dataclass(frozen=True)
class Quota:
    """The limits for what a namespace can have.

    Attributes:
        name: Its name in messages, such as `ResourceQuota small in namespace demo`.
        hard: The limits, by resource.
        used: The amounts in use, by resource.
        scopes: The pods that it is about; empty for all objects.
    """

    name: str
    hard: Mapping[str, Any]
    used: Mapping[str, Any]
    scopes: frozenset[str] = frozenset()


def resource_quota(thing: Object, namespace: str) -> Quota:
    """Return the limits of a ResourceQuota."""
    name = f"ResourceQuota {thing['metadata']['name']} in namespace {namespace}"
    return _quota(name, thing["spec"], thing.get("status"))


def cluster_resource_quota(thing: Object, namespace: str) -> Quota:
    """Return the limits of an AppliedClusterResourceQuota, the view that a project of OpenShift has of a ClusterResourceQuota.

    The amounts in use are those of all its projects together.
    """
    name = f"ClusterResourceQuota {thing['metadata']['name']} for namespace {namespace}"
    return _quota(name, thing["spec"].get("quota") or {}, (thing.get("status") or {}).get("total"))


def _quota(name: str, spec: Object, status: Object | None) -> Quota:
    expressions = (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    scopes = (*(spec.get("scopes") or ()), *(str(one.get("scopeName")) for one in expressions))
    return Quota(name, spec.get("hard") or {}, (status or {}).get("used") or {}, frozenset(scopes))


@dataclass(frozen=True)
class PodDemand:
    """The pods that a deployment adds for one Deployment.

    Attributes:
        group: The name that the demo has for the Deployment.
        replicas: The number of pods without those of the rollout.
        surge: The number of pods that exist only during the rollout.
        pod: A pod, with the defaults of the LimitRanges as far as they are known.
    """

    group: str
    replicas: int
    surge: int
    pod: Object = field(default_factory=dict)

    @property
    def pods(self) -> int:
        """The number of pods at once."""
        return self.replicas + self.surge

    def __str__(self) -> str:
        """Return the demand for a message, such as `web: 2 + 1 during the rollout`."""
        if not self.surge:
            return f"{self.group}: {self.replicas}"
        return (
            f"{self.group}: {f'{self.replicas} + ' if self.replicas else ''}{self.surge} during the rollout"
        )


def pod_demand(group: str, planned: Object, running: int, *, is_rollout: bool, pod: Object) -> PodDemand:
    """Return the pods that a Deployment adds.

    Args:
        group: The name that the demo has for the Deployment.
        planned: The Deployment.
        running: The number of pods that it has.
        is_rollout: Whether its pods are replaced.
        pod: A pod of the Deployment.
    """
    surge = 1 if is_rollout and running else 0  # maxSurge of its strategy
    return PodDemand(group, max(int(planned["spec"].get("replicas", 1)) - running, 0), surge, pod)


def quota_problems(
    quotas: Iterable[Quota], created: Iterable[Object], demands: Iterable[PodDemand]
) -> list[str]:
    """Return a sentence for each resource of a quota that is exceeded.

    Args:
        quotas: The quotas that apply to the namespace.
        created: The objects to create, without pods.
        demands: The pods to create.
    """
    demands = [one for one in demands if one.pods]
    added = _added_amounts(list(created), demands)
    problems = []
    for quota in quotas:
        if quota.scopes - _SCOPES:
            continue  # for other pods
        for resource, hard in quota.hard.items():
            limit, before = quantity(hard), quantity(quota.used.get(resource, 0))
            amount = added.get(resource, Decimal(0))
            if limit is None or before is None or not amount or before + amount <= limit:
                continue
            if quota.scopes and not _is_about_pods(resource):
                continue
            problems.append(
                f"{quota.name}: this deployment adds {amount_text(amount, resource)} {resource}"
                f"{_details(resource, demands)}, but {amount_text(max(limit - before, Decimal(0)), resource)} of"
                f" {amount_text(limit, resource)} are left. Raise {resource} of the quota to {amount_text(before + amount, resource)},"
                f" {'lower the replicas' if _is_about_pods(resource) else 'remove other objects'}, or use another namespace."
            )
    return problems


def amount_text(value: Decimal, resource: str) -> str:
    """Return an amount of a resource in the unit that people use for it.

    Example:
        >>> amount_text(Decimal("0.5"), "limits.cpu"), amount_text(Decimal(64 * 1024**2), "memory"), amount_text(Decimal(3), "pods")
        ('500m', '64Mi', '3')
    """
    if resource.endswith(("memory", "storage")) and value % 1024**2 == 0 and value:
        return f"{int(value) // 1024**2}Mi"
    if value % 1:
        return f"{(value * 1000).to_integral_value()}m"
    return f"{int(value)}"


def _added_amounts(created: list[Object], demands: list[PodDemand]) -> Amounts:
    amounts: Amounts = {}

    def add(resource: str, amount: Decimal | int) -> None:
        amounts[resource] = amounts.get(resource, Decimal(0)) + amount

    for one in created:
        _count(add, kind_of_object(one), 1)
        if one["kind"] == "Service":
            for resource in _service_resources(one["spec"]):
                add(resource, 1)
    # Each Deployment whose pods are new has a new ReplicaSet.
    _count(add, kind_of("ReplicaSet"), len(demands))
    for demand in demands:
        _count(add, kind_of("Pod"), demand.pods)
        for resource, amount in pod_resources(demand.pod).items():
            add(resource, amount * demand.pods)
    return amounts


def _count(add: Add, kind: Kind, number: int) -> None:
    add(f"count/{kind.resource}", number)
    if kind.name in _COUNTED:
        add(kind.plural, number)


def _service_resources(spec: Object) -> list[str]:
    kind = spec.get("type", "ClusterIP")
    found = ["services.loadbalancers"] if kind == "LoadBalancer" else []
    if kind in ("NodePort", "LoadBalancer"):
        found += ["services.nodeports"] * len(spec.get("ports") or ())
    return found


def pod_resources(pod: Object) -> Amounts:
    """Return the requests and limits of a pod, by the names that a quota has for them."""
    spec = pod.get("spec", {})
    sidecars = [one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"]
    amounts: Amounts = {}
    for container in (*(spec.get("containers") or ()), *sidecars):
        resources = container.get("resources") or {}
        # A limit without a request is the request, too.
        requests = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
        for prefix, values in (("requests", requests), ("limits", resources.get("limits") or {})):
            for name, value in values.items():
                amount = quantity(value) or Decimal(0)
                for resource in (f"{prefix}.{name}", *([name] if prefix == "requests" else [])):
                    amounts[resource] = amounts.get(resource, Decimal(0)) + amount
    return amounts


def _is_about_pods(resource: str) -> bool:
    return resource in ("pods", "count/pods", "cpu", "memory", "ephemeral-storage") or resource.startswith(
        ("requests.", "limits.")
    )


def _details(resource: str, demands: list[PodDemand]) -> str:
    if not _is_about_pods(resource):
        return ""
    pods = "" if resource in ("pods", "count/pods") else " pods"
    return f" ({', '.join(map(str, demands))}{pods})"
