# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps pods safe: from connections that nobody meant, from eviction all at once, and the API server from them."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests import (
    object_names,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.pod_template import (
    Object,
    Pod,
)

# Prometheus, in whichever namespace it runs, as its operator and its charts label it.
PROMETHEUS = {
    "namespaceSelector": {},
    "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}},
}


def service_account(demo: str) -> Object:
    """Return the account of all pods of `demo`, which is allowed nothing and has no token."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": object_names.metadata(demo, object_names.object_name(demo)),
        "automountServiceAccountToken": False,
    }


def network_policy(demo: str, pod: Pod) -> Object:
    """Return who may connect to `pod`: to a published port everybody, to others the groups that call them, and Prometheus."""
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
    """Return the budgets of groups of several pods."""
    return [disruption_budget(demo, pod.group) for pod in pods if pod.replicas > 1]


def disruption_budget(demo: str, group: str) -> Object:
    """Return what lets a drained node take one pod of `group` at a time; a single pod is let go."""
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
