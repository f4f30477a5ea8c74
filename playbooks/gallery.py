# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays demos from nothing to nothing, some at a time: deploy, verify, each of its changes, take down. `make demos` calls it.

No two demos share a port, so any of them can run side by side. A line tells what became of each as soon as it is known, a
table of all of them comes at the end, and the exit code is 0 where every expectation of every demo holds.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
HOLD = re.compile(r"(\d+) of (\d+) expectations hold")
# A line of the report, whose sections are named at their first.
SEEN = re.compile(r"^  (?:holds|FAILS|     )  ([✔✘] .+)$", re.MULTILINE)
ERROR = re.compile(r"^\[ERROR\]: (.*?)^Origin: ", re.DOTALL | re.MULTILINE)
PODS = ("kubernetes", "openshift")  # reached by port-forward
LAST = 30  # lines of a playbook's output that are shown where it fails without a word of Ansible's


@dataclass
class Played:
    """What became of one demo."""

    demo: str
    held: int = 0
    expectations: int = 0
    changes: int = 0
    seconds: float = 0.0
    # What failed, and the end of what it said.
    failed: list[tuple[str, str]] = field(default_factory=list)
    # Why it was not played.
    unfit: str = ""
    # What was seen of each expectation, by change; '' is the demo as its file has it.
    seen: dict[str, list[str]] = field(default_factory=dict)

    @property
    def line(self) -> str:
        if self.unfit:
            return f"- {self.demo}: not played, {self.unfit}"
        mark = "✘" if self.failed else "✔"
        what = f", failed: {', '.join(step for step, _output in self.failed)}" if self.failed else ""
        return f"{mark} {self.demo}: {self.held} of {self.expectations} expectations hold, {self.seconds:.0f} s{what}"


class Gallery:
    """Runs playbooks on one inventory; `stop` ends those under way, and lets what was deployed be taken down."""

    def __init__(
        self, program: str, runtime: str, inventory: str, arguments: list[str], changes: bool = True
    ) -> None:
        self._runtime = runtime
        self._changes = changes
        self._command = [program, "-i", inventory]
        self._arguments = arguments
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._stopping = False

    def play(self, demo: str) -> Played:
        """Return what became of `demo`, a name of the gallery or the path of a file."""
        why_not = unfit(demo, self._runtime) or missing(demo, self._runtime)
        played, began = Played(Path(demo).stem, unfit=why_not), time.monotonic()
        if played.unfit:
            return played
        try:
            if self._step(played, "site", demo):
                for change in changes_of(demo) if self._changes else []:
                    played.changes += 1
                    self._step(played, "change", demo, "-e", f"change={change}")
        finally:
            self._step(played, "teardown", demo, always=True)
            played.seconds = time.monotonic() - began
        return played

    def stop(self) -> None:
        with self._lock:
            self._stopping = True
            for process in self._running:
                process.send_signal(signal.SIGINT)

    def _step(self, played: Played, playbook: str, demo: str, *more: str, always: bool = False) -> bool:
        command = [
            *self._command,
            str(HERE / f"{playbook}.yml"),
            "-e",
            f"demo={demo}",
            *more,
            *self._arguments,
        ]
        with self._lock:
            if self._stopping and not always:
                return False
            # A group of its own: Ctrl-C is this program's to pass on, and a teardown has to outlive it.
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
                env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
            )
            if not always:
                self._running.add(process)
        output, _nothing = process.communicate()
        with self._lock:
            self._running.discard(process)
        for held, expectations in HOLD.findall(output)[-1:]:  # a failure says it more than once
            played.held += int(held)
            played.expectations += int(expectations)
        if seen := SEEN.findall(output):
            played.seen[more[-1].removeprefix("change=") if more else ""] = seen
        if process.returncode:
            step = f"{playbook} {more[-1]}" if more else playbook
            played.failed.append((step, why(output)))
        return process.returncode == 0


def why(output: str) -> str:
    """Return what Ansible said of the task that failed, or else the end of what it said."""
    found = ERROR.search(output)
    return found[1].strip() if found else "\n".join(output.splitlines()[-LAST:])


def changes_of(demo: str) -> list[str]:
    """Return the names of a demo's changes, in the order of the file."""
    return list(read(demo).get("changes") or {})


def unfit(demo: str, runtime: str) -> str:
    """Return why a demo cannot be verified on a runtime, '' where it can."""
    data = read(demo)
    if why := (data.get("unfit") or {}).get(runtime):
        return str(why)
    if runtime not in PODS:
        return ""
    listeners = [one for proxy in (data.get("proxies") or {}).values() for one in proxy["listeners"].values()]
    return "a port-forward carries no datagrams" if any("udp_filters" in one for one in listeners) else ""


def missing(demo: str, runtime: str) -> str:
    """Return which program of a demo's own is not on this machine, '' where none is; a path is the playbooks' to look up."""
    if runtime != "local":
        return ""
    services = (read(demo).get("services") or {}).values()
    servers = [one["server"] for one in services if (one or {}).get("server")]
    names = [str(one.get("program") or one["command"][0]) for one in servers]
    return next(
        (f"{one} is in no folder of PATH" for one in names if "/" not in one and not shutil.which(one)), ""
    )


def read(demo: str) -> dict[str, Any]:
    """Return what a demo's file says."""
    path = Path(demo) if "/" in demo else HERE / "demos" / f"{demo}.yml"
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def table(results: list[Played], runtime: str, elapsed: float) -> str:
    rows = [("demo", "runtime", "expectations", "held", "changes", "seconds")]
    rows += [
        (one.demo, runtime, str(one.expectations), str(one.held), str(one.changes), f"{one.seconds:.1f}")
        for one in sorted(results, key=lambda one: one.demo)
        if not one.unfit
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    held, expectations = sum(one.held for one in results), sum(one.expectations for one in results)
    played = [one for one in results if not one.unfit]
    fine = sum(not one.failed for one in played)
    lines += [f"{one.demo} was not played: {one.unfit}" for one in results if one.unfit]
    total = f"{fine} of {len(played)} demos, {held} of {expectations} expectations hold on {runtime}, in {elapsed:.0f} s."
    return "\n".join([*lines, "", total])


def split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return what is before the first `--`, and what is after it: that is for ansible-playbook."""
    place = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:place], arguments[place + 1 :]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runtime", default="local", help="a folder of inventories/")
    parser.add_argument("--inventory", help="another inventory than that of the runtime")
    parser.add_argument("--jobs", type=int, default=3, help="how many demos run at a time (3)")
    parser.add_argument(
        "--ansible-playbook", default="ansible-playbook", help="the program (ansible-playbook)"
    )
    parser.add_argument("--no-changes", action="store_true", help="leave out the demos' changes")
    parser.add_argument("--json", type=Path, help="a file to write the table to, as data")
    parser.add_argument("demos", nargs="*", help="names or paths; all of the gallery where none is given")
    mine, arguments = split(sys.argv[1:])
    options = parser.parse_args(mine)
    demos = options.demos or sorted(path.stem for path in (HERE / "demos").glob("*.yml"))
    inventory = options.inventory or str(HERE.parent / "inventories" / options.runtime)
    gallery = Gallery(options.ansible_playbook, options.runtime, inventory, arguments, not options.no_changes)
    began, results = time.monotonic(), []

    def told(played: Played) -> None:
        results.append(played)
        print(f"[{len(results)}/{len(demos)}] {played.line}", flush=True)

    with ThreadPoolExecutor(max(1, options.jobs)) as pool:
        try:
            # The first one alone: what all of them run is installed once.
            told(pool.submit(gallery.play, demos[0]).result())
            for done in as_completed([pool.submit(gallery.play, demo) for demo in demos[1:]]):
                told(done.result())
        except KeyboardInterrupt:
            print("\nStopping: what was deployed is taken down.", flush=True)
            gallery.stop()
            pool.shutdown(cancel_futures=True)
            return 130
    for played in results:
        for step, output in played.failed:
            print(f"\n✘ {played.demo}, {step}:\n{output}")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(
            json.dumps([asdict(one) for one in results], indent=2) + "\n", encoding="utf-8"
        )
    print(f"\n{table(results, options.runtime, time.monotonic() - began)}")
    return 1 if any(one.failed for one in results) else 0


if __name__ == "__main__":
    sys.exit(main())
