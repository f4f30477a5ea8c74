# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Live changes of a running demo under requests, on one platform: each kind of change, and what it loses."""

from __future__ import annotations

import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from cases import PortBlock
from change_kinds import DIRECT_PATHS, EDGE_PATHS, HTTP, HTTPS, ONE, TWO, Data, Kind, changing_demo
from cluster_home import ClusterHome, home_without_ports
from deployment import Deployment
from envoys import binary
from request_load import ChangeCounts, Lane, RequestLoad

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.versions import OLDEST

NAME = "changing"
# The requests of a lane each second.
RATE = 40.0


class ChangingDemo:
    """The demo of all kinds of changes, deployed on a platform until the end of a `with` block."""

    def __init__(self, platform: str) -> None:
        self.platform = platform

    def __enter__(self) -> ChangingDemo:
        self.ports = PortBlock()
        self.home = home_without_ports(self.platform)
        self.data = changing_demo(self.ports.first)
        self._deployment = Deployment(self.home, NAME, self.data)
        try:
            self.deploy(self.data)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def deploy(self, data: Data) -> dict[str, Any]:
        """Deploy the demo with other data; return the result, with the interruptions that its plan announced."""
        self._deployment.data = data
        plan = self._deployment.plan()
        result = self._deployment.run(plan)
        assert not result["failed"], result["msg"]
        return {**result, "announced": plan.get("interruptions", [])}

    def lanes(self, rate: float = RATE) -> list[Lane]:
        """Return the lanes of the load: through the edge with HTTP/1.1, TLS and HTTP/2, and directly to the published sidecars."""
        authority = str(self.home.state(NAME) / "ca" / "ca.crt")
        plain, tls = self._address("edge", HTTP), self._address("edge", HTTPS)
        direct = {name: self._address(name, port) for name, port in (("one", ONE), ("two", TWO))}
        return [
            Lane("kept", *plain, EDGE_PATHS, rate=rate),
            Lane("new", *plain, EDGE_PATHS, keep=False, rate=rate),
            Lane("TLS kept", *tls, EDGE_PATHS, authority=authority, rate=rate),
            Lane("TLS new", *tls, EDGE_PATHS, keep=False, authority=authority, rate=rate),
            Lane("HTTP/2 kept", *tls, EDGE_PATHS, authority=authority, http2=True, rate=rate),
            Lane("HTTP/2 new", *tls, EDGE_PATHS, keep=False, authority=authority, http2=True, rate=rate),
            *(Lane(f"{name} kept", *address, DIRECT_PATHS, rate=rate) for name, address in direct.items()),
            *(
                Lane(f"{name} new", *address, DIRECT_PATHS, keep=False, rate=rate)
                for name, address in direct.items()
            ),
        ]

    def older_envoy(self) -> Data:
        """Return the key `envoy` of a demo with the oldest supported version."""
        return {
            "image": f"envoyproxy/envoy:v{OLDEST}",
            "executable": str(binary(OLDEST)),
            "version": OLDEST,
        }

    def _address(self, group: str, port: int) -> tuple[str, int]:
        """Return the address of a published port: on a cluster that of the Service, which the lab's machine reaches."""
        number = self.ports.first + port
        if not isinstance(self.home, ClusterHome):
            return "127.0.0.1", number
        [service] = [
            one
            for one in self.home.objects("Service", NAME)
            if any(each["port"] == number for each in one["spec"].get("ports", ()))
            and one["spec"].get("clusterIP") not in (None, "None")
        ]
        return service["spec"]["clusterIP"], number

    def _close(self) -> None:
        try:
            gone = self._deployment.run(self._deployment.plan(), state="absent")
            assert not gone["failed"], gone["msg"]
        finally:
            self.home.close()
            self.ports.close()


def play(demo: ChangingDemo, changes: Iterable[Kind], load: RequestLoad, least: int) -> list[dict[str, Any]]:
    """Make each change and its change back under requests; return a row for each, with what it lost.

    Args:
        demo: The deployed demo.
        changes: The kinds of changes.
        load: The requests.
        least: The number of requests that each change has at least.
    """
    rows = []
    for position, kind in enumerate(changes):
        for name, data in ((kind.name, kind.changed(demo.data)), (kind.back, demo.data)):
            load.begin(f"{position} {name} {'forth' if data is not demo.data else 'back'}")
            started = time.monotonic()
            result = demo.deploy(data)
            seconds = time.monotonic() - started
            rows.append(row(name, load.settled(least), seconds, result))
    return rows


def within_announcements(row: dict[str, Any]) -> bool:
    """Return whether a change lost no request, or its plan announced before that requests can fail."""
    return not row["failed"] or bool(row["announced"])


def row(name: str, counts: ChangeCounts, seconds: float, result: dict[str, Any]) -> dict[str, Any]:
    """Return the outcome of a change as data: its requests, its failures by cause, and what the deployment replaced."""
    return {
        "kind": name,
        "requests": counts.requests,
        "failed": counts.failed,
        "resent": counts.resent,
        "causes": dict(counts.failures.most_common()),
        "seconds": round(seconds, 1),
        "restarted": result["restarted"],
        "replaced": result.get("replaced", []),
        "announced": result["announced"],
    }
