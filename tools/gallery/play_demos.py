# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays demos from nothing to nothing, some at a time: deploy, verify, each of its changes, take down. `make demos` calls it.

No two demos share a port, so any of them can run side by side; platforms are played one after the other. A line tells what
became of each as soon as it is known, a table of all of them comes at the end, and the exit code is 0 where every
expectation of every demo holds. What is deployed already is left alone.
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
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

PLAYBOOKS = Path(__file__).resolve().parents[2] / "playbooks"
HOLD = re.compile(r"(\d+) of (\d+) expectations hold")
# A line of the report, whose sections are named at their first.
SEEN = re.compile(r"^  (?:holds|FAILS|     )  ([✔✘] .+)$", re.MULTILINE)
# What says that a deployment begins, that it does not because there is one, and that it ends.
BEGINS = "PLAY [Deploy a demo and verify it]"
ENDS = "PLAY [Remove a demo]"
DEPLOYED = "is deployed already"
ERROR = re.compile(r"^\[ERROR\]: (.*?)^Origin: ", re.DOTALL | re.MULTILINE)
HEARS_WITHIN = 0.2  # seconds until a signal is heeded
LAST = 30  # lines of a playbook's output that are shown where it fails without a word of Ansible's


@dataclass
class Played:
    """What became of one demo on one platform."""

    demo: str
    platform: str = ""
    held: int = 0
    expectations: int = 0
    changes: int = 0
    seconds: float = 0.0
    # What failed, and the end of what it said.
    failed: list[tuple[str, str]] = field(default_factory=list)
    # Why it was not played.
    unsupported_on: str = ""
    # What was seen of each expectation, by change; '' is the demo as its file has it.
    seen: dict[str, list[str]] = field(default_factory=dict)

    @property
    def line(self) -> str:
        if self.unsupported_on and not self.failed:
            return f"- {self.demo}: not played, {self.unsupported_on}"
        mark = "✘" if self.failed else "✔"
        what = f", failed: {', '.join(step for step, _output in self.failed)}" if self.failed else ""
        return f"{mark} {self.demo}: {self.held} of {self.expectations} expectations hold, {self.seconds:.0f} s{what}"


class Gallery:
    """Runs playbooks on one inventory; `stop` ends those under way, and lets what was deployed be taken down."""

    def __init__(
        self, platform: str, inventory: str, options: argparse.Namespace, arguments: list[str]
    ) -> None:
        self.platform = platform
        self._changes = not options.no_changes
        self._strict = options.strict
        self._here = here(inventory, arguments)
        self._command = [options.ansible_playbook, "-i", inventory]
        self._arguments = arguments
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._stopping = False

    def play(self, demo: str) -> Played:
        """Return what became of `demo`, a name of the gallery or the path of a file."""
        played = Played(Path(demo).stem, self.platform, unsupported_on=unsupported_on(demo, self.platform))
        changes = changes_of(demo) if self._changes else []
        if not played.unsupported_on and self.platform == "local" and self._here:
            played.unsupported_on = missing(demo)
            if played.unsupported_on and self._strict:
                played.failed.append(("programs", played.unsupported_on))
                self._count_untold(played, demo, changes)
        if played.unsupported_on:
            return played
        say(f"… playing {played.demo} on {self.platform}")
        began, begun, ended, output = time.monotonic(), False, False, ""
        try:
            output, ended = self._step(
                played, "site", demo, before=("assert_not_deployed",), ends=not changes
            )
            begun = BEGINS in output
            if begun and not played.failed:
                for change in changes:
                    played.changes += 1
                    more = ("-e", f"change={change}")
                    _said, ended = self._step(played, "change", demo, *more, ends=change == changes[-1])
        finally:
            if begun and not ended:
                self._step(played, "teardown", demo, always=True)
            played.seconds = time.monotonic() - began
        if not begun and DEPLOYED in output:
            return Played(
                played.demo, self.platform, unsupported_on="it is deployed already: take it down first"
            )
        self._count_untold(played, demo, changes)
        return played

    def stop(self) -> None:
        with self._lock:
            self._stopping = True
            for process in self._running:
                process.send_signal(signal.SIGINT)

    def _step(
        self,
        played: Played,
        playbook: str,
        demo: str,
        *more: str,
        before: tuple[str, ...] = (),
        ends: bool = False,
        always: bool = False,
    ) -> tuple[str, bool]:
        """Run a playbook after those of `before`. Return what it said, '' where it did not run, and whether it tried the demo's end.

        With `ends` it does, in the same process, since each takes half a second to begin; but not where the playbook failed.
        """
        after = ("teardown",) if ends else ()
        command = [
            *self._command,
            *(str(PLAYBOOKS / f"{name}.yml") for name in (*before, playbook, *after)),
            "-e",
            f"demo={demo}",
            *more,
            *self._arguments,
        ]
        with self._lock:
            if self._stopping and not always:
                return "", False
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
            broken_off = bool(process.returncode) and self._stopping and not always
        ended = ends and ENDS in output and not broken_off
        change = more[-1].removeprefix("change=") if more else ""
        for held, expectations in HOLD.findall(output)[-1:]:  # a failure says it more than once
            played.held += int(held)
            played.expectations += int(expectations)
            played.seen[change] = SEEN.findall(output)
        if process.returncode:
            step = "teardown" if ended else f"{playbook} {more[-1]}" if more else playbook
            played.failed.append((step, why(output)))
        return output, ended

    @staticmethod
    def _count_untold(played: Played, demo: str, changes: list[str]) -> None:
        """Count the expectations of what failed before it could say how many hold: none of them does."""
        if played.failed:
            played.expectations += sum(
                expectations(demo, one) for one in ("", *changes) if one not in played.seen
            )


def here(inventory: str, arguments: list[str]) -> bool:
    """Whether the hosts of an inventory are this machine and nothing else, as far as its file says so."""
    path = Path(inventory)
    hosts = (load(path / "hosts.yml" if path.is_dir() else path).get("envoy_hosts") or {}).get("hosts") or {}
    local = all((one or {}).get("ansible_connection") == "local" for one in hosts.values())
    return bool(hosts) and local and not {"-i", "--inventory"} & {*arguments}


def why(output: str) -> str:
    """Return what Ansible said of the task that failed, or else the end of what it said."""
    found = ERROR.search(output)
    return found[1].strip() if found else "\n".join(output.splitlines()[-LAST:])


def changes_of(demo: str) -> list[str]:
    """Return the names of a demo's changes, in the order of the file."""
    return list(read(demo).get("changes") or {})


def expectations(demo: str, change: str = "") -> int:
    """Return how many expectations a demo has, as it is or after one of its changes."""
    data = read(demo)
    data |= {
        key: one for key, one in ((data.get("changes") or {}).get(change) or {}).items() if one is not None
    }
    sent = [one.get("expect") or [] for one in data.get("traffic") or []]
    return len(data.get("expectations") or []) + sum(map(len, sent))


def unsupported_on(demo: str, platform: str) -> str:
    """Return why a demo does not run on a platform, as its file says; '' where it does."""
    return str((read(demo).get("unsupported_on") or {}).get(platform) or "")


def missing(demo: str) -> str:
    """Return which program of a demo's own is not on this machine, '' where none is; a path is the playbooks' to look up."""
    services = (read(demo).get("services") or {}).values()
    servers = [one["server"] for one in services if (one or {}).get("server")]
    names = [str(one.get("program") or one["command"][0]) for one in servers]
    return next(
        (f"{one} is in no folder of PATH" for one in names if "/" not in one and not shutil.which(one)), ""
    )


def read(demo: str) -> dict[str, Any]:
    """Return what a demo's file says; nothing where there is no such file, which is the playbooks' to tell."""
    return load(Path(demo) if "/" in demo else PLAYBOOKS / "demos" / f"{demo}.yml")


def load(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def say(text: str) -> None:
    """Print a text and the end of its line in one piece: `print` writes two, and another thread's may come between."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def table(results: list[Played], platforms: list[str], elapsed: float) -> str:
    """Return what is printed at the end: a line for each demo on each platform, and one for each platform."""
    ordered = sorted(results, key=lambda one: (one.demo, platforms.index(one.platform)))
    played = [one for one in ordered if not one.unsupported_on or one.failed]
    rows = [("demo", "platform", "expectations", "held", "changes", "seconds")]
    rows += [
        (one.demo, one.platform, str(one.expectations), str(one.held), str(one.changes), f"{one.seconds:.1f}")
        for one in played
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    where = {one.platform: f" on {one.platform}" if len(platforms) > 1 else "" for one in results}
    lines += [
        f"{one.demo} was not played{where[one.platform]}: {one.unsupported_on}"
        for one in ordered
        if one not in played
    ]
    lines.append("")
    for platform in platforms:
        mine = [one for one in played if one.platform == platform]
        fine = sum(not one.failed for one in mine)
        held, number = sum(one.held for one in mine), sum(one.expectations for one in mine)
        lines.append(f"{fine} of {len(mine)} demos, {held} of {number} expectations hold on {platform}")
    lines[-1] += f", in {elapsed:.0f} s."
    return "\n".join(lines)


def split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return what is before the first `--`, and what is after it: that is for ansible-playbook."""
    place = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:place], arguments[place + 1 :]


def options_of(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--platform",
        action="append",
        help="a folder of inventories/, local by default; may be said several times",
    )
    parser.add_argument("--inventory", help="another inventory than that of the platform")
    parser.add_argument("--jobs", type=int, default=3, help="how many demos run at a time (3)")
    parser.add_argument(
        "--ansible-playbook", default="ansible-playbook", help="the program (ansible-playbook)"
    )
    parser.add_argument("--no-changes", action="store_true", help="leave out the demos' changes")
    parser.add_argument(
        "--strict", action="store_true", help="a demo whose program is not installed has failed"
    )
    parser.add_argument(
        "--json", help="a file to write the table to, as data; {platform} in it is each platform"
    )
    parser.add_argument("demos", nargs="*", help="names or paths; all of the gallery where none is given")
    options = parser.parse_args(arguments)
    options.platform = list(dict.fromkeys(options.platform or ["local"]))
    options.demos = options.demos or sorted(path.stem for path in (PLAYBOOKS / "demos").glob("*.yml"))
    if len(options.platform) > 1:
        if options.inventory:
            parser.error("--inventory is about one platform; name one")
        if options.json and "{platform}" not in options.json:
            parser.error("--json: say {platform} in the file's name, since there are several")
    return options


def played_on(gallery: Gallery, demos: list[str], jobs: int, tell: Callable[[Played], None]) -> None:
    """Play demos side by side; where this is interrupted, take down what was deployed, say what could not be, and go on upwards."""
    waiting, futures = list(demos), []
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        try:
            # The first that is played alone: what all of them run is installed once.
            played = None
            while waiting and (played is None or played.unsupported_on):
                futures.append(pool.submit(gallery.play, waiting.pop(0)))
                [played] = as_done(futures[-1:])
                tell(played)
            futures += (rest := [pool.submit(gallery.play, demo) for demo in waiting])
            for done in as_done(rest):
                tell(done)
        except KeyboardInterrupt:
            say("\nStopping: what was deployed is taken down.")
            gallery.stop()
            pool.shutdown(cancel_futures=True)
            left = [one.result() for one in futures if not one.cancelled()]
            for one in left:
                for step, output in one.failed:
                    if step == "teardown":
                        say(f"✘ {one.demo} is still there:\n{output}")
            raise


def as_done(futures: list[Future[Played]]) -> Iterator[Played]:
    """Yield results as they come. Python may not notice a signal that arrives as a wait begins until that ends: none is long."""
    waiting = set(futures)
    while waiting:
        done, waiting = wait(waiting, timeout=HEARS_WITHIN, return_when=FIRST_COMPLETED)
        yield from (one.result() for one in done)


def main() -> int:
    mine, arguments = split(sys.argv[1:])
    options = options_of(mine)
    # Whoever ends this program, by a key or by its process, has what it deployed taken down.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    began, results = time.monotonic(), []
    total = len(options.demos) * len(options.platform)

    def tell(played: Played) -> None:
        results.append(played)
        say(f"[{len(results)}/{total}] {played.line}")

    try:
        for platform in options.platform:
            inventory = options.inventory or str(PLAYBOOKS.parent / "inventories" / platform)
            played_on(Gallery(platform, inventory, options, arguments), options.demos, options.jobs, tell)
    except KeyboardInterrupt:
        return 130
    for played in results:
        for step, output in played.failed:
            say(f"\n✘ {played.demo} on {played.platform}, {step}:\n{output}")
    for platform in options.platform if options.json else ():
        path = Path(options.json.replace("{platform}", platform))
        path.parent.mkdir(parents=True, exist_ok=True)
        found = [asdict(one) for one in results if one.platform == platform]
        path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    say(f"\n{table(results, options.platform, time.monotonic() - began)}")
    return 1 if any(one.failed for one in results) else 0


if __name__ == "__main__":
    sys.exit(main())
