# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of objects and their paths in the API. A fixed table: discovery would cost several requests in each run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError


@dataclass(frozen=True)
class Kind:
    """One kind of object."""

    name: str
    version: str  # as in apiVersion
    plural: str
    namespaced: bool = True

    @property
    def prefix(self) -> str:
        """Return the path of the kind's group and version."""
        return f"/apis/{self.version}" if "/" in self.version else f"/api/{self.version}"

    @property
    def resource(self) -> str:
        """Return the name of the kind in quotas: `pods`, `deployments.apps`."""
        group = self.version.rpartition("/")[0]
        return f"{self.plural}.{group}" if group else self.plural

    def path(self, namespace: str, name: str = "") -> str:
        """Return the path of one object, or without a name of all objects of this kind in a namespace.

        Example:
            >>> kind_of("Pod").path("demo", "web-1")
            '/api/v1/namespaces/demo/pods/web-1'
        """
        scope = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced else ""
        return f"{self.prefix}{scope}/{self.plural}" + (f"/{quote(name, safe='')}" if name else "")

    def title(self, name: str, namespace: str) -> str:
        """Return what messages call an object: `Pod web-1 in namespace demo`."""
        return f"{self.name} {name}" + (f" in namespace {namespace}" if self.namespaced else "")


_KINDS = (
    Kind("Namespace", "v1", "namespaces", namespaced=False),
    Kind("Node", "v1", "nodes", namespaced=False),
    Kind("Pod", "v1", "pods"),
    Kind("Service", "v1", "services"),
    Kind("ConfigMap", "v1", "configmaps"),
    Kind("Secret", "v1", "secrets"),
    Kind("ServiceAccount", "v1", "serviceaccounts"),
    Kind("Event", "v1", "events"),
    Kind("ResourceQuota", "v1", "resourcequotas"),
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
    # What a user of a project can read of the ClusterResourceQuotas that apply to it.
    Kind("AppliedClusterResourceQuota", "quota.openshift.io/v1", "appliedclusterresourcequotas"),
    Kind("Gateway", "networking.istio.io/v1", "gateways"),
    Kind("VirtualService", "networking.istio.io/v1", "virtualservices"),
    Kind("DestinationRule", "networking.istio.io/v1", "destinationrules"),
    Kind("PeerAuthentication", "security.istio.io/v1", "peerauthentications"),
)
_BY_VERSION = {(kind.version, kind.name): kind for kind in _KINDS}


def kind_of(name: str) -> Kind:
    """Return a kind by its name, or by `Kind.group` where two groups share the name: `Gateway.networking.istio.io`.

    Raises:
        ClusterError: The kind is not in the table; the reason is `invalid`.
    """
    kind_name, _dot, group = name.partition(".")
    for kind in _KINDS:
        if kind.name == kind_name and (not group or kind.version.rpartition("/")[0] == group):
            return kind
    raise _unknown_kind(name)


def kind_of_object(thing: Mapping[str, Any]) -> Kind:
    """Return the kind of an object by its apiVersion and kind. Raises ClusterError as `kind_of` does."""
    version, name = thing.get("apiVersion"), thing.get("kind")
    try:
        return _BY_VERSION[str(version), str(name)]
    except KeyError:
        raise _unknown_kind(f"{version} {name}") from None


def _unknown_kind(name: str) -> ClusterError:
    return ClusterError("invalid", f"unknown kind '{name}'. Add it to _kube_client/resource_kinds.py.")
