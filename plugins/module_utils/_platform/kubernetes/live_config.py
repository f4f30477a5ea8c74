# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A proxy's watched files in a ConfigMap, and all pods that mount it: put there, looked at by the kubelet at once, confirmed by each."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.thread_pool import map_to_dict
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy import xds_file
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import (
    AdminClient,
    AdminForbidden,
    AdminTimeout,
    AdminUnreachable,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.xds_confirmation import (
    NOT_READ,
    UpdateCounts,
    XdsMonitor,
    until,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import file_tree
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.envoy_errors import rejected
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import Cluster
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_status import (
    container_statuses,
    select_ready,
    termination_reason,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.object_names import (
    config_key,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.object_diff import (
    SYNCED,
    folder_of,
    mounts,
    stamped,
)

# Seconds after which a pod that did not sync is touched again: the kubelet may have looked before it heard of the new ConfigMap.
AGAIN = 1.5
# Seconds in which a kubelet that was asked to brings what changed, unless nothing did.
READS_WITHIN = 4.0
# Seconds until a log has what its program just said; and how much of it is looked at, since answers may be logged there too.
LOGGED_AFTER = (0, 0.2, 0.5)
LOG_LINES = 500


@dataclass(frozen=True)
class Members:
    """The pods of a selector, as many as there are to be, which a cluster finds by name."""

    selector: str
    hosts: int


@dataclass(frozen=True)
class Asked:
    """Where the Envoys of a proxy are: pods by label, and the admin's port on their loopback; whom its clusters have to know."""

    selector: str
    container: str = "envoy"
    port: int = 9901
    members: Mapping[str, Members] = field(default_factory=dict)


class PodAdmin(AdminClient):
    """The admin of one pod's Envoy, on one connection through the API server; opened again where it breaks."""

    def __init__(self, cluster: Cluster, pod: str, port: int) -> None:
        super().__init__(f"pod {pod}")
        self._cluster, self._pod, self._port = cluster, pod, port
        self._line: http.client.HTTPConnection | None = None

    def get(self, path: str, timeout: float) -> str:
        """Return the body of a GET. Raises AdminUnreachable: AdminForbidden, or AdminTimeout where the pod is there and its port may be."""
        deadline = time.monotonic() + timeout
        failure: Exception | None = None
        for _attempt in until(deadline):
            try:
                return self._ask(path, max(deadline - time.monotonic(), 0.1))
            except (OSError, http.client.HTTPException) as error:
                line = getattr(self._line and self._line.sock, "line", None)
                failure = (line and line.failure) or error
            except ClusterError as error:
                failure = error
            self.close()
            if isinstance(failure, ClusterError):
                if failure.reason in ("forbidden", "unauthorized"):
                    raise AdminForbidden(failure.message)
                if failure.reason in ("not_found", "refused"):
                    raise AdminUnreachable(failure.message)
        raise AdminTimeout(str(failure) or type(failure).__name__)

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
        self._line = None

    def _ask(self, path: str, timeout: float) -> str:
        if self._line is None or self._line.sock is None:
            self._line = http.client.HTTPConnection("envoy-admin")
            self._line.sock = self._cluster.forward(self._pod, self._port, timeout=timeout)
        self._line.sock.settimeout(timeout)
        self._line.request("GET", path)
        return self._line.getresponse().read().decode(errors="replace")


class PodWatch(XdsMonitor):
    """One pod's Envoy during a change."""

    def __init__(self, client: PodAdmin, touch: Callable[[], None], log: Callable[[], Sequence[str]]) -> None:
        super().__init__(client)
        self._admin = client
        self.touch, self.log = touch, log
        self.touched = time.monotonic()

    def update_counts(self, kind: str) -> UpdateCounts:
        """As of an Envoy of this host; but the kubelet brings all files of a folder by one rename, and each is read then."""
        found = super().update_counts(kind)
        other = {"clusters": "listeners", "listeners": "clusters"}.get(kind)
        return replace(found, other_accepted=super().update_counts(other).accepted) if other else found

    def close(self) -> None:
        self._admin.close()

    def rejection_from_log(self) -> str:
        for pause in LOGGED_AFTER:
            time.sleep(pause)
            try:
                if why := rejected("\n".join(self.log())):
                    return why
            except ClusterError:
                break
        return ""

    def on_wait(self) -> None:
        if time.monotonic() - self.touched > AGAIN:
            self.touched = time.monotonic()
            with contextlib.suppress(ClusterError):
                self.touch()


class Pods:
    """See `config.place.ConfigTarget`. `wanted` is the ConfigMap that is to be, with `paths` in it, `there` the one that is, if any."""

    def __init__(
        self,
        cluster: Cluster,
        folder: Path,
        asked: Asked,
        wanted: Mapping[str, Any],
        paths: Sequence[str],
        there: Mapping[str, Any] | None,
    ) -> None:
        self.cluster, self.folder, self.asked, self.wanted = cluster, folder, asked, wanted
        self.paths = paths
        self.name = str(wanted["metadata"]["name"])
        # Whether an Envoy watches the ConfigMap: what is live there stays as it is until it is put.
        self.runs = False
        self.data: dict[str, str] = dict((there or {}).get("data") or {})
        self._exists = there is not None
        # What is there and was not put by a run that ended: a kubelet may have yet to bring it.
        self._strange = {self._key(path) for path in paths if self._exists and self._is_strange(path)}
        self._last = ""
        self._watches: dict[str, PodWatch] = {}

    def is_running(self) -> bool:
        try:
            watches = self._look() if self._exists else {}
        except AdminUnreachable as error:
            raise ConfigRefused(f"Which pods run is not known: {error}.") from None
        self.runs = any(map_to_dict(lambda name: watches[name].client.is_running(), watches).values())
        return self.runs

    def read(self, path: str) -> bytes | None:
        text = self.data.get(self._key(path)) if self._exists else None
        return None if text is None else text.encode()

    def kept(self) -> dict[str, str]:
        """Return what of the ConfigMap stays as it is until it is put, by key: what an Envoy watches."""
        keys = {self._key(path) for path in self.paths} if self.runs else set()
        return {key: text for key, text in self.data.items() if key in keys}

    def applied(self, thing: Mapping[str, Any] | None) -> None:
        """Take note of the ConfigMap as somebody else applied it."""
        if thing is not None:
            self.data, self._exists = dict(thing.get("data") or {}), True

    def write(self, path: str, content: bytes, mode: int) -> None:
        self._last = self._key(path)
        self._apply({**self.data, self._last: content.decode()})
        file_tree.make_folder((self.folder / path).parent)
        file_tree.write(self.folder / path, content, mode)

    def remove(self, path: str) -> None:
        self._apply({key: text for key, text in self.data.items() if key != self._key(path)})
        file_tree.remove(self.folder, path)

    def update_counts(self, kind: str) -> dict[str, UpdateCounts]:
        """Return the counts of each pod that answers, and has to until the end of the change."""
        known = set(self._watches)
        watches = self._look()

        def one(name: str) -> UpdateCounts | None:
            try:
                return watches[name].update_counts(kind)
            except AdminUnreachable as error:
                if name in known and self._stays(name):
                    raise AdminUnreachable(f"pod {name}: {error}") from None
                return None

        found = map_to_dict(one, watches)
        return {name: counts for name, counts in found.items() if counts is not None}

    def confirm(
        self,
        kind: str,
        before: Mapping[str, UpdateCounts],
        names: Collection[str],
        version: str,
        deadline: float,
    ) -> str:
        """As `ConfigTarget` says. All pods are made to read the content again where the first reading tells nothing.

        A pod may have had it already, and then reads nothing; or it reads what somebody else had put there before, of
        the same version perhaps. Another version of the same is nobody else's, and what is read after that is this.
        """
        words: Mapping[str, str] = {}
        if self._last not in self._strange:
            soon = min(deadline, time.monotonic() + READS_WITHIN)
            words = self._confirm(kind, before, names, version, soon)
            if NOT_READ not in words.values():
                return _said(words)
        self._strange.discard(self._last)
        for data in ({**self.data, self._last: xds_file.again(self.data[self._last])}, self.data):
            counts = self.update_counts(kind)
            self._apply(data)
            words = self._confirm(kind, counts, names, xds_file.version(data[self._last]), deadline)
            if any(words.values()):
                break
        return _said(words)

    def _confirm(
        self,
        kind: str,
        before: Mapping[str, UpdateCounts],
        names: Collection[str],
        version: str,
        deadline: float,
    ) -> dict[str, str]:
        def one(name: str) -> str:
            return self._asked(
                name, lambda watch: watch.confirm(kind, before[name], names, version, deadline)
            )

        return map_to_dict(one, before)

    def rejected_since(self, kind: str, before: Mapping[str, UpdateCounts]) -> str:
        def one(name: str) -> str:
            return self._asked(name, lambda watch: watch.rejected_since(kind, before[name]))

        return _said(map_to_dict(one, before))

    def rejected_since_start(self, kind: str) -> str:
        return _said(
            map_to_dict(
                lambda name: self._asked(name, lambda watch: watch.rejected_since_start(kind)), self._look()
            )
        )

    def wait_until_drained(self, deadline: float) -> bool:
        def one(name: str) -> str:
            return self._asked(
                name, lambda watch: "" if watch.wait_until_drained(deadline) else "not drained"
            )

        return not any(map_to_dict(one, self._look()).values())

    def settled(self, timeout: float) -> str:
        """Wait until the Envoy of each pod knows the pods that it should, and none of before; return '' or which does not."""
        if not self.asked.members:
            return ""
        deadline = time.monotonic() + timeout

        def lacking(watch: PodWatch) -> str:
            words = ""
            for _attempt in until(deadline):
                known = watch.hosts()
                words = "; ".join(filter(None, (self._stranger(name, known) for name in self.asked.members)))
                if not words:
                    return ""
            return f"{words} after {timeout:g} s: what name resolution tells it is not what runs"

        return _said(map_to_dict(lambda name: self._asked(name, lacking), self._look()))

    def _stranger(self, cluster: str, known: Mapping[str, set[str]]) -> str:
        """Return in which way the hosts that a cluster knows are not the pods that serve, '' where they are."""
        wanted = self.asked.members[cluster]
        try:
            serving = select_ready(self.cluster.list("Pod", wanted.selector)).ready
        except ClusterError as error:
            raise AdminUnreachable(error.message) from None
        addresses = {str(pod["status"].get("podIP")) for pod in serving}
        hosts = known.get(cluster, set())
        if hosts == addresses and len(hosts) == wanted.hosts:
            return ""
        return f"cluster {cluster} knows {len(hosts & addresses)} of {wanted.hosts} hosts" + (
            f", and {len(hosts - addresses)} of before" if hosts - addresses else ""
        )

    def close(self) -> None:
        for watch in self._watches.values():
            watch.close()

    # Pods

    def _look(self) -> dict[str, PodWatch]:
        """Return whom to ask, by pod: pods that mount the ConfigMap, whose Envoy runs."""
        try:
            pods = self.cluster.list("Pod", self.asked.selector)
        except ClusterError as error:
            raise AdminUnreachable(error.message) from None
        names = {
            str(one["metadata"]["name"])
            for one in pods
            if mounts(one, "ConfigMap", self.name) and not termination_reason(one) and self._envoy_runs(one)
        }
        for name in self._watches.keys() - names:
            self._watches.pop(name).close()
        self._watches = {name: self._watches.get(name) or self._watch(name) for name in sorted(names)}
        return self._watches

    def _watch(self, pod: str) -> PodWatch:
        log = partial(self.cluster.logs, pod, self.asked.container, lines=LOG_LINES)
        return PodWatch(PodAdmin(self.cluster, pod, self.asked.port), partial(self._touch, pod), log)

    def _envoy_runs(self, pod: Mapping[str, Any]) -> bool:
        return any(
            one["name"] == self.asked.container and "running" in one.get("state", {})
            for one in container_statuses(pod)
        )

    def _asked(self, pod: str, question: Callable[[PodWatch], str]) -> str:
        """Return what is wrong with a pod, '' where nothing is or it went away meanwhile. Raises AdminUnreachable."""
        watch = self._watches.get(pod) or self._watch(pod)
        try:
            return question(watch)
        except AdminUnreachable as error:
            if self._stays(pod):
                raise AdminUnreachable(f"pod {pod}: {error}") from None
            return ""

    def _stays(self, pod: str) -> bool:
        try:
            found = self.cluster.get("Pod", pod)
        except ClusterError:
            return True
        return found is not None and not termination_reason(found)

    # The ConfigMap

    def _is_strange(self, path: str) -> bool:
        mine = file_tree.read(self.folder / path)
        return mine is None or mine[0] != self.read(path)

    def _key(self, path: str) -> str:
        return config_key(path.removeprefix(f"{folder_of(self.wanted)}/"))

    def _apply(self, data: dict[str, str]) -> None:
        """Put all of the ConfigMap: what is applied has one owner, so that nothing of it stays when nobody wants it.

        Raises OSError, and then it is as it was: the file did not come to where the Envoys read it, which is no fault of theirs.
        """
        before = self.data
        try:
            self._put(data)
            map_to_dict(self._touch, self._watches)
        except ClusterError as error:
            if self.data is data:
                with contextlib.suppress(ClusterError):
                    self._put(before)
            raise OSError(error.message) from None

    def _put(self, data: dict[str, str]) -> None:
        self.cluster.apply(stamped({**self.wanted, "data": data}))
        self.data = data

    def _touch(self, pod: str) -> None:
        touch(self.cluster, pod, self.data)


def touch(cluster: Cluster, pod: str, data: Mapping[str, str]) -> None:
    """Make the kubelet look at a pod's volumes now, instead of within a minute and a half. A pod that is gone needs none."""
    text = "".join(f"{key}\0{text}\0" for key, text in sorted(data.items()))
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    # The second touch for the same content is one too.
    value = f"{digest}-{time.time_ns():x}"
    try:
        cluster.patch("Pod", pod, {"metadata": {"annotations": {SYNCED: value}}})
    except ClusterError as error:
        if error.reason not in ("not_found", "conflict"):
            raise


def _said(answers: Mapping[str, str]) -> str:
    """Return what pods said, those that say the same together."""
    by_words: dict[str, list[str]] = {}
    for pod, words in answers.items():
        if words:
            by_words.setdefault(words, []).append(pod)
    return "; ".join(f"{_pods(pods)}: {words}" for words, pods in by_words.items())


def _pods(pods: Sequence[str]) -> str:
    more = f" and {len(pods) - 1} more" if len(pods) > 1 else ""
    return f"pod {pods[0]}{more}"
