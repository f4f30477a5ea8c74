# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the playbooks of one demo: deploy, verify, each change, remove; and read the result from their output."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

PLAYBOOKS = Path(__file__).resolve().parents[2] / "playbooks"
HOLD = re.compile(r"(\d+) of (\d+) expectations hold")
# A verdict in the report. The first line of a section begins with its name.
SEEN = re.compile(r"^  (?:expectations| {12})  ([✔✘] .+)$", re.MULTILINE)
# The output that shows that a deployment begins, that the removal begins, and that the demo is already deployed.
BEGINS = "PLAY [Deploy a demo and verify it]"
ENDS = "PLAY [Remove a demo]"
DEPLOYED = "is deployed already"
ERROR = re.compile(r"^\[ERROR\]: (.*?)^Origin: ", re.DOTALL | re.MULTILINE)
LAST = 30  # the last lines of output that a failure without an error message of Ansible shows


@dataclass
class Played:
    """The result of one demo on one platform."""

    demo: str
    platform: str = ""
    held: int = 0
    expectations: int = 0
    changes: int = 0
    seconds: float = 0.0
    # The failed steps, each with its error.
    failed: list[tuple[str, str]] = field(default_factory=list)
    # The reason if the demo was not played.
    unsupported_on: str = ""
    # The verdicts by change; '' is the demo without a change.
    seen: dict[str, list[str]] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """Return the result as a line of output."""
        if self.unsupported_on and not self.failed:
            return f"- {self.demo}: not played, {self.unsupported_on}"
        mark = "✘" if self.failed else "✔"
        steps = f", failed: {', '.join(step for step, _output in self.failed)}" if self.failed else ""
        return f"{mark} {self.demo}: {self.held} of {self.expectations} expectations hold, {self.seconds:.0f} s{steps}"


class Gallery:
    """Run the playbooks of demos on one inventory. `stop` ends running playbooks, and `play` then removes the deployed demos."""

    def __init__(
        self, platform: str, inventory: str, options: argparse.Namespace, arguments: list[str]
    ) -> None:
        self.platform = platform
        self._changes = not options.no_changes
        self._strict = options.strict
        self._local = is_local(inventory, arguments)
        self._command = [options.ansible_playbook, "-i", inventory]
        # The registry of the test lab, for demos that build an image. An argument of the caller comes later and wins.
        registry = os.environ.get("MESHLAB_LAB_REGISTRY")
        self._arguments = [*(["-e", f"deployment_registry={registry}"] if registry else []), *arguments]
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._stopping = False

    def play(self, demo: str) -> Played:
        """Deploy a demo, verify it, make its changes, remove it, and return the result; `demo` is a name of the gallery or a path."""
        played = Played(Path(demo).stem, self.platform, unsupported_on=unsupported_on(demo, self.platform))
        changes = changes_of(demo) if self._changes else []
        if not played.unsupported_on and self.platform == "local" and self._local:
            played.unsupported_on = missing(demo)
            if played.unsupported_on and self._strict:
                played.failed.append(("programs", played.unsupported_on))
                self._count_unreported(played, demo, changes)
        if played.unsupported_on:
            return played
        print_line(f"… playing {played.demo} on {self.platform}")
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
                    _output, ended = self._step(played, "change", demo, *more, ends=change == changes[-1])
        finally:
            if begun and not ended:
                self._step(played, "teardown", demo, always=True)
            played.seconds = time.monotonic() - began
        if not begun and DEPLOYED in output:
            reason = "it is deployed already. Remove it first with `make down`."
            return Played(played.demo, self.platform, unsupported_on=reason)
        self._count_unreported(played, demo, changes)
        return played

    def stop(self) -> None:
        """Interrupt all running playbooks, except those that remove a demo."""
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
        """Run a playbook after those of `before`.

        With `ends`, the same process runs teardown after a successful playbook, because the start of a process takes half a second.

        Returns:
            The output, '' if the playbook did not run, and whether teardown ran.
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
            # In its own process group, because a teardown must survive Ctrl-C. `stop` forwards the signal.
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
            interrupted = bool(process.returncode) and self._stopping and not always
        ended = ends and ENDS in output and not interrupted
        change = more[-1].removeprefix("change=") if more else ""
        for held, expectations in HOLD.findall(output)[-1:]:  # a failure prints the line more than once
            played.held += int(held)
            played.expectations += int(expectations)
            played.seen[change] = SEEN.findall(output)
        if process.returncode:
            step = "teardown" if ended else f"{playbook} {more[-1]}" if more else playbook
            played.failed.append((step, error_of(output)))
        return output, ended

    @staticmethod
    def _count_unreported(played: Played, demo: str, changes: list[str]) -> None:
        """Count the expectations of steps that failed before they reported a number; none of them holds."""
        if played.failed:
            played.expectations += sum(
                expectations(demo, one) for one in ("", *changes) if one not in played.seen
            )


def is_local(inventory: str, arguments: list[str]) -> bool:
    """Return whether all hosts of an inventory file have a local connection."""
    path = Path(inventory)
    hosts = (load(path / "hosts.yml" if path.is_dir() else path).get("envoy_hosts") or {}).get("hosts") or {}
    local = all((one or {}).get("ansible_connection") == "local" for one in hosts.values())
    return bool(hosts) and local and not {"-i", "--inventory"} & {*arguments}


def error_of(output: str) -> str:
    """Return the error of the failed task, or else the end of the output."""
    found = ERROR.search(output)
    return found[1].strip() if found else "\n".join(output.splitlines()[-LAST:])


def changes_of(demo: str) -> list[str]:
    """Return the names of a demo's changes, in the order of the file."""
    return list(read(demo).get("changes") or {})


def expectations(demo: str, change: str = "") -> int:
    """Return the number of expectations of a demo, without a change or after one."""
    data = read(demo)
    data |= {
        key: one for key, one in ((data.get("changes") or {}).get(change) or {}).items() if one is not None
    }
    sent = [one.get("expect") or [] for one in data.get("traffic") or []]
    return len(data.get("expectations") or []) + sum(map(len, sent))


def runnable_demos() -> list[str]:
    """Return the demos of the gallery, without those of Envoy's contrib builds, which no package registry has."""
    names = sorted(path.stem for path in (PLAYBOOKS / "demos").glob("*.yml"))
    return [name for name in names if "contrib" not in str((read(name).get("envoy") or {}).get("image", ""))]


def unsupported_on(demo: str, platform: str) -> str:
    """Return the reason in the demo file if the demo does not run on a platform, '' if it does."""
    return str((read(demo).get("unsupported_on") or {}).get(platform) or "")


def missing(demo: str) -> str:
    """Return the first program of a demo that is not in PATH, '' if all are; the playbooks check programs with a path."""
    services = (read(demo).get("services") or {}).values()
    servers = [one["server"] for one in services if (one or {}).get("server")]
    names = [str(one.get("program") or one["command"][0]) for one in servers]
    return next((f"{one} is not in PATH" for one in names if "/" not in one and not shutil.which(one)), "")


def read(demo: str) -> dict[str, Any]:
    """Return the content of a demo file, or nothing if it does not exist; the playbooks report the error."""
    return load(Path(demo) if "/" in demo else PLAYBOOKS / "demos" / f"{demo}.yml")


def load(path: Path) -> dict[str, Any]:
    """Return the mapping of a YAML file, or nothing if it has none."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def print_line(text: str) -> None:
    """Print a line in one write, because `print` writes twice, and another thread can print in between."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
