# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The objects that protect pods: NetworkPolicies, PodDisruptionBudgets and a ServiceAccount without rights."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests import (
    object_names,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.pod_template import (
    Object,
    Pod,
)

# Prometheus in any namespace, with the label of its operator and its charts.
PROMETHEUS = {
    "namespaceSelector": {},
    "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}},
}


def service_account(demo: str) -> Object:
    """Return the ServiceAccount of all pods of `demo`, which has no rights and no token."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": object_names.metadata(demo, object_names.object_name(demo)),
        "automountServiceAccountToken": False,
    }


def network_policy(demo: str, pod: Pod) -> Object:
    """Return the NetworkPolicy of `pod`: published ports accept all connections, other ports those of their callers.

    Prometheus can connect to ports with metrics.
    """
    ports = [port for one in pod.workloads for port in one.ports]
    rules: list[Object] = []
    published = [_port(port.number, port.protocol) for port in ports if port.published]
    if published:
        rules.append({"ports": published})
    for port in ports:
        if port.peers and not port.published:
            callers = [
                {"podSelector": {"matchLabels": object_names.match(demo, peer)}} for peer in port.peers
            ]
            rules.append({"from": callers, "ports": [_port(port.number, port.protocol)]})
    scraped = [_port(port.number, port.protocol) for port in ports if port.metrics and not port.published]
    if scraped:
        rules.append({"from": [PROMETHEUS], "ports": scraped})
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": object_names.metadata(demo, object_names.object_name(demo, pod.group), pod.group),
        "spec": {
            "podSelector": {"matchLabels": object_names.match(demo, pod.group)},
            "policyTypes": ["Ingress"],
            "ingress": rules,
        },
    }


def disruption_budgets(demo: str, pods: Iterable[Pod]) -> list[Object]:
    """Return the PodDisruptionBudgets of the groups with several pods."""
    return [disruption_budget(demo, pod.group) for pod in pods if pod.replicas > 1]


def disruption_budget(demo: str, group: str) -> Object:
    """Return the PodDisruptionBudget by which a drained node evicts one pod of `group` at a time."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": object_names.metadata(demo, object_names.object_name(demo, group), group),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": object_names.match(demo, group)},
        },
    }


def _port(number: int, protocol: str) -> Object:
    return {"port": number, "protocol": protocol.upper()}
