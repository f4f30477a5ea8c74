# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks run as a person runs them, in a home and on ports of a test's own, so that nobody's demos are disturbed."""

from __future__ import annotations

import copy
import fcntl
import functools
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load_generator import send_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic

ROOT = Path(__file__).resolve().parents[2]
GALLERY = ROOT / "playbooks" / "demos"
DEMOS = sorted(path.stem for path in GALLERY.glob("*.yml"))
# Those that show what the collection can do: each of their expectations, and each step on their way, has a test.
FOUNDATION = ("canary", "fault_injection", "front_proxy", "mutual_tls", "service_envoy")
PLATFORMS = ("local", "docker")
PLAYBOOK = ROOT / ".venv" / "bin" / "ansible-playbook"
# Programs that the local platform installs are kept between runs, apart from what a person's own demos use.
CACHE = ROOT / "build" / "cache" / "integration"
# The gallery's ports are in 7000 … 12999. Moved by these they are out of each other's way, and below those that systems give to clients.
# What is below is a program's own in its container, such as 5432, and stays.
LOWEST = 7000
SHIFTS = (6100, 12200, 18300)
# Who has which of them; and for how many seconds a test waits until one is free.
TAKEN = ROOT / "build" / "cache" / "shifts"
PATIENCE = 3600
PORTS = re.compile(r"\b((?:publish|ports?): |127\.0\.0\.1:)(\d+)")


class Shift:
    """A number by which nobody else moves the gallery's ports, and with which none of them is in use; until it is closed.

    Tests run side by side, in several processes: a lock on a file says that a number is taken.
    """

    def __init__(self) -> None:
        TAKEN.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + PATIENCE
        while not (found := next(filter(self._take, SHIFTS), None)):
            assert time.monotonic() < deadline, (
                f"each of the ranges of ports that start at {SHIFTS} is in use"
            )
            time.sleep(0.2)
        self.number = found

    def close(self) -> None:
        self._lock.close()

    def _take(self, number: int) -> bool:
        self._lock = (TAKEN / str(number)).open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            return False
        if all(is_free(port + number) for port in gallery_ports()):
            return True
        self._lock.close()
        return False


@functools.cache
def gallery_ports() -> frozenset[int]:
    """Return every port that a demo of the gallery may listen on."""
    numbers = {
        int(found[2]) for name in DEMOS for found in PORTS.finditer((GALLERY / f"{name}.yml").read_text())
    }
    return frozenset(
        number + place
        for number in numbers
        if number >= LOWEST
        for place in (range(100) if number % 100 == 0 else [0])
    )


def is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def demo_data(name: str, shift: int) -> Any:
    """Return a demo of the gallery with all of its ports moved up by `shift`."""

    def moved(found: re.Match[str]) -> str:
        number = int(found[2])
        return f"{found[1]}{number + shift if number >= LOWEST else number}"

    text = (GALLERY / f"{name}.yml").read_text(encoding="utf-8")
    text = PORTS.sub(moved, text)
    return yaml.safe_load(re.sub(r"(_)(\d{4})(?=\\\.)", moved, text))


def unsupported_on(name: str, platform: str) -> str:
    """Return why a demo of the gallery does not run on a platform, as its file says; empty where it does."""
    return str((demo_data(name, 0).get("unsupported_on") or {}).get(platform, ""))


def fitting(platform: str) -> list[str]:
    """Return the demos of the gallery that run on a platform."""
    return [name for name in DEMOS if not unsupported_on(name, platform)]


def expectations(name: str, pods: bool = False) -> int:
    """Return how many expectations a demo of the gallery has in all, those of its changes included."""
    data = demo_data(name, 0)
    total = _expectations(data, pods)
    for change in data.get("changes", {}).values():
        total += _expectations({**{key: data[key] for key in ("traffic", "expectations")}, **change}, pods)
    return total


def _expectations(data: Any, pods: bool) -> int:
    total = len(data["expectations"])
    for expected in (one.get("expect", []) for one in data["traffic"]):
        total += len(expected)
        # Nobody knows pods' names before: that all of them answer is an expectation of its own.
        if pods and any("among" in one for one in expected):
            total += not any(one.get("hosts") == "count" for one in expected)
    return total


@dataclass(frozen=True)
class Run:
    """What a run of ansible-playbook said."""

    code: int
    output: str

    @property
    def words(self) -> str:
        """The output without line breaks and quotes, which depend on where the callback folds."""
        return re.sub(r"\s+", " ", self.output).replace("''", "'")

    @property
    def error(self) -> str:
        """What ansible-playbook said of the task that failed, on one line."""
        return self.words.partition("[ERROR]: ")[2].partition(" Origin: ")[0] or self.words

    @property
    def recap(self) -> dict[str, int]:
        line = self.output.partition("PLAY RECAP")[2].strip().splitlines()[1]
        return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", line)}


class Home:
    """A home folder of a test's own, with what was deployed from there; `close` leaves nothing."""

    # Whether what is deployed from here takes ports of this machine.
    publishes: ClassVar[bool] = True

    def __init__(self, platform: str) -> None:
        self.platform = platform
        self._shift = Shift() if self.publishes else None
        self.shift = self._shift.number if self._shift else SHIFTS[0]
        self.prefix = f"t{os.getpid()}"
        # Not pytest's own folder: the path of a Unix socket has at most 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="meshlab-"))
        self.variables: dict[str, Any] = {"deployment_cache": str(CACHE), "deployment_timeout": 300}
        # The lab has one; without it the role gets one.
        exporter = os.environ.get("MESHLAB_STATSD_EXPORTER")
        if exporter:
            self.variables |= {"statsd_exporter_source": "path", "statsd_exporter_path": exporter}
        self.exporter = exporter or f"{CACHE}/statsd_exporter-0.30.0/statsd_exporter"
        self.inventory = str(ROOT / "inventories" / platform)
        self.cwd = ROOT
        self.environment = {**os.environ, "HOME": str(self.folder)}
        if wheels := os.environ.get("MESHLAB_LAB_WHEELS"):
            self.environment["PIP_FIND_LINKS"] = wheels

    def close(self) -> None:
        if self._shift:
            self._shift.close()
        shutil.rmtree(self.folder)

    def name(self, demo: str) -> str:
        """Return what a demo of the gallery is called here."""
        return f"{self.prefix}_{demo}"

    def demo(self, name: str, **changes: Any) -> Path:
        """Return the path of a demo file: the gallery's, on ports and under a name of the test's own, with keys changed."""
        path = self.folder / "demos" / f"{self.name(name)}.yml"
        path.parent.mkdir(exist_ok=True)
        data = demo_data(name, self.shift)
        path.write_text(yaml.safe_dump(merged(data, changes), sort_keys=False), encoding="utf-8")
        return path

    def state(self, demo: str) -> Path:
        return self.folder / ".local" / "state" / "meshlab.envoy" / self.name(demo)

    def play(self, playbook: str, *arguments: str, ok: bool = True, **variables: Any) -> Run:
        """Run a playbook of playbooks/, or one by its path; fail the test where it fails, unless told otherwise."""
        path = playbook if "/" in playbook or "." in playbook else str(ROOT / "playbooks" / f"{playbook}.yml")
        extra = json.dumps(self.variables | variables, default=str)
        command = [str(PLAYBOOK), "-i", self.inventory, path, "-e", extra, *arguments]
        ran = subprocess.run(
            command,
            cwd=self.cwd,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
            check=False,
        )
        assert (ran.returncode == 0) == ok, ran.stdout
        return Run(ran.returncode, ran.stdout)

    def admin(self, demo: str, proxy: str, path: str, method: str = "GET") -> str:
        """Return what a proxy's whole admin interface answers."""
        socket = str(self.state(demo) / proxy / "run" / "admin.sock")
        command = ["curl", "--silent", "--show-error", "--fail", "--max-time", "60", "--request", method]
        ran = subprocess.run(
            [*command, "--unix-socket", socket, f"http://admin{path}"],
            capture_output=True,
            text=True,
            check=True,
        )
        return ran.stdout

    def running(self, demo: str) -> set[str]:
        """Return a line for each process or container of a demo, another one after a restart."""
        if self.platform == "local":
            return set(processes_of(self.state(demo)))
        ids = docker("ps", "--quiet", "--filter", f"label=com.docker.compose.project={self.name(demo)}")
        return set(docker("inspect", "--format", "{{.Name}} {{.Id}} {{.State.StartedAt}}", *ids))

    def left(self, demo: str) -> list[str]:
        """Return what there is of a demo, or of anything local: files, processes, containers, networks."""
        files = [str(path) for path in (self.folder / ".local").rglob("*") if not path.is_dir()]
        return (
            files
            + processes_of(self.folder)
            + (containers(self.name(demo)) if self.platform == "docker" else [])
        )


def provide() -> None:
    """Install what the local platform runs into CACHE, where it is not there yet."""
    home = Home("local")
    try:
        wanted = (
            CACHE / "envoy-1.40.0/bin/envoy",
            CACHE / "supervisor-4.3.0/bin/supervisord",
            Path(home.exporter),
        )
        if not all(program.exists() for program in wanted):
            # To be installed, and nothing else.
            demo = home.demo("service_envoy", traffic=[], expectations=[])
            home.play("site", demo=demo)
            home.play("teardown", demo=demo)
    finally:
        home.close()


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of processes that run in `folder` or were told of it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            if str(folder) in command or str(folder) in os.readlink(process / "cwd"):
                found.append(f"process {process.name}: {command}")
        except OSError:
            continue
    return found


def docker(*arguments: str) -> list[str]:
    ran = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


def containers(project: str) -> list[str]:
    """Return the containers and networks of a compose project."""
    label = f"label=com.docker.compose.project={project}"
    return sorted(
        [
            *docker(
                "ps", "--all", "--no-trunc", "--filter", label, "--format", "container {{.Names}} {{.ID}}"
            ),
            *docker(
                "network", "ls", "--no-trunc", "--filter", label, "--format", "network {{.Name}} {{.ID}}"
            ),
        ]
    )


def merged(data: Any, changes: Any) -> Any:
    """Return `data` with `changes` in it: mappings by key, lists of things with a name by name, everything else replaced."""
    if isinstance(data, dict) and isinstance(changes, dict):
        return {
            **data,
            **{key: merged(data[key], value) if key in data else value for key, value in changes.items()},
        }
    if isinstance(data, list) and isinstance(changes, dict):
        return [merged(one, changes.get(one["name"], {})) for one in data]
    return copy.deepcopy(changes)


def asking(home: Home, port: int, path: str = "/") -> AbstractContextManager[Counter[str]]:
    """Ask at a port of the gallery all the time: see `answered`."""
    return answered({"url": f"http://127.0.0.1:{port + home.shift}{path}"}, least=200)


@contextmanager
def answered(entry: dict[str, Any], least: int, **cluster: Any) -> Iterator[Counter[str]]:
    """Send traffic all the time, and see that not one answer is lost; count who answered.

    `least` answers come after what was done meanwhile, too: who is new has had its turn then, however quick the change.
    """
    [batch] = parse_traffic([{**entry, "requests": 20, "concurrency": 2, "timeout": 60}], cluster)
    hosts: Counter[str] = Counter()
    wrong: list[object] = []
    stopped = threading.Event()

    def ask() -> None:
        while not stopped.wait(0.05):
            result = send_traffic(batch)
            hosts.update(result["hosts"])
            if result["statuses"] != {"200": 20}:
                wrong.append((result["statuses"], result["errors"]))

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask)
        try:
            yield hosts
            deadline = time.monotonic() + 300
            enough = sum(hosts.values()) + least
            while sum(hosts.values()) <= enough and time.monotonic() < deadline:
                time.sleep(0.05)
        finally:
            stopped.set()
        asked.result()
    assert wrong == []
    assert sum(hosts.values()) > enough
