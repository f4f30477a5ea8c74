# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kinds of objects, and where the API has them. A fixed table: asking the API server for its own costs several requests a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote


@dataclass(frozen=True)
class Kind:
    """One kind of object."""

    name: str
    version: str  # as in apiVersion
    plural: str
    namespaced: bool = True

    @property
    def prefix(self) -> str:
        """The path of its group and version."""
        return f"/apis/{self.version}" if "/" in self.version else f"/api/{self.version}"

    def path(self, namespace: str, name: str = "") -> str:
        """The path of all objects in a namespace, or of the one with this name."""
        inside = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced else ""
        return f"{self.prefix}{inside}/{self.plural}" + (f"/{quote(name, safe='')}" if name else "")


_KINDS = (
    Kind("Namespace", "v1", "namespaces", namespaced=False),
    Kind("Node", "v1", "nodes", namespaced=False),
    Kind("Pod", "v1", "pods"),
    Kind("Service", "v1", "services"),
    Kind("ConfigMap", "v1", "configmaps"),
    Kind("Secret", "v1", "secrets"),
    Kind("ServiceAccount", "v1", "serviceaccounts"),
    Kind("Event", "v1", "events"),
    Kind("Deployment", "apps/v1", "deployments"),
    Kind("ReplicaSet", "apps/v1", "replicasets"),
    Kind("StatefulSet", "apps/v1", "statefulsets"),
    Kind("DaemonSet", "apps/v1", "daemonsets"),
    Kind("Job", "batch/v1", "jobs"),
    Kind("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets"),
    Kind("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies"),
    Kind("Ingress", "networking.k8s.io/v1", "ingresses"),
    Kind("EndpointSlice", "discovery.k8s.io/v1", "endpointslices"),
    Kind("Role", "rbac.authorization.k8s.io/v1", "roles"),
    Kind("RoleBinding", "rbac.authorization.k8s.io/v1", "rolebindings"),
    Kind(
        "CustomResourceDefinition", "apiextensions.k8s.io/v1", "customresourcedefinitions", namespaced=False
    ),
    Kind("Gateway", "gateway.networking.k8s.io/v1", "gateways"),
    Kind("HTTPRoute", "gateway.networking.k8s.io/v1", "httproutes"),
    Kind("Route", "route.openshift.io/v1", "routes"),
    Kind("Gateway", "networking.istio.io/v1", "gateways"),
    Kind("VirtualService", "networking.istio.io/v1", "virtualservices"),
    Kind("DestinationRule", "networking.istio.io/v1", "destinationrules"),
)
_BY_VERSION = {(kind.version, kind.name): kind for kind in _KINDS}


def kind_of(name: str) -> Kind:
    """A kind by its name, or `Kind.group` where groups share a name: `Gateway.networking.istio.io`. Raises KeyError."""
    word, _dot, group = name.partition(".")
    for kind in _KINDS:
        if kind.name == word and (not group or kind.version.rpartition("/")[0] == group):
            return kind
    raise KeyError(name)


def kind_of_object(thing: Mapping[str, Any]) -> Kind:
    """The kind that an object says it is. Raises KeyError."""
    return _BY_VERSION[thing["apiVersion"], thing["kind"]]
