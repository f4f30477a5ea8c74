# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run playbooks in a temporary home and on other ports than the gallery, so that tests do not disturb deployed demos."""

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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import yaml
from rotation import platforms_of_week

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load_generator import send_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic

ROOT = Path(__file__).resolve().parents[2]
GALLERY = ROOT / "playbooks" / "demos"
# The demos of Envoy's contrib builds, which no package registry has: the tests plan them, and check their messages, and run none of them.
NOT_RUN = frozenset(("golang_http", "golang_network", "kafka", "kafka_mesh", "mysql", "postgres"))
DEMOS = sorted({path.stem for path in GALLERY.glob("*.yml")} - NOT_RUN)
# The demos with the most tests: of each expectation, and of each playbook.
FOUNDATION = ("canary", "fault_injection", "front_proxy", "mutual_tls", "service_envoy")
# The demos that `make demos` and `make soak` run, and `make test` only plans and validates: `make test` runs other demos of their parts.
IN_SOAK = frozenset(
    (
        "a2a",
        "adaptive_concurrency",
        "admission_control",
        "bandwidth_limit",
        "basic_auth",
        "circuit_breakers",
        "consistent_hashing",
        "dynamic_config_delta",
        "forward_proxy",
        "global_ratelimit",
        "grpc",
        "health_checks",
        "hedging",
        "histogram_buckets",
        "jwt_authn",
        "local_reply",
        "mcp",
        "mcp_json_rest_bridge",
        "mcp_router",
        "original_dst",
        "otlp_metrics",
        "outlier_detection",
        "proxy_protocol",
        "redirects",
        "retries",
        "reverse_tunnel",
        "stateful_session",
        "subset_load_balancing",
        "tap",
        "tcp_proxy",
        "tcp_tunnel",
        "wasm",
        "zone_aware",
    )
)
REPRESENTATIVE = [name for name in DEMOS if name not in IN_SOAK]
PLATFORMS = ("local", "docker")
PLAYBOOK = ROOT / ".venv" / "bin" / "ansible-playbook"


def role_default(role: str, variable: str) -> str:
    """Return a default of a role."""
    defaults = yaml.safe_load((ROOT / "roles" / role / "defaults" / "main.yml").read_text(encoding="utf-8"))
    return str(defaults[variable])


ENVOY_VERSION = role_default("envoy_image", "envoy_image_version")
EXPORTER_VERSION = role_default("statsd_exporter", "statsd_exporter_version")
SUPERVISOR_VERSION = role_default("deployment", "deployment_supervisor_version")
PYTHON_IMAGE = role_default("demo_app", "demo_app_python_image")
# The executables of the platform local, which are kept between test runs, apart from those of the user's demos.
CACHE = ROOT / "build" / "cache" / "integration"
# The gallery uses the ports 7000 to 12999. Each of these numbers moves them to another range, below the ephemeral ports of systems.
# Lower ports, such as 5432, are those of a program in its container, and are not moved.
LOWEST = 7000
SHIFTS = (6100, 12200, 18300)
# Folder of the lock files of the ranges, and the seconds that a test waits for a free range.
LOCKS = ROOT / "build" / "cache" / "shifts"
LOCK_TIMEOUT = 3600
# The tasks of a run of site.yml that installs and changes nothing: the check of the arguments, the plan, the skipped installation of
# programs, the deployment and the verification.
TASKS_OF_UNCHANGED_RUN = 5
PORTS = re.compile(r"\b((?:publish|ports?): |127\.0\.0\.1:)(\d+)")


class PortRange:
    """A range of ports for a copy of the gallery, none of them in use. `close` releases it.

    Tests run concurrently in several processes: a file lock reserves the range.
    """

    def __init__(self) -> None:
        deadline = time.monotonic() + LOCK_TIMEOUT
        while not (found := next(filter(self._lock_range, SHIFTS), None)):
            assert time.monotonic() < deadline, f"no port range is free: {SHIFTS}"
            time.sleep(0.2)
        self.number = found

    def close(self) -> None:
        """Release the range."""
        self._lock.close()

    def _lock_range(self, number: int) -> bool:
        lock = lock_ports(LOCKS / str(number), (port + number for port in gallery_ports()))
        if lock:
            self._lock = lock
        return lock is not None


@functools.cache
def gallery_ports() -> frozenset[int]:
    """Return all ports that the demos of the gallery can use."""
    numbers = {
        int(found[2]) for name in DEMOS for found in PORTS.finditer((GALLERY / f"{name}.yml").read_text())
    }
    return frozenset(
        number + offset
        for number in numbers
        if number >= LOWEST
        for offset in (range(100) if number % 50 == 0 else [0])
    )


def lock_ports(file: Path, ports: Iterable[int], addresses: Sequence[str] = ("127.0.0.1",)) -> IO[str] | None:
    """Return the open lock file of ports. None: another process has the lock, or listens on one of the ports."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = file.open("w")
    with suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if all(is_free(port, address) for port in ports for address in addresses):
            return lock
    lock.close()
    return None


def is_free(port: int, address: str = "127.0.0.1") -> bool:
    """Return whether a process can listen on a port."""
    try:
        socket.create_server((address, port)).close()
    except OSError:
        return False
    return True


def demo_data(name: str, shift: int) -> Any:
    """Return a demo of the gallery with its ports moved by `shift`."""

    def moved(found: re.Match[str]) -> str:
        number = int(found[2])
        return f"{found[1]}{number + shift if number >= LOWEST else number}"

    text = (GALLERY / f"{name}.yml").read_text(encoding="utf-8")
    text = PORTS.sub(moved, text)
    return yaml.safe_load(re.sub(r"(_)(\d{4})(?=\\\.)", moved, text))


def unsupported_on(name: str, platform: str) -> str:
    """Return why a demo of the gallery does not run on a platform; empty if it does."""
    return str(_unsupported_platforms(name).get(platform, ""))


@functools.cache
def _unsupported_platforms(name: str) -> Mapping[str, str]:
    found: Mapping[str, str] = demo_data(name, 0).get("unsupported_on") or {}
    return found


def supported_demos(platform: str) -> list[str]:
    """Return the demos of the gallery that run on a platform."""
    return [name for name in DEMOS if not unsupported_on(name, platform)]


def demos_of_week(platform: str) -> list[str]:
    """Return the representative demos that `make test` deploys on a platform this week: each on one platform."""
    supported = {
        name: [one for one in (*PLATFORMS, "kubernetes") if not unsupported_on(name, one)]
        for name in REPRESENTATIVE
    }
    return [name for name, one in platforms_of_week(supported).items() if one == platform]


def expectations(name: str, pods: bool = False) -> int:
    """Return the number of expectations of a demo, including those of its changes."""
    data = demo_data(name, 0)
    total = _expectations(data, pods)
    for change in data.get("changes", {}).values():
        total += _expectations({**{key: data[key] for key in ("traffic", "expectations")}, **change}, pods)
    return total


def _expectations(data: Any, pods: bool) -> int:
    total = len(data["expectations"])
    for expected in (batch.get("expect", []) for batch in data["traffic"]):
        total += len(expected)
        # The names of pods are unknown in advance, so the plan adds an expectation that all of them answer.
        if pods and any("among" in entry for entry in expected):
            total += not any(entry.get("hosts") == "count" for entry in expected)
    return total


@dataclass(frozen=True)
class Run:
    """The result of a run of ansible-playbook."""

    code: int
    output: str

    @property
    def words(self) -> str:
        """Return the output on one line, because the callback folds lines and doubles quotes."""
        return re.sub(r"\s+", " ", self.output).replace("''", "'")

    @property
    def error(self) -> str:
        """Return the message of the failed task on one line."""
        return self.words.partition("[ERROR]: ")[2].partition(" Origin: ")[0] or self.words

    @property
    def tasks(self) -> list[str]:
        """Return the names of the tasks in their order, including skipped ones."""
        return re.findall(r"^TASK \[(.*)\]", self.output, re.MULTILINE)

    @property
    def recap(self) -> dict[str, int]:
        """Return the numbers of the play recap."""
        line = self.output.partition("PLAY RECAP")[2].strip().splitlines()[1]
        return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", line)}


class Home:
    """A temporary home folder from which playbooks deploy. `close` deletes it.

    Args:
        platform: Name of the platform.
        publishes: Whether deployments use the ports of a copy of the gallery on this machine.
    """

    def __init__(self, platform: str, publishes: bool = True) -> None:
        self.platform = platform
        self._range = PortRange() if publishes else None
        self.shift = self._range.number if self._range else SHIFTS[0]
        self.prefix = f"t{os.getpid()}"
        # Not pytest's temporary folder, because the path of a Unix socket is limited to 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="meshlab-"))
        # Without a page, a verification does not wait up to a second for latencies that only a page shows.
        self.variables: dict[str, Any] = {
            "deployment_cache": str(CACHE),
            "deployment_timeout": 300,
            "demo_result_formats": [],
        }
        # The lab's exporter; without it, the role installs one.
        exporter = os.environ.get("MESHLAB_STATSD_EXPORTER")
        if exporter:
            self.variables |= {"statsd_exporter_source": "path", "statsd_exporter_path": exporter}
        if registry := os.environ.get("MESHLAB_LAB_REGISTRY"):
            self.variables["deployment_registry"] = registry
        self.exporter = exporter or f"{CACHE}/statsd_exporter-{EXPORTER_VERSION}/statsd_exporter"
        self.inventory = str(ROOT / "inventories" / platform)
        self.cwd = ROOT
        self.environment = {**os.environ, "HOME": str(self.folder)}
        if wheels := os.environ.get("MESHLAB_LAB_WHEELS"):
            self.environment["PIP_FIND_LINKS"] = wheels

    def close(self) -> None:
        """Delete the folder and release the ports."""
        if self._range:
            self._range.close()
        shutil.rmtree(self.folder)

    def name(self, demo: str) -> str:
        """Return the name of a demo of the gallery in this home."""
        return f"{self.prefix}_{demo}"

    def demo(self, name: str, **changes: Any) -> Path:
        """Write a copy of a demo of the gallery, with its own ports and name and with changed keys. Return its path."""
        path = self.folder / "demos" / f"{self.name(name)}.yml"
        path.parent.mkdir(exist_ok=True)
        data = demo_data(name, self.shift)
        path.write_text(yaml.safe_dump(merged(data, changes), sort_keys=False), encoding="utf-8")
        return path

    def state(self, demo: str) -> Path:
        """Return the folder of a deployed demo."""
        return self.folder / ".local" / "state" / "meshlab.envoy" / self.name(demo)

    @property
    def reports(self) -> Path:
        """Return the folder of the reports, which a teardown keeps."""
        return self.folder / ".local" / "state" / "meshlab.envoy" / "reports"

    def play(self, playbook: str, *arguments: str, ok: bool = True, **variables: Any) -> Run:
        """Run a playbook by name or path. Fail the test if the success of the run differs from `ok`."""
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
        """Return a response of the full admin interface of a proxy."""
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
        """Return a line for each process or container of a demo, which changes with a restart."""
        if self.platform == "local":
            return set(processes_of(self.state(demo)))
        ids = docker("ps", "--quiet", "--filter", f"label=com.docker.compose.project={self.name(demo)}")
        return set(docker("inspect", "--format", "{{.Name}} {{.Id}} {{.State.StartedAt}}", *ids))

    def has_draining(self, demo: str) -> bool:
        """Return whether an Envoy that has handed over to a new generation still runs."""
        if self.platform == "local":
            ids = re.findall(r"(?:envoy) .*--base-id (\d+)", "\n".join(processes_of(self.state(demo))))
        else:
            label = '{{.Label "meshlab.envoy.workload"}}'
            project = f"label=com.docker.compose.project={self.name(demo)}"
            ids = [one for one in docker("ps", "--format", label, "--filter", project) if one]
        return len(ids) > len(set(ids))

    def remaining(self, demo: str) -> list[str]:
        """Return the files, processes, containers and networks of a demo."""
        files = [
            str(path)
            for path in (self.folder / ".local").rglob("*")
            if not path.is_dir() and self.reports not in path.parents
        ]
        return (
            files
            + processes_of(self.folder)
            + (containers(self.name(demo)) if self.platform == "docker" else [])
        )


def provide() -> None:
    """Install the missing executables of the platform local into CACHE."""
    home = Home("local")
    try:
        executables = (
            CACHE / f"envoy-{ENVOY_VERSION}/bin/envoy",
            CACHE / f"supervisor-{SUPERVISOR_VERSION}/bin/supervisord",
            Path(home.exporter),
        )
        if not all(executable.exists() for executable in executables):
            # A deployment without traffic.
            demo = home.demo("service_envoy", traffic=[], expectations=[])
            home.play("site", demo=demo)
            home.play("teardown", demo=demo)
    finally:
        home.close()


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of processes that run in a folder or have it in their arguments."""
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
    """Run the Docker CLI and return its output."""
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
    """Return data with changes: mappings are merged by key, lists of named entries by name, other values are replaced."""
    if isinstance(data, dict) and isinstance(changes, dict):
        return {
            **data,
            **{key: merged(data[key], value) if key in data else value for key, value in changes.items()},
        }
    if isinstance(data, list) and isinstance(changes, dict):
        return [merged(entry, changes.get(entry["name"], {})) for entry in data]
    return copy.deepcopy(changes)


def background_traffic(home: Home, port: int, path: str = "/") -> AbstractContextManager[Counter[str]]:
    """Send traffic to a port of the gallery until the end of the block: see `answered`."""
    return answered({"url": f"http://127.0.0.1:{port + home.shift}{path}"}, least=200)


@contextmanager
def answered(entry: dict[str, Any], least: int, **cluster: Any) -> Iterator[Counter[str]]:
    """Send traffic until the end of the block, and fail if a response is missing. Yield the numbers of responses by host.

    After the block, at least `least` responses follow, so that each new host gets requests.
    """
    [batch] = parse_traffic([{**entry, "requests": 20, "concurrency": 2, "timeout": 60}], cluster)
    hosts: Counter[str] = Counter()
    failures: list[object] = []
    stopped = threading.Event()

    def send() -> None:
        while not stopped.wait(0.05):
            result = send_traffic(batch)
            hosts.update(result["hosts"])
            if result["statuses"] != {"200": 20}:
                failures.append((result["statuses"], result["errors"]))

    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send)
        try:
            yield hosts
            deadline = time.monotonic() + 300
            enough = sum(hosts.values()) + least
            while sum(hosts.values()) <= enough and time.monotonic() < deadline:
                time.sleep(0.05)
        finally:
            stopped.set()
        sending.result()
    assert failures == []
    assert sum(hosts.values()) > enough
