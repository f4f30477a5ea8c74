# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The check that the quotas of the namespace admit all that a deployment adds."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.api_server import KubernetesObject
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import Cluster
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_status import termination_reason
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.deployed_objects import (
    DeployedObjects,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.object_names import (
    group_label,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.object_diff import (
    ObjectKey,
    is_subset,
    pod_template,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.preflight.quotas import (
    PodDemand,
    Quota,
    cluster_resource_quota,
    pod_demand,
    quota_problems,
    resource_quota,
)

# The functions that read quotas, by the kind of object.
QuotaKinds = Mapping[str, Callable[[KubernetesObject, str], Quota]]
QUOTA_KINDS: QuotaKinds = {"ResourceQuota": resource_quota}
OPENSHIFT_QUOTA_KINDS: QuotaKinds = {**QUOTA_KINDS, "AppliedClusterResourceQuota": cluster_resource_quota}


def exceeded_quotas(
    cluster: Cluster,
    deployed: DeployedObjects,
    planned: Mapping[ObjectKey, KubernetesObject],
    pods: Mapping[str, KubernetesObject],
    kinds: QuotaKinds,
) -> list[str]:
    """Return a sentence for each quota that a deployment would exceed.

    The API server checks each object of a dry run alone, so the sum is computed here. A user who is forbidden to read quotas gets
    no sentence: the rollout then reports the quota.

    Args:
        cluster: The cluster.
        deployed: The objects in the cluster.
        planned: The objects to apply, changed or not.
        pods: The pods of the dry run, which have the defaults of the LimitRanges, by the name of their Deployment.
        kinds: The kinds of quotas that the cluster can have.
    """
    created = [one for key, one in planned.items() if key not in deployed.objects]
    demands = [
        _demand(one, deployed, pods.get(name))
        for (kind, name), one in planned.items()
        if kind == "Deployment"
    ]
    if not created and not any(one.pods for one in demands):
        return []
    quotas = [
        read(one, cluster.namespace) for kind, read in kinds.items() for one in _readable(cluster, kind)
    ]
    return quota_problems(quotas, created, demands)


def _readable(cluster: Cluster, kind: str) -> list[KubernetesObject]:
    """Return the objects of a kind; none if the user must not list them, or the cluster does not have the kind."""
    try:
        return cluster.list(kind)
    except ClusterError:
        return []


def _demand(
    planned: KubernetesObject, deployed: DeployedObjects, sample: KubernetesObject | None
) -> PodDemand:
    existing = deployed.objects.get(("Deployment", str(planned["metadata"]["name"])))
    group = group_label(planned)
    running = sum(group_label(pod) == group and not termination_reason(pod) for pod in deployed.rollouts.pods)
    return pod_demand(
        deployed.group_of(planned),
        planned,
        running,
        is_rollout=not is_subset(pod_template(planned), pod_template(existing)),
        pod=sample or planned["spec"]["template"],
    )
