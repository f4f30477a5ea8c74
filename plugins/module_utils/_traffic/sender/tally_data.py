# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a sender has counted, as JSON, so that another process can add it up."""

from __future__ import annotations

import base64
from array import array
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.counters import Sent, Tally
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.series.timeline import timeline_of
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic


def sent_data(sent: Sent) -> dict[str, Any]:
    """Return what came of a traffic as data for JSON."""
    tally = sent.tally
    return {
        "sent": tally.sent,
        "statuses": {str(status): number for status, number in tally.statuses.items()},
        "errors": dict(tally.errors),
        "headers": {name: dict(values) for name, values in tally.headers.items()},
        "hosts": dict(tally.hosts),
        "tls": dict(tally.tls),
        "grpc_statuses": dict(tally.grpc_statuses),
        "messages": tally.messages,
        "redirects": tally.redirects,
        "trailers": {name: dict(values) for name, values in tally.trailers.items()},
        "latencies": base64.b64encode(tally.latencies.tobytes()).decode(),
        "bytes_received": tally.bytes_received,
        "matched": tally.matched,
        "last_error": tally.last_error,
        "bodies": {str(status): _text(body) for status, body in tally.bodies.items()},
        "unmatched": {str(position): _text(body) for position, body in tally.unmatched.items()},
        "elapsed": sent.elapsed,
        "connections": sent.connections,
        "retries": sent.retries,
        "began": sent.began,
        "timeline": tally.timeline.as_data(),
        "timeline_width": tally.timeline.width,
    }


def tally_of(data: Mapping[str, Any], traffic: Traffic) -> Tally:
    """Return the counts of another process."""
    tally = Tally(traffic)
    tally.sent = data["sent"]
    tally.statuses = Counter({int(status): number for status, number in data["statuses"].items()})
    tally.errors = Counter(data["errors"])
    tally.headers = {name: Counter(values) for name, values in data["headers"].items()}
    tally.hosts, tally.tls = Counter(data["hosts"]), Counter(data["tls"])
    tally.grpc_statuses, tally.messages = Counter(data["grpc_statuses"]), data["messages"]
    tally.redirects = data["redirects"]
    tally.trailers = {name: Counter(values) for name, values in data["trailers"].items()}
    tally.latencies = array("d")
    tally.latencies.frombytes(base64.b64decode(data["latencies"]))
    tally.bytes_received = data["bytes_received"]
    tally.matched = list(data["matched"])
    tally.last_error = data["last_error"]
    tally.timeline = timeline_of(data["timeline"], data["timeline_width"])
    tally.bodies = {int(status): base64.b64decode(body) for status, body in data["bodies"].items()}
    tally.unmatched = {int(position): base64.b64decode(body) for position, body in data["unmatched"].items()}
    return tally


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
