# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The wait until a running Envoy has accepted a file that it watches, and the reason when it rejects the file."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import attempts
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import ConfigAdmin
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.subscription_stats import (
    Subscription,
    stats_filter,
    subscriptions,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.envoy_errors import (
    last_rejection,
)

WARMING_GAUGES = {
    "clusters": "cluster_manager.warming_clusters",
    "listeners": "listener_manager.total_listeners_warming",
}
# The part of /config_dump with the version of each file.
DUMPS = {"routes": "dynamic_route_configs", "secrets": "dynamic_active_secrets"}
DRAINING_GAUGES = (
    "listener_manager.total_filter_chains_draining",
    "listener_manager.total_listeners_draining",
)
DRAIN_STATS = r"^listener_manager\.total_.*draining$|^listener\..*\.downstream_cx_active$"
# Requests of a cluster that were routed to it and have no complete response.
ACTIVE_REQUESTS = "upstream_rq_active"
# The health status of standby endpoints; see _envoy/clusters.py.
STANDBY_STATUS = "DEGRADED"
# Seconds after which a running Envoy counts as unreachable: more than an Envoy on a busy machine needs for a response.
REQUEST_TIMEOUT = 60.0
# Seconds before each attempt to find an error in the log: the log gets a line some time after the admin interface counts it.
LOG_PAUSES = (0, 0.2, 0.5)
NOT_READ = "Envoy did not read the file in time"


@dataclass(frozen=True)
class UpdateCounts:
    """How often an Envoy read watched files of one kind since its start.

    Attributes:
        accepted: Number of accepted files (`update_success`).
        rejected: Number of rejected files (`update_rejected` and `update_failure`).
        other_accepted: Number of accepted files of other kinds, where files of all kinds always change together.
        subscriptions: The counts and the version of each use of a file, by the prefix of its stats.
    """

    accepted: int
    rejected: int
    other_accepted: int = 0
    subscriptions: Mapping[str, Subscription] = field(default_factory=dict)

    def confirms(self, version: str, before: UpdateCounts) -> bool:
        """Return whether a file with this version was accepted after `before`. Without a version, the counts decide."""
        if self.accepted <= before.accepted:
            return False
        if not version or not any(one.version for one in self.subscriptions.values()):
            return True
        return any(
            one.version == version
            and one.accepted > before.subscriptions.get(prefix, Subscription()).accepted
            for prefix, one in self.subscriptions.items()
        )


class XdsMonitor:
    """The watched files of one Envoy, by its admin interface. All methods raise AdminUnreachable when it stops responding."""

    # The other kinds whose files Envoy reads again when it reads one of them.
    read_together: tuple[str, ...] = ()

    def __init__(self, admin: ConfigAdmin, read_log: Callable[[], Sequence[str]] | None = None) -> None:
        """Keep what the monitor needs.

        Args:
            admin: The admin interface.
            read_log: Returns the last lines of Envoy's log, which has the reason of a rejected file. None: the log is not known.
        """
        self.admin = admin
        self.read_log = read_log

    def update_counts(self, kind: str) -> UpdateCounts:
        """Return how often the Envoy read files of a kind."""
        pattern = stats_filter([kind, *self.read_together])
        found = subscriptions(self.admin.stats(pattern, REQUEST_TIMEOUT))
        of_kind = found.pop(kind, {}) or self._dumped(kind)
        return UpdateCounts(
            sum(one.accepted for one in of_kind.values()),
            sum(one.rejected for one in of_kind.values()),
            sum(one.accepted for other in self.read_together for one in found.get(other, {}).values()),
            of_kind,
        )

    def _dumped(self, kind: str) -> dict[str, Subscription]:
        """Return the subscriptions of a kind whose stats the author's stats matcher hides; the time of an update counts the updates."""
        if kind not in DUMPS:
            return {}
        dump = self.admin.json(f"/config_dump?resource={DUMPS[kind]}", REQUEST_TIMEOUT)
        return {
            str(number): Subscription(
                int(re.sub(r"\D", "", config.get("last_updated", "0"))[:17].ljust(17, "0")),
                version=config.get("version_info", ""),
            )
            for number, config in enumerate(dump.get("configs", ()))
        }

    def confirm(
        self, kind: str, before: UpdateCounts, names: Collection[str], version: str, deadline: float
    ) -> str:
        """Wait until the file that was written after `before` is accepted and its resources are warm.

        Args:
            kind: The content of the file, as in `xds_file.KINDS`, or `other`.
            before: The counts before the file was written.
            names: The names of the resources that changed.
            version: The `version_info` of the file. When it is empty, or the admin interface shows none, the counts decide.
            deadline: The end of the wait, as a time of `time.monotonic()`.

        Returns:
            An empty string, or why the file is not confirmed.
        """
        previous: UpdateCounts | None = None
        for _left in attempts(deadline - time.monotonic()):
            counts = self.update_counts(kind)
            if counts.rejected > before.rejected:
                return self.rejection(kind)
            self.on_wait()
            # Equal counts twice: an Envoy that watches a whole folder reads a file more than once.
            if counts == previous and counts.confirms(version, before):
                break
            previous = counts
        else:
            return NOT_READ
        return self._wait_until_warm(kind, names, deadline)

    def on_wait(self) -> None:
        """Do nothing. A subclass can make the Envoy read the file sooner; `confirm` calls this in each round."""

    def rejection(self, kind: str) -> str:
        """Return why the last file was rejected. The admin interface shows the reason for listeners only, the log for all kinds."""
        reasons = []
        if kind == "listeners":
            dump = self.admin.json(
                "/config_dump?resource=dynamic_listeners&mask=name,error_state.details", REQUEST_TIMEOUT
            )
            for config in dump.get("configs", []):
                details = config.get("error_state", {}).get("details")
                if details:
                    reasons.append(
                        f"listener {config['name']!r}: {details}" if config.get("name") else details
                    )
        distinct = [
            reason for reason in reasons if not any(reason != other and reason in other for other in reasons)
        ]
        text = "; ".join(dict.fromkeys(distinct)) or self.rejection_from_log()
        return text or f"Envoy rejected the {kind}; only its log has the reason"

    def rejection_from_log(self) -> str:
        """Return the last reason in Envoy's log; empty if it has none, or cannot be read."""
        if self.read_log is None:
            return ""
        for pause in LOG_PAUSES:
            time.sleep(pause)
            if reason := last_rejection("\n".join(self.read_log())):
                return reason
        return ""

    def rejected_since(self, kind: str, before: UpdateCounts) -> str:
        """Return why a file was rejected after `before`, or an empty string."""
        return self.rejection(kind) if self.update_counts(kind).rejected > before.rejected else ""

    def rejected_since_start(self, kind: str) -> str:
        """Return why a file was rejected since the Envoy started, or an empty string."""
        return self.rejected_since(kind, UpdateCounts(0, 0))

    def cluster_hosts(self) -> dict[str, set[str]]:
        """Return the addresses of the hosts of each cluster (admin.v3.Clusters), without those that only stand by."""
        clusters = self.admin.json("/clusters?format=json", REQUEST_TIMEOUT)
        return {
            str(cluster.get("name")): {
                str(host.get("address", {}).get("socket_address", {}).get("address"))
                for host in cluster.get("host_statuses", ())
                if host.get("health_status", {}).get("eds_health_status") != STANDBY_STATUS
            }
            for cluster in clusters.get("cluster_statuses", ())
        }

    def wait_until_drained(self, deadline: float, clusters: Collection[str] = ()) -> bool:
        """Wait until no connection uses a previous listener, and no request is in one of `clusters`.

        A request that was routed before a change of the routes completes, and can be retried, in its cluster.

        Returns:
            Whether that is so at the `deadline`.
        """
        idle: dict[str, int] = {}
        # Envoy replaces each colon in the names of stats.
        requests = [f"cluster.{name.replace(':', '_')}.{ACTIVE_REQUESTS}" for name in clusters]
        pattern = "|".join([DRAIN_STATS, *(f"^{re.escape(name)}$" for name in requests)])
        for _left in attempts(deadline - time.monotonic()):
            stats = self.admin.counters(pattern, REQUEST_TIMEOUT)
            if any(stats.get(name, 0) for name in requests):
                continue
            if not any(stats.get(name, 0) for name in DRAINING_GAUGES):
                return True
            for name, value in stats.items():
                if (
                    name.startswith("listener.")
                    and ".worker_" not in name
                    and not name.startswith("listener.admin.")
                ):
                    # A listener without a connection in two rounds has no previous connection.
                    idle[name] = 2 if idle.get(name, 0) == 2 else idle.get(name, 0) + 1 if value == 0 else 0
            if all(rounds == 2 for rounds in idle.values()):
                return True
        return False

    def wait_until_replaced(self, serials: Mapping[int, str], deadline: float) -> str:
        """Wait until the Envoy uses no certificate with one of these serial numbers.

        Args:
            serials: The path of the file that contained the certificate, by serial number.
            deadline: The end of the wait.

        Returns:
            Which certificate is still used, with the reason of Envoy's log. An empty string when none is.
        """
        used: set[int] = set()
        for _left in attempts(deadline - time.monotonic()):
            used = self._certificate_serials() & serials.keys()
            if not used:
                return ""
            self.on_wait()
        paths = ", ".join(sorted(serials[one] for one in used))
        reason = self.rejection_from_log()
        return f"it uses the previous {paths}" + (f" ({reason})" if reason else "")

    def _certificate_serials(self) -> set[int]:
        """Return the serial numbers of all certificates and authorities in use (admin.v3.Certificates)."""
        page = self.admin.json("/certs", REQUEST_TIMEOUT)
        details = [
            detail
            for certificate in page.get("certificates", ())
            for field_name in ("ca_cert", "cert_chain")
            for detail in certificate.get(field_name, ())
        ]
        return {int(detail["serial_number"], 16) for detail in details if detail.get("serial_number")}

    def _wait_until_warm(self, kind: str, names: Collection[str], deadline: float) -> str:
        if kind not in WARMING_GAUGES:
            return ""
        gauge = WARMING_GAUGES[kind]
        warming: list[str] = []
        for _left in attempts(deadline - time.monotonic()):
            if not self.admin.counters(f"^{gauge}$", REQUEST_TIMEOUT).get(gauge, 0):
                return ""
            warming = [name for name in self._warming_names(kind) if name in names]
            if not warming:
                return ""
        return (
            f"not ready in time: {', '.join(warming)}"
            " (name resolution, a health check or a discovery service did not respond)"
        )

    def _warming_names(self, kind: str) -> list[str]:
        resource = "dynamic_warming_clusters" if kind == "clusters" else "dynamic_listeners"
        configs: list[dict[str, Any]] = self.admin.json(
            f"/config_dump?resource={resource}", REQUEST_TIMEOUT
        ).get("configs", [])
        if kind == "clusters":
            return [str(config.get("cluster", {}).get("name")) for config in configs]
        return [str(config.get("name")) for config in configs if "warming_state" in config]
