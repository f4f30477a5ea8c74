# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workloads as pods of one namespace: objects by server-side apply, of which only those that differ are touched."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.thread_pool import map_to_dict
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import AdminUnreachable
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
    sorted_names,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes import (
    documents,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes import (
    object_diff as objects,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.delete import (
    PAUSE,
    SECONDS_TO_GO,
    SHORT_GRACE,
    remove,
    still_going,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.dry_run import Rehearsal
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.errors import (
    NoNamespace,
    refusal,
    sentence,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config import (
    Asked,
    Members,
    Pods,
    touch,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests import (
    object_names as labels,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.readiness import (
    Readiness,
    Seen,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.rollout import is_stuck

Object = dict[str, Any]
Key = tuple[str, str]

# What a demo may consist of.
KINDS = (
    "Deployment",
    "Service",
    "PodDisruptionBudget",
    "NetworkPolicy",
    "ConfigMap",
    "Secret",
    "ServiceAccount",
)
# Kinds that a cluster need not have, or that a user may not see: no error where nobody wants one.
ISTIO = ("Gateway.networking.istio.io", "VirtualService", "DestinationRule")
OPTIONAL = ("HTTPRoute", "Route", *ISTIO)
MADE_BY_OTHERS = ("ReplicaSet", "Pod")


class KubernetesDeployer:
    """The deployer of pods, on Kubernetes and OpenShift; see `deployer.Deployer`."""

    document_path = documents.FILE

    def __init__(self, spec: DeploymentSpec) -> None:
        self.name, self.folder = spec.name, spec.folder
        # Where the Envoys of each proxy are, and which files each of them watches.
        self.asked = {one["proxy"]: _asked(one) for one in spec.admins if one.get("pods")}
        self.live = spec.watched_files
        self.selector = f"{labels.DEMO}={spec.name}"
        self.wanted: dict[Key, Object] = {objects.key_of(one): dict(one) for one in spec.manifests}
        self._groups = {labels.dns(one.group or one.name): one.group or one.name for one in spec.workloads}
        kinds = (*KINDS, *OPTIONAL, *(kind for kind, _name in self.wanted))
        self._kinds = tuple(dict.fromkeys(kinds))
        self._options = spec.cluster
        self._cluster: Cluster | None = None
        # What is there, by kind and name, and how its pods are, as of the preflight.
        self._there: dict[Key, Object] = {}
        self._seen = Seen([], [], [])
        self._touched = False
        # What is applied once more when nobody of before calls any longer, as it is to be in the end.
        self._later: dict[Key, Object] = {}
        # What the API server would make of each object that differs.
        self._would_be: dict[Key, Object] = {}
        self._places: dict[str, Pods] = {}

    @property
    def cluster(self) -> Cluster:
        if self._cluster is None:
            try:
                self._cluster = connect(self._options)
            except ClusterError as error:
                raise refusal(error) from None
        return self._cluster

    def close(self) -> None:
        for place in self._places.values():
            place.close()
        if self._cluster is not None:
            self._cluster.close()

    def location(self) -> str:
        return f"namespace {self.cluster.namespace} of {self.cluster.server}"

    def preflight(self) -> None:
        self._look()
        self._wait_for_ends()
        self._suit_version()
        self._make_places()
        self._rehearse()

    def config_targets(self) -> Mapping[str, Pods]:
        return self._places

    def missing_images(self) -> tuple[str, ...]:
        """Nodes fetch images themselves."""
        return ()

    def pull_images(self, images: Iterable[str]) -> None:
        """Nothing is ever lacking."""

    def predict(self, document: str) -> AppliedChanges:  # noqa: ARG002  (the objects tell)
        return self._applied(self._would_be, self._unwanted())

    def apply(self) -> AppliedChanges:
        complete = {key: self._complete(one) for key, one in self.wanted.items()}
        if missing := [objects.shown_name(key) for key, one in complete.items() if one is None]:
            raise PlatformFailed(f"{', '.join(missing)}: the certificate is not in {self.folder}; run again")
        differing = {key: one for key, one in complete.items() if one and self._differs(key, one)}
        now = {key: objects.widened(one, self._there.get(key)) for key, one in differing.items()}
        self._later = {key: one for key, one in differing.items() if now[key] != one}
        answers: dict[Key, Object] = {}
        # What pods need is there before they are.
        for last in (False, True):
            answers |= self._apply_all(
                {key: one for key, one in now.items() if (key[0] == "Deployment") == last}
            )
        applied = self._applied(answers)
        self._there |= {key: answers[key] for key in self._later}
        again = self._start_again(applied)
        self._touched = bool(answers or again)
        return AppliedChanges(
            applied.started, sorted_names([*applied.restarted, *again]), (), applied.objects, applied.diff
        )

    def wait_until_ready(self, timeout: float) -> None:
        called = {
            name: self._called(one) for (kind, name), one in self.wanted.items() if kind == "Deployment"
        }
        known = None if self._touched else self._seen
        Readiness(self.cluster, self.selector, called).wait(timeout, known)

    def wait_until_discovered(self, timeout: float) -> None:
        try:
            words = map_to_dict(lambda proxy: self._places[proxy].settled(timeout), self._places)
        except AdminUnreachable as error:
            raise PlatformFailed(f"An admin stopped answering ({error})") from None
        if said := [f"{proxy}: {one}" for proxy, one in words.items() if one]:
            raise PlatformFailed("\n".join(said))

    def remove_unlisted(self) -> AppliedChanges:
        narrowed = self._applied(self._apply_all(self._later))
        unwanted = self._unwanted()
        selectors = [
            f"{self.selector},{labels.NAME}={self._there[key]['metadata']['labels'].get(labels.NAME, '')}"
            for key in unwanted
            if key[0] == "Deployment"
        ]
        try:
            remove(self.cluster, unwanted, self.selector, selectors)
        except ClusterError as error:
            raise PlatformFailed(f"What is wanted no more could not be removed; run again: {error}") from None
        gone = self._applied({}, unwanted)
        return replace(
            gone, objects=sorted_names([*narrowed.objects, *gone.objects]), diff=(*narrowed.diff, *gone.diff)
        )

    def running_workloads(self) -> tuple[str, ...]:
        deployments = (one for (kind, _name), one in self._there.items() if kind == "Deployment")
        return sorted_names(
            self._called(one) for one in deployments if (one.get("status") or {}).get("replicas", 0)
        )

    def is_deployed(self) -> bool:
        try:
            self._look()
        except NoNamespace:
            return False
        return bool(self._there or self._seen.replica_sets or self._seen.pods)

    def remove_all(self) -> tuple[str, ...]:
        Rehearsal(self.cluster, self.selector, self._there, self._called).hold(
            {}, [*self._there, *self._made_by(self._there)]
        )
        try:
            remove(self.cluster, self._there, self.selector, [self.selector])
        except ClusterError as error:
            raise PlatformFailed(f"Not all of {self.name} could be removed; run again: {error}") from None
        return self.running()

    # Preflight

    def _look(self) -> None:
        """Ask for everything of this demo, and for the namespace, side by side. Raises PlatformRefused."""
        cluster = self.cluster
        optional = {*self._kinds} - {*KINDS} - {kind for kind, _name in self.wanted}

        def ask(kind: str) -> list[Object] | ClusterError:
            try:
                if kind == "Namespace":
                    found = cluster.get(kind, cluster.namespace)
                    return [found] if found else []
                return cluster.list(kind, self.selector)
            except ClusterError as error:
                return error

        answers = map_to_dict(ask, ("Namespace", *self._kinds, *MADE_BY_OTHERS))
        found: dict[str, list[Object]] = {}
        for kind, answer in answers.items():
            if not isinstance(answer, ClusterError):
                found[kind] = answer
            elif answer.reason == "forbidden" and kind == "Namespace":
                found[kind] = [{"metadata": {}}]  # what is asked for next tells whether it is there
            elif answer.reason in ("forbidden", "not_found") and kind in optional:
                found[kind] = []
            elif answer.reason == "not_found":
                raise PlatformRefused(f"This cluster has no {kind}: install what brings it, or do without")
            else:
                raise refusal(answer)
        self._there = {objects.key_of(one): one for kind in self._kinds for one in found[kind]}
        self._seen = Seen(found["Deployment"], found["ReplicaSet"], found["Pod"])
        self._check_namespace(found["Namespace"])

    def _check_namespace(self, found: Sequence[Mapping[str, Any]]) -> None:
        name = self.cluster.namespace
        if not found:
            raise NoNamespace(
                f"There is no namespace {name} on this cluster: create it (kubectl create namespace {name}),"
                " or choose another (cluster.namespace)"
            )
        if objects.is_going(found[0]) and self.wanted:
            raise PlatformRefused(f"Namespace {name} is being deleted: wait for its end, or choose another")

    def _wait_for_ends(self) -> None:
        """Return when nothing that is wanted is being deleted: what is applied to such an object goes with it. Raises PlatformRefused."""
        deadline = time.monotonic() + SECONDS_TO_GO
        while going := [
            one for key in self.wanted if (one := self._there.get(key)) and objects.is_going(one)
        ]:
            if time.monotonic() >= deadline:
                raise PlatformRefused(
                    f"{sentence(still_going(going, SECONDS_TO_GO))}; see why, and run again when it is gone"
                )
            time.sleep(PAUSE)
            self._look()

    def _suit_version(self) -> None:
        if any(kind == "Deployment" for kind, _name in self.wanted):
            try:
                version = self.cluster.version()
            except ClusterError as error:
                raise refusal(error) from None
            self.wanted = {key: objects.for_version(one, version) for key, one in self.wanted.items()}

    def _make_places(self) -> None:
        maps = [one for (kind, _name), one in self.wanted.items() if kind == "ConfigMap"]
        for proxy, asked in self.asked.items():
            paths = self.live.get(proxy, ())
            own = [one for one in maps if paths and paths[0].startswith(f"{objects.folder_of(one)}/")]
            if own:
                there = self._there.get(objects.key_of(own[0]))
                self._places[proxy] = Pods(self.cluster, self.folder, asked, own[0], paths, there)

    def _rehearse(self) -> None:
        """Have the API server try everything that differs. Raises PlatformRefused, with all that it would refuse."""
        # A certificate that is yet to be made is as good as any other.
        complete = {key: self._complete(one) or objects.stamped(one) for key, one in self.wanted.items()}
        differing = {key: one for key, one in complete.items() if self._differs(key, one)}
        unwanted = self._unwanted()
        stuck = [objects.key_of(pod) for pod in self._seen.pods if is_stuck(pod)]
        rehearsal = Rehearsal(self.cluster, self.selector, self._there, self._called)
        self._would_be = rehearsal.hold(
            differing, [*unwanted, *self._made_by(unwanted), *stuck], self._readers(differing)[:1]
        )

    def _made_by(self, keys: Collection[Key]) -> list[Key]:
        """Return a ReplicaSet and a pod of those that go with `keys`: whoever may remove one may remove all."""
        groups = {
            (self._there[key]["metadata"].get("labels") or {}).get(labels.NAME)
            for key in keys
            if key[0] == "Deployment"
        }
        found = {
            kind: (kind, str(one["metadata"]["name"]))
            for kind, made in (("ReplicaSet", self._seen.replica_sets), ("Pod", self._seen.pods))
            for one in made
            if (one["metadata"].get("labels") or {}).get(labels.NAME) in groups
        }
        return [*found.values()]

    def _readers(self, changed: Iterable[Key]) -> list[Key]:
        """Return the pods that have what changes in their volumes."""
        held = [key for key in changed if key[0] in ("ConfigMap", "Secret") and key in self._there]
        return [
            ("Pod", str(pod["metadata"]["name"]))
            for pod in self._seen.pods
            if any(objects.mounts(pod, *key) for key in held)
        ]

    # Change

    def _complete(self, thing: Mapping[str, Any]) -> Object | None:
        """Return an object as it is to be applied now; None where its certificate is not made yet."""
        complete = objects.filled(thing, self.folder)
        for place in self._places.values():
            if complete and complete["kind"] == "ConfigMap" and complete["metadata"]["name"] == place.name:
                complete = {**complete, "data": {**complete["data"], **place.kept()}}
        return objects.stamped(complete) if complete else None

    def _differs(self, key: Key, wanted: Mapping[str, Any]) -> bool:
        there = self._there.get(key)
        return there is None or objects.is_by_hand(there) or not objects.holds_the_same(wanted, there)

    def _apply_all(self, things: Mapping[Key, Object]) -> dict[Key, Object]:
        by_hand = [key for key in things if objects.is_by_hand(self._there.get(key))]
        try:
            map_to_dict(lambda key: self.cluster.take_over(*key), by_hand)
            answers = map_to_dict(lambda key: self.cluster.apply(things[key]).object, things)
            self._have_read(answers)
        except ClusterError as error:
            raise PlatformFailed(
                f"The cluster took what it was asked to try, and then not: {error}"
            ) from None
        for place in self._places.values():
            place.applied(answers.get(("ConfigMap", place.name)))
        return answers

    def _have_read(self, answers: Mapping[Key, Object]) -> None:
        """Have the kubelet bring what was applied into pods that stay. Raises ClusterError."""
        stale = [
            key
            for key, one in answers.items()
            if key[0] in ("ConfigMap", "Secret")
            and objects.differs(self._there.get(key), one)
            and key in self._there
        ]
        for pod in self._seen.pods if stale else ():
            if held := [answers[key] for key in stale if objects.mounts(pod, *key)]:
                touch(self.cluster, pod["metadata"]["name"], held[0].get("data") or {})

    def _applied(self, after: Mapping[Key, Object], removed: Sequence[Key] = ()) -> AppliedChanges:
        """Tell what was done, or would be, from the objects after it."""
        changed = {key: one for key, one in after.items() if objects.differs(self._there.get(key), one)}
        started, restarted = [], []
        for key, one in changed.items():
            if key[0] == "Deployment":
                old = self._there.get(key)
                if old is None or not old["spec"].get("replicas", 1):
                    started.append(self._called(one))
                elif objects.template_of(old) != objects.template_of(one):
                    restarted.append(self._called(one))
        gone = [self._there[key] for key in removed]
        return AppliedChanges(
            sorted_names(started),
            sorted_names(restarted),
            sorted_names(self._called(one) for one in gone if one["kind"] == "Deployment"),
            sorted_names(map(objects.shown_name, [*changed, *removed])),
            (
                *(objects.difference(self._there.get(key), one) for key, one in changed.items()),
                *(objects.difference(one, None) for one in gone),
            ),
        )

    def _start_again(self, applied: AppliedChanges) -> list[str]:
        """Give pods that the kubelet tries ever more seldom another start, where they are not replaced anyway."""
        waiting = {}
        for pod in self._seen.pods:
            called = self._called(pod)
            if is_stuck(pod) and called not in (*applied.started, *applied.restarted):
                waiting[str(pod["metadata"]["name"])] = called
        try:
            map_to_dict(lambda name: self.cluster.delete("Pod", name, grace=SHORT_GRACE), waiting)
        except ClusterError as error:
            raise PlatformFailed(f"A pod that does not start could not be started again: {error}") from None
        return [*waiting.values()]

    def _unwanted(self) -> list[Key]:
        return [key for key in self._there if key not in self.wanted]

    def _called(self, thing: Mapping[str, Any]) -> str:
        """Return what the demo calls a Deployment, or what a pod is of."""
        group = str((thing["metadata"].get("labels") or {}).get(labels.NAME) or thing["metadata"]["name"])
        return self._groups.get(group, group)


def _asked(admin: Mapping[str, Any]) -> Asked:
    members = {
        str(name): Members(str(one["selector"]), int(one["hosts"]))
        for name, one in (admin.get("members") or {}).items()
    }
    return Asked(**{**admin["pods"], "members": members})
