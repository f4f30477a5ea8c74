# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sender: a process that sends one traffic and prints what came of it.

The first line of standard input is the traffic, as JSON. Further lines are signals (`ended`, `stopped`). The process ends when standard
input ends, so it never outlives the process that started it. Standard output has one JSON object in each line, with the key `event`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import sys
import threading
import time
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_tls import tls_context
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.counters import Sent, Tally
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load.http1_engine import Http1Engine
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load.live_counts import (
    INTERVAL,
    TallyReports,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load.schedule import (
    Schedule,
    TrafficSignals,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sender.async_sender import (
    send_all_requests,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sender.tally_data import sent_data
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import (
    GRPC_PROTOCOLS,
    HTTP1,
    HTTP3,
    Traffic,
)


def main() -> None:
    """Send the traffic of standard input."""
    try:
        task = json.loads(sys.stdin.readline())
        [traffic] = parse_traffic([task["traffic"]])
        _raise_file_limit()
        signals = TrafficSignals()
        if not task["extended"]:  # no task extends the duration
            signals.ended.set()
        threading.Thread(target=_listen, args=(signals,), daemon=True).start()
        threading.Thread(target=_report_begin, args=(signals,), daemon=True).start()
        schedule = Schedule(traffic, signals, tuple(task["share"]))
        tally = Tally(traffic, schedule.counted_from)
        if task["reports"]:
            threading.Thread(target=_report_counts, args=(tally,), daemon=True).start()
        if traffic.protocol == HTTP1:
            sent = Http1Engine(traffic, tls_context(traffic), schedule, tally).run()
        else:
            sent = asyncio.run(_send(traffic, schedule, tally))
    except ArgumentError as error:
        _print({"event": "refused", "where": error.where, "problem": error.problem})
        return
    _print({"event": "sent", **sent_data(sent)})
    os._exit(0)  # without waiting for threads that read standard input


async def _send(traffic: Traffic, schedule: Schedule, tally: Tally) -> Sent:
    context = tls_context(traffic)
    call = None
    if traffic.protocol in GRPC_PROTOCOLS:
        from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sender import grpc_client

        call = await grpc_client.grpc_call(traffic, context)

    def new_client() -> Any:
        if call is not None:
            return grpc_client.GrpcClient(traffic, context, *call)
        if traffic.protocol == HTTP3:
            from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sender.http3_client import (
                Http3Client,
            )

            return Http3Client(traffic)
        from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sender.http2_client import (
            Http2Client,
        )

        return Http2Client(traffic, context)

    return await send_all_requests(traffic, new_client, schedule, tally)


def _raise_file_limit() -> None:
    """Allow as many open files as the user may have: each connection is one."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _listen(signals: TrafficSignals) -> None:
    """Pass on the signals of standard input. At its end, end the process."""
    for line in sys.stdin:
        signals.end(at_once=line.strip() == "stopped")
    os._exit(1)


def _report_begin(signals: TrafficSignals) -> None:
    signals.begun.wait()
    _print({"event": "begun"})


def _report_counts(tally: Tally) -> None:
    reports = TallyReports([tally])
    while True:
        time.sleep(INTERVAL)
        _print({"event": "counts", **reports.take()})


_printing = threading.Lock()


def _print(event: dict[str, Any]) -> None:
    with _printing:
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()
