# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure one envoy_stats task over a thousand Envoys: its time against curl and against a loop over uri, and its memory.

All endpoints are on loopback. replayed_admins.py replays the responses of one real Envoy on a thousand ports. A second measurement uses 200
real Envoys if the machine has enough memory. A table, build/endpoints.json and build/growth/fleet.svg show how the cost grows.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from growth import Growth, linear
from images import ENVOY
from measure import ROOT, Figure, MeasurementError, in_turn, median, run, summary
from process_memory import watching

BIN = ROOT / ".venv/bin"
FOLDER = Path(__file__).parent
ENDPOINTS, STATS, REAL = 1_000, 2_000, 200
GROWTH = (1, 10, 50, 200, 500, 1_000)
MEGABYTES = 100  # of any task
ROUNDS = 12  # each takes a second; the machine is idle during at least one of twelve
LOOPED = 20
# Megabytes of free memory that the real Envoys need: 15 MiB each, and the processes that start them.
REAL_NEEDS = 6_000
ASSERTIONS = [
    {"stat": "cluster.service1.upstream_cx_total", "across": "sum", "op": "eq", "value": 0},
    {"match": r"cluster\..*\.upstream_cx_connect_fail", "across": "sum", "op": "eq", "value": 0},
]


@dataclass(frozen=True)
class Bounds:
    """The bounds of the time of envoy_stats by the time of curl: of its work, and of the whole module with Ansible's part."""

    work: float
    module: float


FILTERED, COMPLETE = Bounds(1.4, 2.5), Bounds(3.0, 4.0)


def figures(folder: Path) -> Iterator[Figure]:
    """Measure the replayed Envoys, the growth of the cost, all statistics, and the real Envoys."""
    envoy = executable(folder)
    responses = real_responses(envoy, folder)
    page = ""
    growth: dict[str, list[dict[str, float]]] = {}
    for name, bounds, whole in (
        ("server-side filter", FILTERED, False),
        ("complete responses", COMPLETE, True),
    ):
        with replayed(responses, ENDPOINTS, whole) as ports:
            page = requested_page(ports)
            yield from against_curl(f"{ENDPOINTS} endpoints, {name}", bounds, ports, [page], folder)
            growth[name] = [cost(ports[:count]) | {"endpoints": count} for count in GROWTH]
            if not whole:
                both = [page, "/server_info"]
                yield from against_curl(
                    f"{ENDPOINTS} endpoints, default options", bounds, ports, both, folder
                )
                yield against_uri(ports, page, folder)
    yield from report_growth(growth)
    yield from all_statistics(responses, folder)
    yield from real_envoys(envoy, page, folder)


def requested_page(ports: Sequence[int]) -> str:
    """Return the path with the query that envoy_stats requests from the replayed admins."""
    task("envoy_stats", arguments(ports))
    return fetch(ports[-1], "/seen").decode()


def against_curl(
    name: str, bounds: Bounds, ports: Sequence[int], pages: Sequence[str], folder: Path
) -> list[Figure]:
    """Compare the time of the module with curl's for the same pages, and return its memory as well.

    The ratio uses the fastest round of each, because other processes of the machine slow the other rounds.
    """
    results: list[dict[str, Any]] = []

    def module() -> float:
        results.append(task("envoy_stats", arguments(ports, identify=len(pages) > 1)))
        return float(results[-1]["seconds"])

    module()
    urls = curl_file(folder, [f"http://127.0.0.1:{port}{page}" for port in ports for page in pages])
    module_seconds, curl_seconds = in_turn(ROUNDS, module, lambda: curl(urls))
    megabytes = results[-1]["bytes"] / 1e6
    whole = [float(one["whole"]) for one in results]
    # Reading the memory takes time, so that this run is not timed.
    watched = task("envoy_stats", arguments(ports, identify=len(pages) > 1), watch=True)
    return [
        Figure(
            name,
            min(module_seconds) / min(curl_seconds),
            bounds.work,
            "× curl --parallel",
            f"envoy_stats {summary(module_seconds)}, curl {summary(curl_seconds)}, {megabytes:.1f} MB of JSON",
        ),
        Figure(
            f"{name}: whole module",
            min(whole) / min(curl_seconds),
            bounds.module,
            "× curl --parallel",
            f"from the arguments to the printed result {summary(whole)}, without the start of Python",
        ),
        Figure(
            f"{name}: memory",
            float(watched["megabytes"]),
            MEGABYTES,
            "MB resident",
            "the largest process, or all processes of the module together, with Python itself",
        ),
    ]


def cost(ports: Sequence[int]) -> dict[str, float]:
    """Return the seconds and megabytes of envoy_stats for a number of ports."""
    runs = [task("envoy_stats", arguments(ports)) for _round in range(3)]
    return {
        "seconds": min(float(one["seconds"]) for one in runs),
        "megabytes": max(float(one["megabytes"]) for one in runs),
    }


def against_uri(ports: Sequence[int], page: str, folder: Path) -> Figure:
    """Compare the whole task in a playbook with uri and from_json, which a few endpoints measure and which is scaled to all."""
    nothing = {"name": "nothing", "ansible.builtin.meta": "noop"}
    module = {"name": "envoy_stats", "meshlab.envoy.envoy_stats": arguments(ports)}
    loop = [
        {
            "name": "request",
            "ansible.builtin.uri": {"url": "{{ item }}", "return_content": True},
            "loop": [f"http://127.0.0.1:{port}{page}" for port in ports[:LOOPED]],
            "register": "seen",
        },
        {
            "name": "compare",
            "ansible.builtin.assert": {
                "that": "seen.results | map(attribute='content') | map('from_json') | map(attribute='stats') | flatten"
                " | selectattr('name', 'match', 'cluster') | map(attribute='value') | sum == 0"
            },
        },
    ]
    plays = [
        play(folder / f"{name}.json", tasks)
        for name, tasks in (("empty", [nothing]), ("module", [module]), ("loop", loop))
    ]
    empty, with_module, with_loop = in_turn(3, *plays)
    seconds = median(with_module) - median(empty)
    looped = median(with_loop) - median(empty)
    scaled = looped / LOOPED * ENDPOINTS
    return Figure(
        f"{ENDPOINTS} endpoints, whole task",
        scaled / seconds,
        300,
        "× faster than a loop over uri",
        f"{seconds:.2f} s; uri and from_json {scaled:.0f} s, scaled from {LOOPED} endpoints in {looped:.1f} s",
        at_least=True,
    )


def all_statistics(responses: Path, folder: Path) -> list[Figure]:
    """Return the memory for all statistics of all endpoints: added up by envoy_stats, and written to a file by envoy_stats_info."""
    target = folder / "snapshot.json"
    with replayed(responses, ENDPOINTS, False) as ports:
        options = {
            **arguments(ports),
            "request_timeout": 60,
            "assertions": [ALL],
            "snapshot_file": str(target),
        }
        added = task("envoy_stats", options, watch=True)
        target.unlink(missing_ok=True)
        written = task(
            "envoy_stats_info",
            {"endpoints": endpoints(ports), "snapshot_file": str(target), "timeout": 60},
            watch=True,
        )
    size = target.stat().st_size / 1e6
    target.unlink()
    readings = f"{ENDPOINTS * STATS / 1e6:g} million readings"
    return [
        Figure(
            f"{readings}, added up: memory",
            float(added["megabytes"]),
            MEGABYTES,
            "MB resident",
            f"envoy_stats with match: '.*' in {added['seconds']:.1f} s",
        ),
        Figure(
            f"{readings}, to a file: memory",
            float(written["megabytes"]),
            MEGABYTES,
            "MB resident",
            f"envoy_stats_info with snapshot_file in {written['seconds']:.1f} s, a file of {size:.0f} MB, a result of"
            f" {written['printed'] / 1e6:.1f} MB",
        ),
    ]


ALL = {"match": ".*", "across": "count", "op": "eq", "value": ENDPOINTS * STATS}


def real_envoys(envoy: str, page: str, folder: Path) -> list[Figure]:
    """Compare the module with curl on real Envoys, if the machine has enough memory."""
    free, name = available_megabytes(), f"{REAL} real Envoys, server-side filter"
    if free < REAL_NEEDS:
        reason = f"{REAL} Envoys need {REAL_NEEDS} MB of memory, and {free} MB are free"
        return [Figure(name, None, FILTERED.work, "× curl --parallel", reason)]
    with contextlib.ExitStack() as stack:
        began = time.monotonic()
        ports = stack.enter_context(started(envoy, folder, REAL))
        print(f"{REAL} real Envoys: ready after {time.monotonic() - began:.0f} s")
        return against_curl(name, FILTERED, ports, [page], folder)


def endpoints(ports: Sequence[int]) -> list[dict[str, str]]:
    """Return the option `endpoints` for a number of ports."""
    return [{"name": f"e{number}", "url": f"http://127.0.0.1:{port}"} for number, port in enumerate(ports)]


def arguments(ports: Sequence[int], identify: bool = False) -> dict[str, Any]:
    """Return the options of envoy_stats. Without `identify` it requests the same pages as curl, without /server_info."""
    return {"endpoints": endpoints(ports), "assertions": ASSERTIONS, "identify": identify}


def task(module: str, given: Mapping[str, Any], watch: bool = False) -> dict[str, Any]:
    """Return the output of run_module.py for a module, if `watch` is set with the memory of its forks.

    Raises:
        MeasurementError: The module failed, for example because an assertion does not hold.
    """
    with (
        subprocess.Popen(
            [str(BIN / "python"), str(FOLDER / "run_module.py"), module],
            env={**os.environ, "PYTHONPATH": str(ROOT / ".venv/collections")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as running,
        watching(running.pid) if watch else contextlib.nullcontext([0.0]) as most,
    ):
        try:
            printed, errors = running.communicate(json.dumps(given), timeout=120)
        except BaseException:
            running.kill()
            raise
    if running.returncode:
        raise MeasurementError(f"{module}: ended with exit status {running.returncode}:\n{errors[-3000:]}")
    result: dict[str, Any] = json.loads(printed)
    if result["failed"]:
        raise MeasurementError(f"{module}: {result['message'][:3000]}")
    result["megabytes"] = max(float(result["megabytes"]), most[0])
    return result


def curl_file(folder: Path, urls: Sequence[str]) -> Path:
    """Return the path of a new file for `curl --config` that requests URLs."""
    target = folder / "curl.txt"
    target.write_text("".join(f'url = "{url}"\noutput = /dev/null\n' for url in urls))
    return target


def curl(urls: Path) -> float:
    """Return the seconds of curl for the URLs of a file."""
    command = ["curl", "--silent", "--fail", "--globoff", "--parallel", "--parallel-max", "64"]
    return run([*command, "--max-time", "60", "--config", str(urls)])


def play(target: Path, tasks: Sequence[Mapping[str, Any]]) -> Callable[[], float]:
    """Return a step that runs a playbook of tasks."""
    target.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    return lambda: run([str(BIN / "ansible-playbook"), str(target)])


@contextlib.contextmanager
def replayed(responses: Path, count: int, whole: bool) -> Iterator[list[int]]:
    """Yield a number of ports that replay the responses of a folder."""
    command = [
        sys.executable,
        str(FOLDER / "replayed_admins.py"),
        str(responses),
        str(count),
        *(["--whole"] if whole else []),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        if server.stdin is None or server.stdout is None:
            raise RuntimeError("subprocess.Popen returned no pipes")
        try:
            yield json.loads(server.stdout.readline())
        finally:
            server.stdin.close()
            server.wait(10)


def executable(folder: Path) -> str:
    """Return the path of an Envoy: MESHLAB_ENVOY, the one in PATH, or a copy from the image."""
    found = os.environ.get("MESHLAB_ENVOY") or shutil.which("envoy")
    if found:
        return found
    container = subprocess.check_output(["docker", "create", ENVOY], text=True).strip()
    try:
        run(["docker", "cp", f"{container}:/usr/local/bin/envoy", str(folder / "envoy")])
    finally:
        run(["docker", "rm", container])
    return str(folder / "envoy")


def settled_server_info(port: int) -> bytes:
    """Return /server_info of an Envoy after its first second, during which envoy_stats sends one request more."""
    end = time.monotonic() + 30
    while b'"uptime_current_epoch": "0s"' in (response := fetch(port, "/server_info")):
        if time.monotonic() > end:
            raise MeasurementError("the uptime of the real Envoy is 0 s for 30 s")
        time.sleep(0.05)
    return response


def real_responses(envoy: str, folder: Path) -> Path:
    """Return a folder with the responses of a real Envoy with many clusters, cut to STATS statistics."""
    with started(envoy, folder, 1, clusters=40) as ports:
        whole = json.loads(fetch(ports[0], "/stats?format=json"))
        (folder / "server_info.json").write_bytes(settled_server_info(ports[0]))
    stats = [one for one in whole["stats"] if "name" in one]
    first = [one for one in stats if one["name"].startswith("cluster.service1.")]
    others = [one for one in stats if not one["name"].startswith("cluster.service1.")]
    chosen = [*first, *others][:STATS]
    if len(chosen) < STATS:
        raise MeasurementError(f"the real Envoy has {len(chosen)} statistics, expected {STATS}")
    (folder / "stats.json").write_text(json.dumps({"stats": chosen}, separators=(",", ":")))
    return folder


def fetch(port: int, path: str) -> bytes:
    """Return the body of a page."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as response:
        body: bytes = response.read()
    return body


@contextlib.contextmanager
def started(
    envoy: str, folder: Path, count: int, clusters: int = 2, listeners: Sequence[Mapping[str, Any]] = ()
) -> Iterator[list[int]]:
    """Yield the admin ports of a number of real Envoys that run in parallel, and end them."""
    config = folder / "envoy.json"
    config.write_text(json.dumps(_config(clusters, listeners)))
    running: list[subprocess.Popen[bytes]] = []
    try:
        for number in range(count):
            address_file = folder / f"admin{number}"
            address_file.unlink(missing_ok=True)
            command = [envoy, "--config-path", str(config), "--concurrency", "1", "--disable-hot-restart"]
            running.append(
                subprocess.Popen(
                    [*command, "--log-level", "off", "--admin-address-path", str(address_file)],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
        yield [_port(folder / f"admin{number}", running[number]) for number in range(count)]
    finally:
        for one in running:
            one.terminate()
        for one in running:
            try:
                one.wait(20)
            except subprocess.TimeoutExpired:
                one.kill()
                one.wait()


def _port(address_file: Path, envoy: subprocess.Popen[bytes]) -> int:
    until = time.monotonic() + 120
    while time.monotonic() < until and envoy.poll() is None:
        with contextlib.suppress(OSError, ValueError):
            port = int(address_file.read_text().rpartition(":")[2])
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5) as response:
                if response.status == 200:
                    return port
        time.sleep(0.02)
    raise MeasurementError("an Envoy is not ready after 120 s")


def _config(clusters: int, listeners: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    return {
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
        "static_resources": {
            "listeners": list(listeners),
            "clusters": [
                {
                    "name": f"service{number}",
                    "type": "STATIC",
                    "load_assignment": {
                        "cluster_name": f"service{number}",
                        "endpoints": [
                            {
                                "lb_endpoints": [
                                    {
                                        "endpoint": {
                                            "address": {
                                                "socket_address": {"address": "127.0.0.1", "port_value": 1}
                                            }
                                        }
                                    }
                                ]
                            }
                        ],
                    },
                }
                for number in range(1, clusters + 1)
            ],
        },
    }


def available_megabytes() -> int:
    """Return the available memory by /proc/meminfo, 0 if that file does not exist."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) // 1000
    return 0


def report_growth(growth: Mapping[str, Sequence[Mapping[str, float]]]) -> Iterator[Figure]:
    """Print how the cost grows with the number of endpoints, write it as JSON and as a chart, and compare it with linear growth."""
    print(f"{'endpoints':>9}" + "".join(f"  {name:>24}" for name in growth))
    for number, count in enumerate(GROWTH):
        cells = [
            f"{rows[number]['seconds']:8.3f} s {rows[number]['megabytes']:8.0f} MB"
            for rows in growth.values()
        ]
        print(f"{count:>9}" + "".join(f"  {cell:>24}" for cell in cells))
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    (build / "endpoints.json").write_text(json.dumps(growth, indent=2) + "\n")
    lines = {name: [(row["endpoints"], row["seconds"]) for row in rows] for name, rows in growth.items()}
    Growth("Seconds of envoy_stats", ("endpoints", "seconds"), lines).write("fleet")
    for name, points in lines.items():
        yield linear(f"envoy_stats, {name}", points)
