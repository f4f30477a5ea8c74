# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the sender in a process of its own, and return what it has counted."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.counters import Sent
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load.schedule import (
    MAX_EXTENSION,
    TrafficSignals,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sender.pod_socket import pod_socket
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sender.tally_data import tally_of
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic

if TYPE_CHECKING:
    # Ansible sends the modules that a module imports to the host, so this import brings the sender there.
    from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sender import sender_program  # noqa: F401

START_SECONDS = 60.0  # that a sender has to start and to end, besides its traffic
_COLLECTIONS = "ansible_collections"
_PROGRAM = f"""\
import sys
sys.path.insert(0, sys.argv[1])
from {__name__.rpartition(".")[0]}.sender_program import main
main()
"""


def send_in_processes(traffic: Traffic, python: str, signals: TrafficSignals | None = None) -> list[Sent]:
    """Divide a traffic among its processes, and return what came of each. Raises ArgumentError."""
    number = min(traffic.processes, traffic.concurrency, traffic.requests or traffic.concurrency)
    parts = [_part(traffic, share, number) for share in range(number)]
    with ThreadPoolExecutor(number) as pool:
        return list(
            pool.map(lambda one: send_in_process(one[1], python, signals, (one[0], number)), enumerate(parts))
        )


def _part(traffic: Traffic, share: int, number: int) -> Traffic:
    """Return the part of one process: its connections, and its requests."""

    def divided(total: int) -> int:
        return (total + number - 1 - share) // number

    changed: dict[str, Any] = {"concurrency": divided(traffic.concurrency)}
    if traffic.requests is not None:
        changed["requests"] = divided(traffic.requests)
    return traffic._replace(**changed, entry={**traffic.entry, **changed})


def send_in_process(
    traffic: Traffic,
    python: str,
    signals: TrafficSignals | None = None,
    share: tuple[int, int] = (0, 1),
) -> Sent:
    """Send a traffic in a process of `python`, which ends with this one, and return what came of it.

    Raises:
        ArgumentError: The sender refuses the traffic, or ends without a result.
    """
    with contextlib.ExitStack() as stack:
        entry = _plain(traffic)
        if traffic.pods is not None:
            entry["unix_socket"] = stack.enter_context(pod_socket(traffic.pods, traffic.timeout))
        command = [python, "-I", "-c", _PROGRAM, collections_root(__file__)]
        process = stack.enter_context(
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        )
        stack.callback(_end, process)
        timer = threading.Timer(longest(traffic), process.kill)
        timer.daemon = True
        timer.start()
        stack.callback(timer.cancel)
        errors: list[str] = []
        if process.stdin is None or process.stdout is None:
            raise AssertionError("the sender has no pipes")
        reader = threading.Thread(target=lambda: errors.append(process.stderr.read()), daemon=True)  # type: ignore[union-attr]
        reader.start()
        counts = signals.counts if signals is not None else None
        task = {
            "traffic": entry,
            "share": share,
            "extended": signals is not None,
            "reports": counts is not None,
        }
        process.stdin.write(json.dumps(task) + "\n")
        process.stdin.flush()
        if signals is not None:
            threading.Thread(target=_pass_on, args=(signals, process), daemon=True).start()
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "begun" and signals is not None:
                signals.begun.set()
            elif event["event"] == "counts" and counts is not None:
                counts.add(event)
            elif event["event"] == "refused":
                raise ArgumentError(event["where"].replace("traffic[0]", traffic.name), event["problem"])
            elif event["event"] == "sent":
                return Sent(
                    tally_of(event, traffic),
                    event["elapsed"],
                    event["connections"],
                    event["retries"],
                    event["began"],
                )
        process.wait()
        reader.join(START_SECONDS)
        last = "".join(errors).strip().splitlines()[-1:] or [f"exit status {process.returncode}"]
        raise ArgumentError(traffic.name, f"the sender ended without a result: {last[0]}.")


def longest(traffic: Traffic) -> float:
    """Return the most seconds that a traffic can take."""
    if traffic.duration is not None:
        return traffic.duration + MAX_EXTENSION + traffic.timeout + START_SECONDS
    if traffic.phases:
        return sum(phase.duration for phase in traffic.phases) + traffic.timeout + START_SECONDS
    number = traffic.requests or 1
    pauses = number / traffic.rate if traffic.rate else 0.0
    return pauses + (number / traffic.concurrency + 1) * traffic.timeout + START_SECONDS


def collections_root(file: str) -> str:
    """Return the folder, or the archive, that contains `ansible_collections` with this file.

    Example:
        >>> collections_root("/srv/collections/ansible_collections/meshlab/envoy/plugins/module_utils/a.py")
        '/srv/collections'
    """
    parts = Path(file).parts
    return str(Path(*parts[: parts.index(_COLLECTIONS)]))


def _plain(traffic: Traffic) -> dict[str, Any]:
    """Return the data of a traffic without what this process does itself."""
    return {
        key: value
        for key, value in traffic.entry.items()
        if value is not None and key not in ("pod", "within")
    }


def _pass_on(signals: TrafficSignals, process: subprocess.Popen[str]) -> None:
    """Send the signals of the task to the sender."""
    signals.ended.wait()
    with contextlib.suppress(OSError, ValueError):
        if process.stdin is None:
            raise AssertionError("the sender has no pipes")
        process.stdin.write("stopped\n" if signals.stopped.is_set() else "ended\n")
        process.stdin.flush()


def _end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(OSError):
        process.kill()
