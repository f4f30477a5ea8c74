# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole gallery on docker, deployed, verified and taken down, beside the same by hand: compose, curl and grep.

Ours is what `make demos PLATFORM=docker` runs, without the demos' changes, as one process. By hand is a folder for each demo, one after
the other, as a person's scripts do it: compose up, the demo's traffic by curl, each admin's stats by curl and grep, compose down. Both run
the same containers and configurations, on ports and under names of their own.
Rendering, certificates and the pulling of images are not timed.

By hand, health is checked each second, as a person does who waits for it; what has no check is asked until it answers. Traffic that is
no HTTP, or of an ALPN that curl cannot be told, is left out there, and of what a demo expects only the number of answers and their statuses
are looked at.
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
from measure import ROOT, Figure, run

# The tests' own way to move the gallery's ports.
sys.path.insert(0, str(ROOT / ".venv/collections"))
sys.path.insert(0, str(ROOT / "tests/support"))
from live import DEMOS, Shift, containers, demo_data

BIN = ROOT / ".venv/bin"
JOBS = 3  # as make demos has it
Data = Mapping[str, Any]


class Hand:
    """One demo by hand: a rendered folder, and the commands that a person gives in it."""

    def __init__(self, demo: Path, folder: Path) -> None:
        self.name = demo.stem
        self._folder = folder
        where = ["-e", f"demo={demo}", "-e", f"render_to={folder}"]
        run([str(BIN / "ansible-playbook"), "-i", "inventories/docker", "tools/bench/render.yml", *where])
        self._plan = json.loads((folder / "plan.json").read_text())
        document = folder / "compose.yaml"
        compose = yaml.safe_load(document.read_text())
        for service in compose["services"].values():
            if "healthcheck" in service:
                service["healthcheck"] = checked(service["healthcheck"])
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
        """Return the seconds of each step; nothing of it is there afterwards."""
        seconds = {}
        try:
            seconds["up"] = self._compose("up", "--detach", "--wait", "--quiet-pull") + self._answers()
            began = time.monotonic()
            for entry, command in self._traffic:
                self._send(entry, command)
            seconds["traffic"] = time.monotonic() - began
            began = time.monotonic()
            for endpoint in self._plan["endpoints"]:
                self._look(endpoint)
            seconds["stats"] = time.monotonic() - began
        finally:
            seconds["down"] = self._compose("down", "--volumes")
        return seconds

    def _answers(self) -> float:
        """Ask what has no check until it answers, whatever."""
        asking = ["curl", "--silent", "--output", "/dev/null", "--max-time", "5"]
        again = ["--retry", "300", "--retry-delay", "1", "--retry-max-time", "120", "--retry-all-errors"]
        return sum(run([*asking, *again, url]) for url in self._unchecked)

    def _compose(self, *arguments: str) -> float:
        return run(["docker", "compose", *arguments], self._folder)

    def _send(self, entry: Data, command: Sequence[str]) -> None:
        until = time.monotonic() + (entry.get("within") or 0)
        while True:
            # Some of the demos' requests are to fail, so curl's exit code says nothing.
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
            body, status = (
                (done.stdout[:-4], done.stdout[-4:]) if waits_for_a_body(entry) else ("", done.stdout)
            )
            wrong = not_as_expected(entry, Counter(status.split())) or body_not_as_expected(entry, body)
            if not wrong:
                return
            if time.monotonic() >= until:
                sys.exit(f"{self.name} by hand, {entry['name']}: {wrong}\n{done.stderr[-2000:]}")

    def _look(self, endpoint: Data) -> None:
        socket = endpoint["url"].removeprefix("unix://")
        where = (
            [endpoint["url"]]
            if socket == endpoint["url"]
            else ["--unix-socket", socket, "http://admin/stats"]
        )
        seen = subprocess.run(
            ["curl", "--silent", "--show-error", "--fail", *where], capture_output=True, text=True, check=True
        ).stdout
        grep = ["grep", "--count", "--invert-match", "[: ]0$"]
        subprocess.run(grep, input=seen, stdout=subprocess.DEVNULL, text=True, check=True)


def checked(healthcheck: Data) -> Data:
    """Return a health check that is made each second."""
    return {"test": healthcheck["test"], **manual_compose.CHECK}


def can_curl(entry: Data) -> bool:
    """Return whether curl can send a demo's traffic: HTTP, a number of requests, and no ALPN of one's own."""
    return (
        urlsplit(entry["url"]).scheme in ("http", "https")
        and entry.get("duration") is None
        and not entry.get("alpn")
    )


def curl(entry: Data, folder: Path) -> list[str]:
    """Return one command that sends a demo's traffic and says the status of each answer, a line each."""
    url, host = entry["url"], entry.get("host")
    options = ["--silent", "--show-error", "--http1.1", "--globoff", "--write-out", "%{http_code}\\n"]
    parts = urlsplit(url)
    if name := entry.get("server_name"):
        # By curl, SNI is the URL's host.
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
        # A file, because arguments hold no zeros.
        options += ["--data-binary", f"@{kept(entry['body'], folder)}"]
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
    output = "-" if waits_for_a_body(entry) else "/dev/null"
    urls = f'url = "{url}"\noutput = "{output}"\n' * (entry.get("requests") or 1)
    return ["curl", *options, "--config", kept(urls, folder)]


def kept(text: str, folder: Path) -> str:
    """Return the path of a new file with that text."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="", dir=folder, delete=False) as file:
        file.write(text)
    return file.name


def not_as_expected(entry: Data, statuses: Mapping[str, int]) -> str:
    """Return what of the number of answers and their statuses is not as a demo says, '' where all is."""
    requests = entry.get("requests") or 1
    if sum(statuses.values()) != requests:
        return f"sent {sum(statuses.values())} requests of {requests}"
    for one in entry.get("expect") or []:
        status, wanted = str(one.get("status", "")), one.get("value")
        counted = status.isdigit() and one.get("op") == "eq" and "of" not in one and isinstance(wanted, int)
        if counted and statuses.get(status, 0) != wanted:
            return f"expected {wanted} answers with status {status}, saw {dict(statuses)}"
    return ""


def waits_for_a_body(entry: Data) -> bool:
    """Return whether a demo asks until an answer says something, so that what follows depends on it."""
    bodies = any("body" in one for one in entry.get("expect") or [])
    return bool(entry.get("within")) and bodies and (entry.get("requests") or 1) == 1


def body_not_as_expected(entry: Data, body: str) -> str:
    """Return what of the one answer's body is not as a demo that waits for it says, '' where all is."""
    wanted = [one["body"] for one in entry["expect"] if "body" in one] if waits_for_a_body(entry) else []
    return next((f"waited for {one}, saw {body[:200]}" for one in wanted if not re.search(one, body)), "")


def ours(demos: Sequence[Path], folder: Path) -> tuple[float, dict[str, float]]:
    """Return the seconds of the gallery as one process, and of each demo in it; it takes down what it deployed, interrupted or not."""
    told = folder / "gallery.json"
    command = [
        str(BIN / "python"),
        "tools/gallery/play_demos.py",
        *("--platform", "docker", "--jobs", str(JOBS), "--no-changes"),
        *("--ansible-playbook", str(BIN / "ansible-playbook"), "--json", str(told)),
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
            said, _nothing = process.communicate()
        except BaseException:
            process.send_signal(signal.SIGINT)
            process.communicate()
            raise
    seconds = time.monotonic() - began
    if process.returncode:
        sys.exit(f"the gallery ended with {process.returncode}:\n{said[-5000:]}")
    return seconds, {one["demo"]: float(one["seconds"]) for one in json.loads(told.read_text())}


def figures(folder: Path) -> list[Figure]:
    """Measure both sides once, and show the seconds of each demo by hand."""
    shift, prefix = Shift(), f"bench{secrets.token_hex(2)}"
    place = folder / "gallery"
    place.mkdir()
    demos = []
    for name in DEMOS:
        path = place / f"{prefix}_{name}.yml"
        path.write_text(yaml.safe_dump(demo_data(name, shift.number), sort_keys=False))
        demos.append(path)
    hands = [Hand(demo, place / demo.stem) for demo in demos]
    mine, each = ours(demos, folder)
    steps = [hand.play() for hand in hands]
    shift.close()
    if left := [line for demo in demos for line in containers(demo.stem)]:
        sys.exit("there is left: " + ", ".join(left))
    tell(
        [
            (hand.name.removeprefix(f"{prefix}_"), step, each[hand.name], len(hand.left_out))
            for hand, step in zip(hands, steps, strict=True)
        ]
    )
    theirs = sum(sum(step.values()) for step in steps)
    left_out = sum(len(hand.left_out) for hand in hands)
    return [
        Figure(
            f"gallery of {len(demos)} on docker",
            mine / theirs,
            1.0,
            "× (compose + curl), one by one",
            f"gallery.py {mine:.1f} s, {JOBS} at a time; by hand {theirs:.1f} s, without {left_out} of"
            f" {left_out + sum(hand.sent for hand in hands)} traffics",
        )
    ]


def tell(rows: Sequence[tuple[str, Mapping[str, float], float, int]]) -> None:
    """The seconds of each demo by hand, step by step, beside those of ours, as a table; of (demo, steps, ours, traffics left out)."""
    columns = ("up", "traffic", "stats", "down")
    total = {column: sum(steps[column] for _demo, steps, *_more in rows) for column in columns}
    all_of_them = ("total", total, sum(row[2] for row in rows), sum(row[3] for row in rows))
    print(
        "seconds by hand, one demo after the other, and the traffics that curl cannot send; ours some at a time"
    )
    heads = "".join(f"{column:>9}" for column in (*columns, "by hand", "left out", "ours"))
    print(f"{'demo':<26}{heads}")
    for demo, steps, mine, left_out in [*rows, all_of_them]:
        cells = "".join(f"{steps[column]:>9.2f}" for column in columns)
        print(f"{demo:<26}{cells}{sum(steps.values()):>9.2f}{left_out:>9}{mine:>9.2f}")
