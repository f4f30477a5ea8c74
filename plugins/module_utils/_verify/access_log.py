# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The requests in the access log of proxies: JSON lines with the keys of _envoy/filters.ACCESS_LOG_FIELDS. No I/O."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.series.response_flags import (
    RESPONSE_FLAGS,
)

MAX_DETAILS = 300  # characters of a text of Envoy
VIA_UPSTREAM = "via_upstream"


@dataclass(frozen=True)
class LoggedRequest:
    """One request of the access log.

    Attributes:
        proxy: The name of the proxy.
        started: The time of its start, in seconds since the epoch; None if the line has no valid time.
        path: The path with the query.
        status: The status of the response; 0 without a response.
        flags: The response flags, as in `UF,URX`; empty for none.
        details: The response code details, as in `via_upstream`.
        cluster: The name of the upstream cluster; empty if no cluster was selected.
        user_agent: The header `user-agent`.
        transport_failure: Why the connection to the upstream failed, as in `TLS_error:…`; empty for no failure.
    """

    proxy: str
    started: float | None
    path: str
    status: int
    flags: str = ""
    details: str = ""
    cluster: str = ""
    transport_failure: str = ""
    user_agent: str = ""

    @property
    def reason(self) -> str:
        """Return what Envoy did with the request; empty if it forwarded a response without an error."""
        if not self.flags and self.details == VIA_UPSTREAM and self.status < 400:
            return ""
        flags = [flag for flag in self.flags.split(",") if flag]
        meanings = [f"{flag} ({RESPONSE_FLAGS[flag]})" if flag in RESPONSE_FLAGS else flag for flag in flags]
        failure = self.transport_failure
        parts = {
            "response flags": ", ".join(meanings),
            "details": f"{VIA_UPSTREAM} (the response of the upstream)"
            if self.details == VIA_UPSTREAM
            else self.details,
            # The details of a failed connection can contain its reason, with `_` in place of blanks.
            "transport failure": "" if failure.replace(" ", "_") in self.details else failure,
            "cluster": self.cluster,
        }
        return ", ".join(f"{name} {text}" for name, text in parts.items() if text)


def parse_lines(proxy: str, lines: Iterable[str]) -> list[LoggedRequest]:
    """Return the requests of the lines that are JSON objects with a response code; other lines are ignored.

    Example:
        >>> parse_lines("edge", ['{"path": "/", "response_code": 503, "response_flags": "UH"}', "[warning] x"])[0].flags
        'UH'
    """
    found = []
    for line in lines:
        start = line.find("{")
        if start < 0:
            continue
        try:
            entry = json.loads(line[start:])
        except ValueError:
            continue
        status = entry.get("response_code") if isinstance(entry, dict) else None
        if not isinstance(status, int):
            continue
        found.append(
            LoggedRequest(
                proxy,
                _seconds(entry.get("start_time")),
                _text(entry.get("path")),
                status,
                _text(entry.get("response_flags")),
                _text(entry.get("response_code_details")),
                _text(entry.get("upstream_cluster")),
                _text(entry.get("upstream_transport_failure_reason")),
                _text(entry.get("user_agent")),
            )
        )
    return found


def _text(value: object) -> str:
    """Return the text of a field, empty for `-` and null, which Envoy writes for a field without a value."""
    if not isinstance(value, str) or value == "-":
        return ""
    shown = " ".join("".join(one if one.isprintable() else " " for one in value).split())
    return shown if len(shown) <= MAX_DETAILS else f"{shown[:MAX_DETAILS]}…"


def _seconds(value: object) -> float | None:
    try:
        return datetime.fromisoformat(str(value).replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None
