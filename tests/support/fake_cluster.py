# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster that is a dictionary, for what a real one does not do on demand: keep what was deleted, or refuse one request of many."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import ApplyResult
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.object_diff import key_of

Object = dict[str, Any]


class FakeCluster:
    """Has `things`, and takes its time over those in `lingers`: so many lists until one that was deleted is gone.

    `refuses` says which requests fail, by verb and kind: `{"patch Pod": error}`; `asked` has all of them.
    """

    namespace, server = "demo", "https://cluster:6443"

    def __init__(self, *things: Object) -> None:
        self._uids = itertools.count(1)
        self.things: dict[tuple[str, str], Object] = {}
        self.lingers: dict[tuple[str, str], int] = {}
        self.refuses: dict[str, ClusterError] = {}
        self.asked: list[str] = []
        self.log: list[str] = []
        for one in things:
            self._put(one)

    def list(self, kind: str, selector: str = "", *, fields: str = "") -> list[Object]:
        self._ask("list", kind)
        return [one for key, one in self._now() if key[0] == kind and _selected(one, selector)]

    def get(self, kind: str, name: str) -> Object | None:
        self._ask("get", kind)
        if kind == "Namespace":
            return {"metadata": {"name": name}}
        return self.things.get((kind, name))

    def apply(self, thing: Mapping[str, Any], dry_run: bool = False) -> ApplyResult:
        self._ask("try" if dry_run else "apply", thing["kind"])
        if dry_run:
            there = self.things.get(key_of(thing), {"metadata": {}})
            return ApplyResult({**thing, "metadata": {**there["metadata"], **thing["metadata"]}})
        return ApplyResult(self._put(dict(thing)))

    def take_over(self, kind: str, name: str) -> None:
        self._ask("take over", kind)

    def patch(self, kind: str, name: str, merge: Mapping[str, Any], dry_run: bool = False) -> Object:
        self._ask("try patch" if dry_run else "patch", kind)
        return self.things[kind, name]

    def delete(self, kind: str, name: str, *, dry_run: bool = False, **options: Any) -> bool:
        self._ask("try delete" if dry_run else "delete", kind)
        there = self.things.get((kind, name))
        if there and options.get("grace") == 0:
            del self.things[kind, name]
        elif there and not dry_run:
            there["metadata"]["deletionTimestamp"] = "2026-11-26T12:00:00Z"
        return bool(there)

    def logs(self, pod: str, container: str = "", *, previous: bool = False, lines: int = 20) -> list[str]:
        self._ask("logs", "Pod")
        return self.log

    def version(self) -> tuple[int, int]:
        return 1, 34

    def close(self) -> None:
        pass

    def _ask(self, verb: str, kind: str) -> None:
        self.asked.append(f"{verb} {kind}")
        if error := self.refuses.get(f"{verb} {kind}"):
            raise error

    def _now(self) -> list[tuple[tuple[str, str], Object]]:
        for key, one in [*self.things.items()]:
            if "deletionTimestamp" in one["metadata"]:
                if not self.lingers.get(key, 0):
                    del self.things[key]
                else:
                    self.lingers[key] -= 1
        return [*self.things.items()]

    def _put(self, thing: Object) -> Object:
        key = key_of(thing)
        before = self.things.get(
            key, {"metadata": {"uid": f"uid-{next(self._uids)}", "resourceVersion": "1"}}
        )
        self.things[key] = {**thing, "metadata": {**before["metadata"], **thing["metadata"]}}
        return self.things[key]


def _selected(thing: Mapping[str, Any], selector: str) -> bool:
    labels = thing["metadata"].get("labels") or {}
    return all(
        labels.get(key) == value
        for key, _is, value in (one.partition("=") for one in selector.split(",") if one)
    )
