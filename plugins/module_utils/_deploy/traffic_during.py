# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The traffic that flows while a change is deployed, in threads of the deployment's own process.

So it ends with the process, also if the process is killed.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load.schedule import TrafficSignals
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load_generator import (
    TrafficResult,
    send_traffic,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.pod_targets import access_for
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic

FIRST_REQUEST_TIMEOUT = 60.0  # seconds until the first request of each traffic has ended


class TrafficDuring:
    """Traffic that flows during a `with` block: each entry for its `duration` at least, and to the end of the block.

    The block begins after the first request of each entry. If it fails, the traffic ends at once. `results` has an entry for each
    traffic, in its order, after the block.
    """

    def __init__(self, traffic: Sequence[Traffic]) -> None:
        self.results: list[TrafficResult] = []
        self._traffic = traffic
        self._signals = [TrafficSignals() for _each in traffic]
        self._found: dict[int, TrafficResult] = {}
        self._errors: list[BaseException] = []

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """Send the traffic until the end of the block. Raises ArgumentError for a file of the traffic that cannot be used."""
        threads = [
            threading.Thread(target=self._send, args=(position,), name=f"traffic {position}", daemon=True)
            for position in range(len(self._traffic))
        ]
        for thread in threads:
            thread.start()
        completed = False
        try:
            for signals in self._signals:
                signals.begun.wait(FIRST_REQUEST_TIMEOUT)
            yield
            completed = True
        finally:
            for signals in self._signals:
                signals.end(at_once=not completed)
            for thread in threads:
                thread.join()
            self.results = [self._found[position] for position in sorted(self._found)]
        if self._errors:
            raise self._errors[0]

    def _send(self, position: int) -> None:
        signals = self._signals[position]
        try:
            self._found[position] = send_traffic(self._traffic[position], signals)
        except BaseException as error:  # is raised in the thread of the deployment
            self._errors.append(error)
        finally:
            signals.begun.set()


@contextmanager
def parsed_traffic(
    entries: Sequence[Mapping[str, Any]], cluster: Mapping[str, Any]
) -> Iterator[TrafficDuring]:
    """Return the traffic of a plan's `during`, with one connection to the cluster of its pods.

    Raises:
        ArgumentError: An entry cannot be sent.
    """
    access = access_for(entries, cluster)
    with contextlib.closing(access) if access else contextlib.nullcontext():
        yield TrafficDuring(parse_traffic(entries, access))
