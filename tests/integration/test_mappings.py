# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The default mappings of statsd_exporter: each stat of the demos' Envoys gets a valid name and labels."""

from __future__ import annotations

import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from deployment import Deployment
from live import ROOT, Home, supported_demos

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.prometheus_text import (
    parse_line,
    parse_series,
)
from ansible_collections.meshlab.envoy.plugins.module_utils.stats_api import (
    Page,
    Query,
    Selection,
    parse_endpoints,
    scrape,
)

MAPPINGS = ROOT / "roles" / "statsd_exporter" / "files"
EVERYTHING = Selection(everything=True)


@pytest.fixture(scope="module")
def read() -> Iterator[tuple[dict[str, Page], str]]:
    """Return the pages of all Envoys of all demos after their traffic, and the path of statsd_exporter."""
    home = Home("local")
    pages_by_name: dict[str, Page] = {}
    try:
        for name in supported_demos("local"):
            demo = Deployment(home, name)
            plan = demo.plan()
            try:
                started = demo.run(plan)
                assert not started["failed"], started
                demo.verify(plan, timeout=10)
                envoys = [
                    {"name": f"{name}/{one['name']}", "url": one["url"]}
                    for one in plan["endpoints"]
                    if one["format"] == "envoy"
                ]
                query = Query({"stats": EVERYTHING, "prometheus": EVERYTHING}, histograms=True)
                pages = scrape(parse_endpoints(envoys), query).pages
                assert [page.failure for page in pages.values()] == [None] * len(envoys)
                pages_by_name |= pages
            finally:
                demo.run(plan, state="absent")
        yield pages_by_name, home.exporter
    finally:
        home.close()


@contextmanager
def exporter(program: str, mapping: Path) -> Iterator[tuple[str, int]]:
    """Start an exporter, and return the URL of its page and its statsd port. The port uses TCP, so no line is lost."""
    ports = []
    for _number in range(2):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            ports.append(taken.getsockname()[1])
    command = [
        program,
        f"--statsd.mapping-config={mapping}",
        f"--web.listen-address=127.0.0.1:{ports[0]}",
        f"--statsd.listen-tcp=127.0.0.1:{ports[1]}",
        "--statsd.listen-udp=",
        "--log.level=error",
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


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return str(answer.read().decode())


def sent(program: str, mapping: Path, lines: list[str]) -> list[tuple[str, dict[str, str], float]]:
    """Return the samples of a new exporter after these lines, with its own metrics."""
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
    return [(name, labels) for name, labels, _number in shown if name.startswith("envoy_")]


def test_statsd_mapping_turns_names_into_labels(read: tuple[dict[str, Page], str]) -> None:
    envoys, program = read
    lines: dict[str, None] = {}
    inner: set[tuple[str, str]] = set()
    for page in envoys.values():
        values, histograms = page.sources["stats"].values, page.sources["stats"].histograms
        for name, number in values.items():
            if not isinstance(number, str):
                lines[f"envoy.{name.replace(':', '_')}:1|g"] = None
        lines |= {f"envoy.{name.replace(':', '_')}:5|ms": None for name in histograms}
        for name in [*values, *histograms]:
            # these names must become labels
            inner |= set(re.findall(r"^(cluster|http|tcp)\.([^.]+)\.", name))
            inner |= set(re.findall(r"^(listener)\.(\d+\.\d+\.\d+\.\d+_\d+)\.", name))
    assert len(lines) > 500
    assert len(inner) > 5
    shown = sent(program, MAPPINGS / "statsd.yaml", list(lines))
    assert_no_errors(shown, list(lines))
    labelled = {label for _name, labels in own(shown) for label in labels.values()}
    assert {one for _kind, one in inner} <= labelled, inner
    for name, labels in own(shown):
        assert re.fullmatch(r"envoy_[a-zA-Z0-9_]+", name), name
        inside = re.match(r"envoy_(?:listener_)?(cluster|tcp|http|listener(?!_http_))_(.+)", name)
        # The prefix of an http stat must not remain in its name. In the name of a cluster's stat, the word can be Envoy's.
        for kind, one in inner if inside else ():
            word = re.sub(r"[^a-zA-Z0-9_]", "_", one)
            left = kind == inside[1] and inside[2].startswith(f"{word}_")
            assert not left, f"{name} {labels}: {one} remains in the name"
        assert all(re.fullmatch(r"[a-z_]+", label) for label in labels), labels


def test_dog_statsd_keeps_names_and_tags(read: tuple[dict[str, Page], str]) -> None:
    """The metrics are those of Envoy's own Prometheus page."""
    envoys, program = read
    assert {name.partition("/")[0] for name in envoys} == set(supported_demos("local"))
    expected: dict[tuple[str, tuple[tuple[str, str], ...]], None] = {}
    lines: dict[str, None] = {}
    for page in envoys.values():
        samples = page.sources["prometheus"]
        parts = {f"{parse_series(key)[0]}_{part}" for key in samples.histograms for part in ("sum", "count")}
        for key in [*samples.values, *samples.histograms]:
            name, labels = parse_series(key)
            if name in parts or not name.startswith("envoy_"):
                continue
            timer = key in samples.histograms
            tags = ",".join(f"{label}:{text}" for label, text in labels.items())
            lines[
                f"envoy.{name.removeprefix('envoy_')}:{'5|ms' if timer else '1|g'}{'|#' if tags else ''}{tags}"
            ] = None
            expected[f"{name}_count" if timer else name, tuple(sorted(labels.items()))] = None
    assert len(lines) > 500
    shown = sent(program, MAPPINGS / "dog_statsd.yaml", list(lines))
    assert_no_errors(shown, list(lines))
    found = {(name, tuple(sorted(labels.items()))) for name, labels in own(shown)}
    assert set(expected) <= found, sorted(set(expected) - found)[:10]
