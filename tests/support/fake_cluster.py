# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster in memory with the methods of `cluster_client.Cluster`. It can keep deleted objects, and fail single requests."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import ApplyResult
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.object_diff import object_key

Object = dict[str, Any]
# `list` is a method of FakeCluster, which hides the type in its annotations.
Objects = list[Object]
Entries = list[tuple[tuple[str, str], Object]]
Lines = list[str]


class FakeCluster:
    """A cluster in memory.

    Attributes:
        objects: The objects by kind and name.
        lingering: The number of lists that a deleted object stays in, by kind and name.
        errors: Errors of requests, by verb and kind: `{"patch Pod": error}`. The verb of a dry run begins with `dry-run`.
        requests: All requests so far, by verb and kind.
        log: The lines that `logs` returns.
    """

    namespace, server = "demo", "https://cluster:6443"

    def __init__(self, *objects: Object) -> None:
        self._uids = itertools.count(1)
        self.objects: dict[tuple[str, str], Object] = {}
        self.lingering: dict[tuple[str, str], int] = {}
        self.errors: dict[str, ClusterError] = {}
        self.requests: Lines = []
        self.log: Lines = []
        for one in objects:
            self._store(one)

    def list(self, kind: str, selector: str = "", *, fields: str = "") -> Objects:
        self._request("list", kind)
        return [one for key, one in self._current() if key[0] == kind and _is_selected(one, selector)]

    def get(self, kind: str, name: str) -> Object | None:
        self._request("get", kind)
        if kind == "Namespace":
            return {"metadata": {"name": name}}
        return self.objects.get((kind, name))

    def apply(self, thing: Mapping[str, Any], dry_run: bool = False) -> ApplyResult:
        self._request("dry-run apply" if dry_run else "apply", thing["kind"])
        if dry_run:
            existing = self.objects.get(object_key(thing), {"metadata": {}})
            return ApplyResult({**thing, "metadata": {**existing["metadata"], **thing["metadata"]}})
        return ApplyResult(self._store(dict(thing)))

    def take_over(self, kind: str, name: str) -> None:
        self._request("take over", kind)

    def patch(self, kind: str, name: str, merge: Mapping[str, Any], dry_run: bool = False) -> Object:
        self._request("dry-run patch" if dry_run else "patch", kind)
        return self.objects[kind, name]

    def delete(self, kind: str, name: str, *, dry_run: bool = False, **options: Any) -> bool:
        self._request("dry-run delete" if dry_run else "delete", kind)
        existing = self.objects.get((kind, name))
        if existing and options.get("grace") == 0:
            del self.objects[kind, name]
        elif existing and not dry_run:
            existing["metadata"]["deletionTimestamp"] = "2026-11-26T12:00:00Z"
        return bool(existing)

    def logs(self, pod: str, container: str = "", *, previous: bool = False, lines: int = 20) -> Lines:
        self._request("logs", "Pod")
        return self.log

    def version(self) -> tuple[int, int]:
        return 1, 34

    def close(self) -> None:
        pass

    def _request(self, verb: str, kind: str) -> None:
        self.requests.append(f"{verb} {kind}")
        if error := self.errors.get(f"{verb} {kind}"):
            raise error

    def _current(self) -> Entries:
        for key, one in [*self.objects.items()]:
            if "deletionTimestamp" in one["metadata"]:
                if not self.lingering.get(key, 0):
                    del self.objects[key]
                else:
                    self.lingering[key] -= 1
        return [*self.objects.items()]

    def _store(self, thing: Object) -> Object:
        key = object_key(thing)
        new = {"metadata": {"uid": f"uid-{next(self._uids)}", "resourceVersion": "1"}}
        existing = self.objects.get(key, new)
        self.objects[key] = {**thing, "metadata": {**existing["metadata"], **thing["metadata"]}}
        return self.objects[key]


def _is_selected(thing: Mapping[str, Any], selector: str) -> bool:
    labels = thing["metadata"].get("labels") or {}
    # `name in (a,b)` is the only requirement besides `name=a`.
    for name, values in re.findall(r"(\S+) in \(([^)]*)\)", selector):
        if labels.get(name) not in values.split(","):
            return False
    pairs = (one.partition("=") for one in re.sub(r"\S+ in \([^)]*\)", "", selector).split(",") if one)
    return all(labels.get(key) == value for key, _equals, value in pairs)
