# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The deployer of pods in one namespace: server-side apply of the objects that differ, and of no others.

Longer than 300 lines because one class implements the whole interface of a deployer, after 60 lines of imports.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.thread_pool import map_to_dict
from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import attempts
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import AdminUnreachable
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.api_server import KubernetesObject
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import (
    Cluster,
    connect,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    AppliedChanges,
    DeploymentSpec,
    PlatformFailed,
    PlatformRefused,
    WithoutRestoration,
    sorted_names,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_command import (
    DockerCommand,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes import documents
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.delete import (
    DELETION_TIMEOUT,
    PAUSE,
    delete_objects,
    still_existing,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.deployed_objects import (
    VOLUME_KINDS,
    DeployedObjects,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.errors import (
    NamespaceMissing,
    refusal,
    sentence,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.config_map_target import (
    ConfigMapTarget,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.proxy_pods import (
    proxy_pods_of,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.received_config import (
    received_configs,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.target_selection import (
    config_map_targets,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.upstream_hosts import (
    wait_for_pods_of,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests import (
    object_names,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.object_apply import (
    ObjectApplier,
    Objects,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.object_changes import (
    for_cluster_version,
    with_previous_callers,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.object_diff import (
    display_name,
    is_terminating,
    object_key,
    with_digest,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.preflight.dry_run import (
    DryRun,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.preflight.quota_check import (
    QUOTA_KINDS,
    exceeded_quotas,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.readiness import (
    wait_for_rollouts,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.rollout import is_backing_off
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.packages.image_build import (
    build_images,
    missing_builds,
)


class KubernetesDeployer(WithoutRestoration):
    """The deployer of pods; see `deployer.Deployer`."""

    document_path = documents.FILE
    tool = "kubectl"  # the command that messages name
    create_namespace = "kubectl create namespace"
    quota_kinds = QUOTA_KINDS

    def __init__(self, spec: DeploymentSpec) -> None:
        """Make a deployer. Nothing is read or changed."""
        self.name, self.folder = spec.name, spec.folder
        self.selector = f"{object_names.DEMO}={spec.name}"
        self.planned: Objects = {object_key(one): dict(one) for one in spec.manifests}
        names = [one.group or one.name for one in spec.workloads]
        groups = {object_names.dns(name): name for name in names}
        self._deployed = DeployedObjects(self.selector, self.planned, groups)
        self._proxies = {one["proxy"]: proxy_pods_of(one) for one in spec.admins if one.get("pods")}
        self._received = received_configs(spec.admins)
        self._watched_files = spec.watched_files
        self._options = spec.cluster
        self._workloads = [one for one in spec.workloads if one.packages]
        self._docker = DockerCommand(spec.name, spec.folder)
        self._cluster: Cluster | None = None
        self._targets: dict[str, ConfigMapTarget] = {}  # by proxy
        self._connected_applier: ObjectApplier | None = None
        self._dry_run_results: Objects = {}
        # Objects that `remove_unlisted` applies again, without the callers of the previous plan.
        self._to_narrow: Objects = {}
        self._changed_pods = False
        self._progress = spec.progress

    @property
    def cluster(self) -> Cluster:
        """Return the client of the cluster; the first access creates it. Raises PlatformRefused."""
        if self._cluster is None:
            try:
                self._cluster = connect(self._options)
            except ClusterError as error:
                raise refusal(error) from None
        return self._cluster

    @property
    def _applier(self) -> ObjectApplier:
        if self._connected_applier is None:
            self._connected_applier = ObjectApplier(self.cluster, self.folder, self._deployed, self._targets)
        return self._connected_applier

    def close(self) -> None:
        """Close all connections."""
        for target in self._targets.values():
            target.close()
        if self._cluster is not None:
            self._cluster.close()

    def location(self) -> str:
        """Return the namespace and the address of the API server."""
        return f"namespace {self.cluster.namespace} of {self.cluster.server}"

    def preflight(self) -> None:
        """List the demo's objects, and dry-run all changes."""
        self._update()
        self._wait_for_terminating()
        self._adapt_to_version()
        file_objects = [one for (kind, _name), one in self.planned.items() if kind in VOLUME_KINDS]
        self._targets.update(
            config_map_targets(
                self.cluster,
                self.folder,
                self._proxies,
                self._watched_files,
                file_objects,
                self._deployed.objects,
            )
        )
        self._dry_run()

    def config_targets(self) -> Mapping[str, ConfigMapTarget]:
        """Return, by proxy, the ConfigMap or the Secret with its watched files."""
        return self._targets

    def missing_images(self) -> tuple[str, ...]:
        """Return the images with packages that this host has not built and pushed. The nodes pull all images."""
        return missing_builds(self._docker, self._workloads)

    def pull_images(self, images: Iterable[str]) -> None:
        """Build and push images with packages. Raises PlatformRefused."""
        build_images(self._docker, self._workloads, images)

    def predict(self, document: str) -> AppliedChanges:  # noqa: ARG002  (the dry run has the result)
        """Return the changes that the dry run resulted in."""
        return self._deployed.changes(self._dry_run_results, self._deployed.unplanned(self.planned))

    def apply(self) -> AppliedChanges:
        """Apply the objects that differ, Deployments last, and replace pods whose start the kubelet delays."""
        complete = {key: self._applier.completed(one) for key, one in self.planned.items()}
        if missing := [display_name(key) for key, one in complete.items() if one is None]:
            raise PlatformFailed(
                f"{', '.join(missing)}: the certificate does not exist in {self.folder}. Run again."
            )
        differing = {
            key: one for key, one in complete.items() if one and self._applier.differs_from_existing(key, one)
        }
        existing = self._deployed.objects
        applied = {key: with_previous_callers(one, existing.get(key)) for key, one in differing.items()}
        self._to_narrow = {key: one for key, one in differing.items() if applied[key] != one}
        results: Objects = {}
        for is_last in (False, True):
            results.update(
                self._applier.apply(
                    {key: one for key, one in applied.items() if (key[0] == "Deployment") == is_last}
                )
            )
        changes = self._deployed.changes(results)
        existing.update({key: results[key] for key in self._to_narrow})
        replaced = self._applier.replace_delayed_pods(changes)
        self._changed_pods = bool(results or replaced)
        return replace(changes, restarted=sorted_names([*changes.restarted, *replaced]))

    def wait_until_ready(self, timeout: float) -> None:
        """Return when the rollouts of all planned Deployments are complete."""
        groups = {
            name: self._deployed.group_of(one)
            for (kind, name), one in self.planned.items()
            if kind == "Deployment"
        }
        known = None if self._changed_pods else self._deployed.rollouts
        wait_for_rollouts(
            self.cluster,
            self.selector,
            groups,
            timeout,
            known=known,
            tool=self.tool,
            progress=self._progress,
        )

    def wait_until_discovered(self, timeout: float) -> None:
        """Return when the Envoy of each pod has discovered its upstream pods by DNS, or received them from a mesh."""
        waiting = [name for name, pods in self._proxies.items() if name in self._targets or pods.members]
        try:
            problems = map_to_dict(lambda proxy: self._undiscovered(proxy, timeout), waiting)
            received = map_to_dict(
                lambda proxy: self._received[proxy].wait(self.cluster, timeout), self._received
            )
        except AdminUnreachable as error:
            raise PlatformFailed(f"An admin interface stopped responding: {sentence(str(error))}") from None
        found = [*problems.items(), *received.items()]
        if failed := [f"{proxy}: {sentence(problem)}" for proxy, problem in found if problem]:
            raise PlatformFailed("\n".join(failed))

    def _undiscovered(self, proxy: str, timeout: float) -> str:
        """Return which pods a proxy has not discovered after `timeout` seconds, or an empty text."""
        if proxy in self._targets:
            return self._targets[proxy].wait_until_discovered(timeout)
        return wait_for_pods_of(self.cluster, self._proxies[proxy], timeout)

    def remove_unlisted(self) -> AppliedChanges:
        """Delete the objects that are not planned, and remove the callers of the previous plan from NetworkPolicies."""
        narrowed = self._deployed.changes(self._applier.apply(self._to_narrow))
        unplanned = self._deployed.unplanned(self.planned)
        pod_selectors = [
            f"{self.selector},{object_names.NAME}={self._deployed.group_label(key)}"
            for key in unplanned
            if key[0] == "Deployment"
        ]
        try:
            delete_objects(self.cluster, unplanned, self.selector, pod_selectors)
        except ClusterError as error:
            raise PlatformFailed(
                f"Not all objects that the plan has dropped are removed: {sentence(error.message)} Run again."
            ) from None
        removed = self._deployed.changes({}, unplanned)
        return replace(
            removed,
            objects=sorted_names([*narrowed.objects, *removed.objects]),
            diff=(*narrowed.diff, *removed.diff),
        )

    def running_workloads(self) -> tuple[str, ...]:
        """Return the groups of the Deployments that have pods."""
        deployments = self._deployed.rollouts.deployments
        return sorted_names(
            self._deployed.group_of(one)
            for one in deployments
            if (one.get("status") or {}).get("replicas", 0)
        )

    def is_deployed(self) -> bool:
        """Return whether the cluster has anything of the demo."""
        try:
            self._update()
        except NamespaceMissing:
            return False
        return self._deployed.exist()

    def remove_all(self) -> tuple[str, ...]:
        """Delete all objects of the demo; return the groups that had pods."""
        objects = self._deployed.objects
        self._new_dry_run().run({}, [*objects, *self._deployed.created_for(objects)])
        try:
            delete_objects(self.cluster, objects, self.selector, [self.selector])
        except ClusterError as error:
            raise PlatformFailed(
                f"Not all of {self.name} is removed: {sentence(error.message)} Run again."
            ) from None
        return self.running_workloads()

    # Preflight

    def _update(self) -> None:
        """List the demo's objects, and check the namespace."""
        self._deployed.update(self.cluster)
        name, namespace = self.cluster.namespace, self._deployed.namespace
        if namespace is None:
            raise NamespaceMissing(
                f"There is no namespace {name} on this cluster. Create it ({self.create_namespace} {name}),"
                " or set cluster.namespace to another one."
            )
        if is_terminating(namespace) and self.planned:
            raise PlatformRefused(
                f"Namespace {name} is being deleted. Wait until it no longer exists, or set cluster.namespace to another one."
            )

    def _wait_for_terminating(self) -> None:
        """Wait until no planned object is being deleted: an apply to such an object is lost with it."""
        terminating: list[KubernetesObject] = []
        for _left in attempts(DELETION_TIMEOUT, first_pause=PAUSE, longest_pause=PAUSE):
            existing = self._deployed.objects
            terminating = [
                existing[key] for key in self.planned if key in existing and is_terminating(existing[key])
            ]
            if not terminating:
                return
            self._update()
        raise PlatformRefused(
            f"{sentence(still_existing(terminating, DELETION_TIMEOUT))} Run again when it no longer exists."
        )

    def _adapt_to_version(self) -> None:
        if any(kind == "Deployment" for kind, _name in self.planned):
            try:
                version = self.cluster.version()
            except ClusterError as error:
                raise refusal(error) from None
            self.planned = {key: for_cluster_version(one, version) for key, one in self.planned.items()}

    def _new_dry_run(self) -> DryRun:
        return DryRun(self.cluster, self.selector, self._deployed.objects, self._deployed.group_of, self.tool)

    def _dry_run(self) -> None:
        """Dry-run the apply of all objects that differ, and all deletions."""
        # The content of a certificate that does not exist yet makes no difference to the API server.
        complete = {
            key: self._applier.completed(one) or with_digest(one) for key, one in self.planned.items()
        }
        differing = {
            key: one for key, one in complete.items() if self._applier.differs_from_existing(key, one)
        }
        unplanned = self._deployed.unplanned(self.planned)
        delayed = [object_key(pod) for pod in self._deployed.rollouts.pods if is_backing_off(pod)]
        self._dry_run_results = self._new_dry_run().run(
            differing,
            [*unplanned, *self._deployed.created_for(unplanned), *delayed],
            self._deployed.pods_that_mount(differing)[:1],
            lambda pods: exceeded_quotas(self.cluster, self._deployed, complete, pods, self.quota_kinds),
        )
