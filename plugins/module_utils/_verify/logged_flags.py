# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The response flags of a traffic, from the access log of the proxy that it is sent to."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import attempts
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.series.response_flags import NONE
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.access_log import parse_lines

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._platform.observer import Observer
    from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.counters import Result
    from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic

USER_AGENT = "user-agent"
LOG_TIMEOUT = 5.0  # seconds until the log has all requests: Envoy writes it every 0.5 s
_EARLIER = 5.0  # seconds that the clock of the log can be behind this host's


@dataclass(frozen=True)
class FlagReader:
    """Reads the response flags of traffic.

    Attributes:
        observer: Reads the logs.
        workloads: The workloads of the proxies in each group.
        targets: The group that each traffic is sent to, by the name of the traffic.
    """

    observer: Observer | None = None
    workloads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    targets: Mapping[str, str] = field(default_factory=dict)

    def marked(self, traffic: Traffic) -> Traffic:
        """Return a traffic whose requests the access log identifies, by a user agent of their own."""
        if not traffic.reads_flags or any(name == USER_AGENT for name, _value in traffic.headers):
            return traffic
        identifier = f"meshlab.envoy/{secrets.token_hex(8)}"
        headers = {**(traffic.entry.get("headers") or {}), USER_AGENT: identifier}
        return traffic._replace(
            headers=(*traffic.headers, (USER_AGENT, identifier)),
            entry={**traffic.entry, "headers": headers},
        )

    def reader(
        self, traffic: Traffic, sleep: Callable[[float], None] = time.sleep
    ) -> Callable[[Result], Mapping[str, int] | None]:
        """Return a function that returns the number of requests by response flag; None if the log does not have all of them."""
        began = time.time()
        identifier = next((value for name, value in traffic.headers if name == USER_AGENT), "")
        workloads = self.workloads.get(self.targets.get(traffic.name, ""), ())

        def read(result: Result) -> Mapping[str, int] | None:
            if self.observer is None or not workloads:
                return None
            for left in attempts(LOG_TIMEOUT, first_pause=0.1, longest_pause=0.5, sleep=sleep):
                lines = self.observer.recent_log_lines(workloads, began - _EARLIER, max(left, 1.0))
                requests = [
                    request
                    for workload in workloads
                    for request in parse_lines(workload, lines.get(workload, ()))
                    if request.user_agent == identifier
                ]
                if len(requests) > result.sent:  # another client has the same user agent
                    return None
                if len(requests) >= result.answered > 0:
                    return Counter(flag for one in requests for flag in (one.flags or NONE).split(","))
            return None

        return read
