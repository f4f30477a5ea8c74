# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits until a running Envoy has taken a file that it watches, and says in its words why it did not."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import (
    AdminClient,
    AdminUnreachable,
    integers,
)

COUNTERS = {"clusters": r"^cluster_manager\.cds\.", "listeners": r"^listener_manager\.lds\."}
OTHERS = r"\.update_(success|rejected|failure)$"
# A text readout of listeners and of clusters, which have one file each (Envoy 1.36 to 1.40).
VERSION = ".version_text"
MAIN = ("cluster_manager.cds.", "listener_manager.lds.")
WARMING = {
    "clusters": "cluster_manager.warming_clusters",
    "listeners": "listener_manager.total_listeners_warming",
}
DRAINING = ("listener_manager.total_filter_chains_draining", "listener_manager.total_listeners_draining")
DRAIN_FILTER = r"^listener_manager\.total_.*draining$|^listener\..*\.downstream_cx_active$"
# Seconds until an admin that says nothing is given up: more than a busy machine stands still for.
ONE_QUESTION = 60.0
NOT_READ = "it did not read the file in time"


@dataclass(frozen=True)
class UpdateCounts:
    """How often files of one kind were taken and refused; `shares_network_with` of others that come together with them.

    `version` is the version_info of the last that was taken, '' where it has none or the admin does not tell.
    """

    accepted: int
    rejected: int
    other_accepted: int = 0
    version: str = ""


class XdsMonitor:
    """One Envoy's admin during one change. Raises AdminUnreachable when it stops to answer."""

    def __init__(self, client: AdminClient) -> None:
        self.client = client

    def update_counts(self, kind: str) -> UpdateCounts:
        """Return how often files of this kind were taken and refused, since that Envoy started."""
        told = self.client.stats(COUNTERS.get(kind, OTHERS), ONE_QUESTION)
        found = integers(told)
        if kind not in COUNTERS:
            found = {name: value for name, value in found.items() if not name.startswith(MAIN)}

        def total(*ends: str) -> int:
            return sum(value for name, value in found.items() if name.endswith(ends))

        version = next((value.strip('"') for name, value in told.items() if name.endswith(VERSION)), "")
        return UpdateCounts(
            total(".update_success"), total(".update_rejected", ".update_failure"), version=version
        )

    def confirm(
        self, kind: str, before: UpdateCounts, names: Collection[str], version: str, deadline: float
    ) -> str:
        """Wait until a file that was put in place after `before` is taken and its resources are warm; return '' or what is wrong.

        `version` is the file's version_info; where that is '' or the admin shows none, the counts alone tell.
        """
        last: UpdateCounts | None = None
        for _attempt in until(deadline):
            now = self.update_counts(kind)
            if now.rejected > before.rejected:
                return self.rejection(kind)
            self.on_wait()
            # Twice the same: a folder that is watched as a whole makes Envoy read a file more than once.
            if (
                now.accepted > before.accepted
                and now == last
                and (not version or now.version in ("", version))
            ):
                break
            last = now
        else:
            return NOT_READ
        return self._warm(kind, names, deadline)

    def on_wait(self) -> None:
        """Do what may be done to have a file read sooner, in each round of waiting for that."""

    def rejection(self, kind: str) -> str:
        """Return why Envoy refused the last file: its admin tells that of listeners only, its log of all."""
        reasons = []
        if kind == "listeners":
            dump = self.client.json(
                "/config_dump?resource=dynamic_listeners&mask=name,error_state.details", ONE_QUESTION
            )
            for one in dump.get("configs", []):
                details = one.get("error_state", {}).get("details")
                if details:
                    reasons.append(f"listener {one['name']!r}: {details}" if one.get("name") else details)
        seen = [one for one in reasons if not any(one != other and one in other for other in reasons)]
        told = "; ".join(dict.fromkeys(seen)) or self.rejection_from_log()
        return told or f"it refused the {kind} and tells why in its log only"

    def rejection_from_log(self) -> str:
        """Return why a file was refused last, as the log has it, where that can be read; '' elsewhere."""
        return ""

    def rejected_since(self, kind: str, before: UpdateCounts) -> str:
        """Return why a file was refused since `before`, '' where none was."""
        return self.rejection(kind) if self.update_counts(kind).rejected > before.rejected else ""

    def hosts(self) -> dict[str, set[str]]:
        """Return the addresses of each cluster's hosts (admin.v3.Clusters)."""
        said = self.client.json("/clusters?format=json", ONE_QUESTION)
        return {
            str(one.get("name")): {
                str(host.get("address", {}).get("socket_address", {}).get("address"))
                for host in one.get("host_statuses", ())
            }
            for one in said.get("cluster_statuses", ())
        }

    def rejected_since_start(self, kind: str) -> str:
        """Return why a file was refused since the Envoy started, '' where none was."""
        return self.rejected_since(kind, UpdateCounts(0, 0))

    def wait_until_drained(self, deadline: float) -> bool:
        """Wait until no connection can use listeners of before any more; say whether that is so."""
        idle: dict[str, int] = {}
        for _attempt in until(deadline):
            now = self.client.counters(DRAIN_FILTER, ONE_QUESTION)
            if not any(now.get(name, 0) for name in DRAINING):
                return True
            for name, value in now.items():
                if (
                    name.startswith("listener.")
                    and ".worker_" not in name
                    and not name.startswith("listener.admin.")
                ):
                    # A listener seen twice without a connection has none left from before.
                    idle[name] = 2 if idle.get(name, 0) == 2 else idle.get(name, 0) + 1 if value == 0 else 0
            if all(count == 2 for count in idle.values()):
                return True
        return False

    def _warm(self, kind: str, names: Collection[str], deadline: float) -> str:
        if kind not in WARMING:
            return ""
        waiting: list[str] = []
        for _attempt in until(deadline):
            if not self.client.counters(f"^{WARMING[kind]}$", ONE_QUESTION).get(WARMING[kind], 0):
                return ""
            waiting = [name for name in self._warming(kind) if name in names]
            if not waiting:
                return ""
        return f"{', '.join(waiting)} did not get ready in time (no answer from name resolution, health check or discovery)"

    def _warming(self, kind: str) -> list[str]:
        resource = "dynamic_warming_clusters" if kind == "clusters" else "dynamic_listeners"
        configs: list[dict[str, Any]] = self.client.json(
            f"/config_dump?resource={resource}", ONE_QUESTION
        ).get("configs", [])
        if kind == "clusters":
            return [str(one.get("cluster", {}).get("name")) for one in configs]
        return [str(one.get("name")) for one in configs if "warming_state" in one]


def until(deadline: float, clock: Callable[[], float] = time.monotonic) -> Any:
    """Yield at least once, then at growing intervals until the deadline; the last wait ends with it."""
    pause = 0.005
    while True:
        yield None
        left = deadline - clock()
        if left <= 0:
            return
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, 0.2)


__all__ = ["AdminUnreachable", "UpdateCounts", "XdsMonitor", "until"]
