# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real statsd_exporter with a mapping of the collection."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from live import ROOT

from ansible_collections.meshlab.envoy.plugins.module_utils._plan.exporter import without_foreign_tags
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.prometheus_text import parse_line

MAPPINGS = ROOT / "roles" / "statsd_exporter" / "files"


@contextmanager
def exporter(program: str, mapping: Path) -> Iterator[tuple[str, int]]:
    """Start an exporter with the arguments of a demo, and return the URL of its page and its statsd port, for TCP and UDP."""
    ports = [free_port(), free_port()]
    command = [
        program,
        f"--statsd.mapping-config={mapping}",
        f"--web.listen-address=127.0.0.1:{ports[0]}",
        f"--statsd.listen-tcp=127.0.0.1:{ports[1]}",
        f"--statsd.listen-udp=127.0.0.1:{ports[1]}",
        "--log.level=error",
        *without_foreign_tags([]),
    ]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        page = f"http://127.0.0.1:{ports[0]}"
        until = time.monotonic() + 60
        while server.poll() is None and time.monotonic() < until:
            with suppress(urllib.error.URLError, OSError):
                fetch(f"{page}/-/ready")
                break
            time.sleep(0.05)
        yield f"{page}/metrics", ports[1]
    finally:
        server.terminate()
        server.wait(60)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def lost_datagrams(port: int) -> int:
    """Return how many datagrams to a port of this machine the kernel has dropped, because their reader was too slow."""
    sockets = Path("/proc/net/udp").read_text().splitlines()[1:]
    return sum(int(one.split()[-1]) for one in sockets if one.split()[1].endswith(f":{port:04X}"))


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return str(answer.read().decode())


def sent(program: str, mapping: Path, lines: list[str]) -> list[tuple[str, dict[str, str], float]]:
    """Return the samples of a new exporter after these lines, which it gets over TCP, with its own metrics."""
    with exporter(program, mapping) as (page, port):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall("".join(f"{line}\n" for line in lines).encode())
        until = time.monotonic() + 60
        # The exporter counts a line when it arrives, and an event when it is part of the page.
        while (
            value(samples_of(page), "statsd_exporter_events_total") < len(lines) and time.monotonic() < until
        ):
            time.sleep(0.05)
        return samples_of(page)


def samples_of(page: str) -> list[tuple[str, dict[str, str], float]]:
    return [parse_line(line) for line in fetch(page).splitlines() if line and not line.startswith("#")]


def value(shown: list[tuple[str, dict[str, str], float]], name: str) -> float:
    return sum(number for known, _labels, number in shown if known == name)


def assert_no_errors(shown: list[tuple[str, dict[str, str], float]], lines: list[str]) -> None:
    assert value(shown, "statsd_exporter_lines_total") == len(lines)
    for name in ("events_unmapped_total", "sample_errors_total", "events_conflict_total", "tag_errors_total"):
        assert value(shown, f"statsd_exporter_{name}") == 0, name


def own(shown: list[tuple[str, dict[str, str], float]]) -> list[tuple[str, dict[str, str]]]:
    """Return the names and labels of Envoy's metrics."""
    return [(name, labels) for name, labels, _number in shown if name.startswith("envoy_")]
