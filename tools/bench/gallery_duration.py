# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the whole gallery on docker against the same demos by docker compose, curl and grep.

The collection runs `make demos PLATFORM=docker`, without the changes of the demos, as one process. The reference handles one
demo after the other: compose up, the traffic of the demo by curl, the stats of each admin by curl and grep, compose down. Both run the
same containers and configurations, on different ports and under different names. The times do not include rendering,
certificates and the pull of images.

The reference checks health each second, and requests a service without a health check until it responds. It leaves out traffic that is not
HTTP or has an ALPN that curl cannot set, and checks only the number of responses and their statuses.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import manual_compose
import yaml
from measure import ROOT, Figure, MeasurementError, run

# live.py moves the ports of the gallery's demos.
sys.path.insert(0, str(ROOT / ".venv/collections"))
sys.path.insert(0, str(ROOT / "tests/support"))
from live import DEMOS, PortRange, containers, demo_data

BIN = ROOT / ".venv/bin"
JOBS = 3  # the default of `make demos`
Data = Mapping[str, Any]


class ManualDemo:
    """One demo without the collection: a rendered folder, and the commands of a script in it."""

    def __init__(self, demo: Path, folder: Path) -> None:
        self.name = demo.stem
        self._folder = folder
        variables = ["-e", f"demo={demo}", "-e", f"render_to={folder}"]
        run([str(BIN / "ansible-playbook"), "-i", "inventories/docker", "tools/bench/render.yml", *variables])
        self._plan = json.loads((folder / "plan.json").read_text())
        document = folder / "compose.yaml"
        compose = yaml.safe_load(document.read_text())
        for service in compose["services"].values():
            if "healthcheck" in service:
                service["healthcheck"] = frequent(service["healthcheck"])
        document.write_text(yaml.safe_dump(compose, sort_keys=False))
        self._unchecked = [
            f"http://127.0.0.1:{port['published']}/"
            for one in self._plan["workloads"]
            if "healthcheck" not in compose["services"][one["name"]]
            for port in one["ports"]
            if port["published"] and port["scheme"] == "http"
        ]
        self._traffic = [(one, curl(one, folder)) for one in self._plan["traffic"] if can_curl(one)]
        self.left_out = [one["name"] for one in self._plan["traffic"] if not can_curl(one)]
        self.sent = len(self._traffic)
        run(["docker", "compose", "pull", "--quiet", "--policy", "missing"], folder)

    def play(self) -> dict[str, float]:
        """Run the demo, remove it, and return the seconds of each step."""
        seconds = {}
        try:
            seconds["up"] = (
                self._compose("up", "--detach", "--wait", "--quiet-pull") + self._wait_for_unchecked()
            )
            began = time.monotonic()
            for entry, command in self._traffic:
                self._send(entry, command)
            seconds["traffic"] = time.monotonic() - began
            began = time.monotonic()
            for endpoint in self._plan["endpoints"]:
                self._read_stats(endpoint)
            seconds["stats"] = time.monotonic() - began
        finally:
            seconds["down"] = self._compose("down", "--volumes")
        return seconds

    def _wait_for_unchecked(self) -> float:
        """Request each service without a health check until it responds with any status."""
        command = ["curl", "--silent", "--output", "/dev/null", "--max-time", "5"]
        retries = ["--retry", "300", "--retry-delay", "1", "--retry-max-time", "120", "--retry-all-errors"]
        return sum(run([*command, *retries, url]) for url in self._unchecked)

    def _compose(self, *arguments: str) -> float:
        return run(["docker", "compose", *arguments], self._folder)

    def _send(self, entry: Data, command: Sequence[str]) -> None:
        until = time.monotonic() + (entry.get("within") or 0)
        while True:
            # Some demos expect requests to fail, so curl's exit status is not checked.
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
            body, status = (
                (done.stdout[:-4], done.stdout[-4:]) if waits_for_body(entry) else ("", done.stdout)
            )
            difference = wrong_statuses(entry, Counter(status.split())) or wrong_body(entry, body)
            if not difference:
                return
            if time.monotonic() >= until:
                raise MeasurementError(
                    f"{self.name} by compose and curl: {entry['name']}: {difference}\n{done.stderr[-2000:]}"
                )

    def _read_stats(self, endpoint: Data) -> None:
        socket = endpoint["url"].removeprefix("unix://")
        address = (
            [endpoint["url"]]
            if socket == endpoint["url"]
            else ["--unix-socket", socket, "http://admin/stats"]
        )
        stats = subprocess.run(
            ["curl", "--silent", "--show-error", "--fail", *address],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        grep = ["grep", "--count", "--invert-match", "[: ]0$"]
        subprocess.run(grep, input=stats, stdout=subprocess.DEVNULL, text=True, check=True)


def frequent(healthcheck: Data) -> Data:
    """Return a health check that runs each second."""
    return {"test": healthcheck["test"], **manual_compose.CHECK}


def can_curl(entry: Data) -> bool:
    """Return whether curl can send a demo's traffic: HTTP, a fixed number of requests, and curl's own ALPN."""
    return (
        urlsplit(entry["url"]).scheme in ("http", "https")
        and entry.get("duration") is None
        and not entry.get("alpn")
    )


def curl(entry: Data, folder: Path) -> list[str]:
    """Return a command that sends the traffic of a demo and prints the status of each response on its own line."""
    url, host = entry["url"], entry.get("host")
    options = ["--silent", "--show-error", "--http1.1", "--globoff", "--write-out", "%{http_code}\\n"]
    parts = urlsplit(url)
    if name := entry.get("server_name"):
        # curl uses the host of the URL as SNI.
        options += ["--resolve", f"{name}:{parts.port}:{parts.hostname}"]
        url, host = parts._replace(netloc=f"{name}:{parts.port}").geturl(), host or parts.netloc
    if host:
        options += ["--header", f"host: {host}"]
    for header, value in (entry.get("headers") or {}).items():
        options += ["--header", f"{header}: {value}" if str(value) else f"{header};"]
    if entry.get("connections") == "new":
        options += ["--header", "connection: close"]
    if entry.get("method") == "HEAD":
        options += ["--head"]
    elif entry.get("method"):
        options += ["--request", entry["method"]]
    if entry.get("body"):
        # Arguments cannot contain zero bytes, but a file can.
        options += ["--data-binary", f"@{new_file(entry['body'], folder)}"]
    options += ["--max-time", str(entry.get("timeout") or 10)]
    if entry.get("rate"):
        options += ["--rate", f"{round(entry['rate'] * 3600)}/h"]
    elif entry.get("concurrency", 1) > 1:
        options += ["--parallel", "--parallel-max", str(entry["concurrency"])]
    if ca := entry.get("ca"):
        options += ["--cacert", ca]
    if certificate := entry.get("client_certificate"):
        options += ["--cert", certificate["certificate"], "--key", certificate["key"]]
    if version := entry.get("tls_version"):
        number = version.removeprefix("TLSv")
        options += [f"--tlsv{number}", "--tls-max", number]
    if ciphers := entry.get("ciphers"):
        options += ["--ciphers", ciphers]
    output = "-" if waits_for_body(entry) else "/dev/null"
    urls = f'url = "{url}"\noutput = "{output}"\n' * (entry.get("requests") or 1)
    return ["curl", *options, "--config", new_file(urls, folder)]


def new_file(text: str, folder: Path) -> str:
    """Return the path of a new file with a text."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="", dir=folder, delete=False) as file:
        file.write(text)
    return file.name


def wrong_statuses(entry: Data, statuses: Mapping[str, int]) -> str:
    """Return how the number of responses and their statuses differ from what a demo expects, '' if they do not."""
    requests = entry.get("requests") or 1
    if sum(statuses.values()) != requests:
        return f"expected {requests} responses, got {sum(statuses.values())}"
    for one in entry.get("expect") or []:
        status, value = str(one.get("status", "")), one.get("value")
        counted = status.isdigit() and one.get("op") == "eq" and "of" not in one and isinstance(value, int)
        if counted and statuses.get(status, 0) != value:
            return f"expected {value}, got {statuses.get(status, 0)} (responses with status {status})"
    return ""


def waits_for_body(entry: Data) -> bool:
    """Return whether a demo retries a request until the body of its response matches."""
    bodies = any("body" in one for one in entry.get("expect") or [])
    return bool(entry.get("within")) and bodies and (entry.get("requests") or 1) == 1


def wrong_body(entry: Data, body: str) -> str:
    """Return how the body of the response differs from what a demo waits for, '' if it does not."""
    patterns = [one["body"] for one in entry["expect"] if "body" in one] if waits_for_body(entry) else []
    return next(
        (
            f"expected a body that matches {one}, got {body[:200]}"
            for one in patterns
            if not re.search(one, body)
        ),
        "",
    )


def play_gallery(demos: Sequence[Path], folder: Path) -> tuple[float, dict[str, float]]:
    """Return the seconds of play_demos.py, which removes all demos even if interrupted, and the seconds of each demo."""
    results = folder / "gallery.json"
    command = [
        str(BIN / "python"),
        "tools/gallery/play_demos.py",
        *("--platform", "docker", "--jobs", str(JOBS), "--no-changes"),
        *("--ansible-playbook", str(BIN / "ansible-playbook"), "--json", str(results)),
        *map(str, demos),
    ]
    began = time.monotonic()
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            printed, _nothing = process.communicate()
        except BaseException:
            process.send_signal(signal.SIGINT)
            process.communicate()
            raise
    seconds = time.monotonic() - began
    if process.returncode:
        raise MeasurementError(
            f"play_demos.py ended with exit status {process.returncode}:\n{printed[-5000:]}"
        )
    return seconds, {one["demo"]: float(one["seconds"]) for one in json.loads(results.read_text())}


def figures(folder: Path) -> list[Figure]:
    """Run the gallery once in both ways, and print the seconds of each demo."""
    shift, prefix = PortRange(), f"bench{secrets.token_hex(2)}"
    rendered = folder / "gallery"
    rendered.mkdir()
    demos = []
    for name in DEMOS:
        path = rendered / f"{prefix}_{name}.yml"
        path.write_text(yaml.safe_dump(demo_data(name, shift.number), sort_keys=False))
        demos.append(path)
    manual_demos = [ManualDemo(demo, rendered / demo.stem) for demo in demos]
    seconds, of_demo = play_gallery(demos, folder)
    steps = [manual.play() for manual in manual_demos]
    shift.close()
    if left := [line for demo in demos for line in containers(demo.stem)]:
        raise MeasurementError(f"containers of the demos still run: {', '.join(left)}")
    print_table(
        [
            (manual.name.removeprefix(f"{prefix}_"), step, of_demo[manual.name], len(manual.left_out))
            for manual, step in zip(manual_demos, steps, strict=True)
        ]
    )
    reference = sum(sum(step.values()) for step in steps)
    left_out = sum(len(manual.left_out) for manual in manual_demos)
    sent = sum(manual.sent for manual in manual_demos)
    return [
        Figure(
            f"gallery of {len(demos)} on docker",
            seconds / reference,
            1.0,
            "× (compose + curl), one by one",
            f"play_demos.py {seconds:.1f} s, {JOBS} at a time; compose and curl {reference:.1f} s, without {left_out} of"
            f" {left_out + sent} entries of traffic",
        )
    ]


def print_table(rows: Sequence[tuple[str, Mapping[str, float], float, int]]) -> None:
    """Print a table from rows of (demo, seconds of each step by compose and curl, seconds of play_demos.py, traffic left out)."""
    columns = ("up", "traffic", "stats", "down")
    total = {column: sum(steps[column] for _demo, steps, *_more in rows) for column in columns}
    last = ("total", total, sum(row[2] for row in rows), sum(row[3] for row in rows))
    print(f"seconds by compose and curl, one demo after the other; play_demos.py runs {JOBS} demos at a time")
    heads = "".join(f"{column:>9}" for column in (*columns, "sum", "left out", "play"))
    print(f"{'demo':<26}{heads}")
    for demo, steps, played, left_out in [*rows, last]:
        cells = "".join(f"{steps[column]:>9.2f}" for column in columns)
        print(f"{demo:<26}{cells}{sum(steps.values()):>9.2f}{left_out:>9}{played:>9.2f}")
