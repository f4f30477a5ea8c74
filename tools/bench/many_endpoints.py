# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one task over a thousand Envoys costs beside curl, beside a loop over uri, and in memory; and how that grows.

Everything is on loopback. The thousand are replayed from one real Envoy's answer (replayed_admins.py); 200 real ones are asked too, where they fit.
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
from pathlib import Path
from typing import Any

from images import ENVOY
from measure import ROOT, Figure, in_turn, median, run, said
from plot import plot

BIN = ROOT / ".venv/bin"
HERE = Path(__file__).parent
ENDPOINTS, STATS, REAL = 1_000, 2_000, 200
GROWTH = (1, 10, 50, 200, 500, 1_000)
ROUNDS = 12  # of a second each: of twelve, one finds the machine idle
LOOPED = 20
# 15 MiB each and a second process that starts them; what is not there is said instead.
REAL_NEEDS = 6_000  # MB
ASSERTIONS = [
    {"stat": "cluster.service1.upstream_cx_total", "across": "sum", "op": "eq", "value": 0},
    {"match": r"cluster\..*\.upstream_cx_connect_fail", "across": "sum", "op": "eq", "value": 0},
]


def figures(folder: Path) -> list[Figure]:
    """Measure all; the growth goes to build/fleet.svg and build/fleet.json."""
    envoy = executable(folder)
    answer = real_answer(envoy, folder)
    measured: list[Figure] = []
    page = ""
    growth: dict[str, list[dict[str, float]]] = {}
    for name, bound, whole in (("filter pushed down", 2.0, False), ("whole answers", 4.0, True)):
        with replayed(answer, ENDPOINTS, whole) as ports:
            page = page_asked_for(ports)
            measured += beside_curl(f"{ENDPOINTS} endpoints, {name}", bound, ports, [page], folder)
            growth[name] = [cost(ports[:count]) | {"endpoints": count} for count in GROWTH]
            if not whole:
                both = [page, "/server_info"]
                measured += beside_curl(f"{ENDPOINTS} endpoints, as by default", bound, ports, both, folder)
                measured.append(beside_a_loop(ports, page, folder))
    measured += everything(answer, folder)
    measured += real_ones(envoy, page, folder)
    tell_growth(growth)
    return measured


def page_asked_for(ports: Sequence[int]) -> str:
    """What envoy_stats asks of replaying servers."""
    task("envoy_stats", arguments(ports))
    return fetch(ports[-1], "/seen").decode()


def beside_curl(
    name: str, bound: float, ports: Sequence[int], pages: Sequence[str], folder: Path
) -> list[Figure]:
    """The module's own time against curl's for the same pages, the time with all that Ansible does around it, and the memory that it took.

    Of each the quickest round counts: whatever else runs on the machine is part of all others.
    """
    results: list[dict[str, Any]] = []

    def ours() -> float:
        results.append(task("envoy_stats", arguments(ports, identify=len(pages) > 1)))
        return float(results[-1]["seconds"])

    ours()
    urls = curl_file(folder, [f"http://127.0.0.1:{port}{page}" for port in ports for page in pages])
    mine, theirs = in_turn(ROUNDS, ours, lambda: curl(urls))
    detail = f"envoy_stats {said(mine)}, curl {said(theirs)}, {results[-1]['bytes'] / 1e6:.1f} MB of JSON"
    whole = [float(one["whole"]) for one in results]
    return [
        Figure(name, min(mine) / min(theirs), bound, "× curl --parallel", detail),
        Figure(
            f"{name}: all of the module",
            min(whole) / min(theirs),
            None,
            "× curl --parallel",
            f"from its arguments to its printed result {said(whole)}; a process of Python's comes before that",
        ),
        Figure(
            f"{name}: memory",
            max(float(one["megabytes"]) for one in results),
            200,
            "MB resident",
            f"the most of {len(results)} runs, with Python's own",
        ),
    ]


def cost(ports: Sequence[int]) -> dict[str, float]:
    runs = [task("envoy_stats", arguments(ports)) for _round in range(3)]
    return {
        "seconds": median([float(one["seconds"]) for one in runs]),
        "megabytes": max(float(one["megabytes"]) for one in runs),
    }


def beside_a_loop(ports: Sequence[int], page: str, folder: Path) -> Figure:
    """The whole task, as a playbook runs it, against uri and from_json, which is measured on a few and scaled."""
    nothing = {"name": "nothing", "ansible.builtin.meta": "noop"}
    one = {"name": "ours", "meshlab.envoy.envoy_stats": arguments(ports)}
    # What uri asks for is data, not a template.
    loop = [
        {
            "name": "ask",
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
    empty, task_seconds, looped = in_turn(
        3,
        *[
            play(folder / f"{name}.json", tasks)
            for name, tasks in (("empty", [nothing]), ("ours", [one]), ("loop", loop))
        ],
    )
    ours = median(task_seconds) - median(empty)
    scaled = (median(looped) - median(empty)) / LOOPED * ENDPOINTS
    return Figure(
        f"{ENDPOINTS} endpoints, the whole task",
        ours / scaled * 1000,
        5.0,
        "‰ of a loop over uri",
        f"{scaled / ours:.0f} × faster: {ours:.2f} s; uri and from_json {scaled:.0f} s, scaled from {LOOPED} that took"
        f" {median(looped) - median(empty):.1f} s",
    )


def everything(answer: Path, folder: Path) -> list[Figure]:
    """All numbers of all endpoints: added up, and kept in a file to count from."""
    target = folder / "snapshot.json"
    with replayed(answer, ENDPOINTS, False) as ports:
        asked = {**arguments(ports), "request_timeout": 60, "assertions": [ALL], "snapshot_file": str(target)}
        added = task("envoy_stats", asked)
        target.unlink(missing_ok=True)
        kept = task(
            "envoy_stats_info", {"endpoints": endpoints(ports), "snapshot_file": str(target), "timeout": 60}
        )
    size = target.stat().st_size / 1e6
    target.unlink()
    readings = f"{ENDPOINTS * STATS / 1e6:g} million readings"
    return [
        Figure(
            f"{readings}, added up: memory",
            float(added["megabytes"]),
            200,
            "MB resident",
            f"envoy_stats with match: '.*' in {added['seconds']:.1f} s",
        ),
        Figure(
            f"{readings}, to a file: memory",
            float(kept["megabytes"]),
            200,
            "MB resident",
            f"envoy_stats_info with snapshot_file in {kept['seconds']:.1f} s, a file of {size:.0f} MB, a result of"
            f" {kept['printed'] / 1e6:.1f} MB",
        ),
    ]


ALL = {"match": ".*", "across": "count", "op": "eq", "value": ENDPOINTS * STATS}


def real_ones(envoy: str, page: str, folder: Path) -> list[Figure]:
    """The same with real Envoys, where they fit."""
    free, name = available_megabytes(), f"{REAL} real Envoys, filter pushed down"
    if free < REAL_NEEDS:
        why = f"they want {REAL_NEEDS} MB of memory and {free} are free"
        return [Figure(name, None, 2.0, "× curl --parallel", why)]
    with contextlib.ExitStack() as stack:
        began = time.monotonic()
        ports = stack.enter_context(started(envoy, folder, REAL))
        print(f"{REAL} real Envoys: there after {time.monotonic() - began:.0f} s")
        return beside_curl(name, 2.0, ports, [page], folder)


def endpoints(ports: Sequence[int]) -> list[dict[str, str]]:
    return [{"name": f"e{place}", "url": f"http://127.0.0.1:{port}"} for place, port in enumerate(ports)]


def arguments(ports: Sequence[int], identify: bool = False) -> dict[str, Any]:
    # Where curl is not asked which process answers, this is not either.
    return {"endpoints": endpoints(ports), "assertions": ASSERTIONS, "identify": identify}


def task(module: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Run a module in a process of its own; end where what it expects does not hold."""
    done = subprocess.run(
        [str(BIN / "python"), str(HERE / "run_module.py"), module],
        input=json.dumps(given),
        env={**os.environ, "PYTHONPATH": str(ROOT / ".venv/collections")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if done.returncode:
        sys.exit(f"{module} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    said_so: dict[str, Any] = json.loads(done.stdout)
    if said_so["failed"]:
        sys.exit(f"{module}: {said_so['message'][:3000]}")
    return said_so


def curl_file(folder: Path, urls: Sequence[str]) -> Path:
    target = folder / "curl.txt"
    target.write_text("".join(f'url = "{url}"\noutput = /dev/null\n' for url in urls))
    return target


def curl(urls: Path) -> float:
    command = ["curl", "--silent", "--fail", "--globoff", "--parallel", "--parallel-max", "64"]
    return run([*command, "--max-time", "60", "--config", str(urls)])


def play(target: Path, tasks: Sequence[Mapping[str, Any]]) -> Callable[[], float]:
    """A step that runs a playbook of these tasks."""
    target.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    return lambda: run([str(BIN / "ansible-playbook"), str(target)])


@contextlib.contextmanager
def replayed(answer: Path, count: int, whole: bool) -> Iterator[list[int]]:
    """So many ports that replay an answer."""
    command = [
        sys.executable,
        str(HERE / "replayed_admins.py"),
        str(answer),
        str(count),
        *(["--whole"] if whole else []),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        if server.stdin is None or server.stdout is None:
            raise RuntimeError("no pipes")
        try:
            yield json.loads(server.stdout.readline())
        finally:
            server.stdin.close()
            server.wait(10)


def executable(folder: Path) -> str:
    """An Envoy to run here: one that is named or found, or the image's."""
    found = os.environ.get("MESHLAB_ENVOY") or shutil.which("envoy")
    if found:
        return found
    container = subprocess.check_output(["docker", "create", ENVOY], text=True).strip()
    try:
        run(["docker", "cp", f"{container}:/usr/local/bin/envoy", str(folder / "envoy")])
    finally:
        run(["docker", "rm", container])
    return str(folder / "envoy")


def grown_up(port: int) -> bytes:
    """/server_info of an Envoy past its first second, in which it is asked one question more than ever after."""
    end = time.monotonic() + 30
    while b'"uptime_current_epoch": "0s"' in (answer := fetch(port, "/server_info")):
        if time.monotonic() > end:
            sys.exit("the real Envoy does not grow older")
        time.sleep(0.05)
    return answer


def real_answer(envoy: str, folder: Path) -> Path:
    """A folder with what a real Envoy with many clusters answers, cut to STATS numbers."""
    with started(envoy, folder, 1, clusters=40) as ports:
        whole = json.loads(fetch(ports[0], "/stats?format=json"))
        (folder / "server_info.json").write_bytes(grown_up(ports[0]))
    stats = [one for one in whole["stats"] if "name" in one]
    wanted = [one for one in stats if one["name"].startswith("cluster.service1.")]
    others = [one for one in stats if not one["name"].startswith("cluster.service1.")]
    chosen = [*wanted, *others][:STATS]
    if len(chosen) < STATS:
        sys.exit(f"the real Envoy has {len(chosen)} stats, and {STATS} are to be replayed")
    (folder / "stats.json").write_text(json.dumps({"stats": chosen}, separators=(",", ":")))
    return folder


def fetch(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        body: bytes = answer.read()
    return body


@contextlib.contextmanager
def started(envoy: str, folder: Path, count: int, clusters: int = 2) -> Iterator[list[int]]:
    """So many real Envoys, side by side; each is ended by its process id."""
    config = folder / "envoy.json"
    config.write_text(json.dumps(_config(clusters)))
    running: list[subprocess.Popen[bytes]] = []
    try:
        for number in range(count):
            place = folder / f"admin{number}"
            place.unlink(missing_ok=True)
            command = [envoy, "--config-path", str(config), "--concurrency", "1", "--disable-hot-restart"]
            running.append(
                subprocess.Popen(
                    [*command, "--log-level", "off", "--admin-address-path", str(place)],
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


def _port(place: Path, envoy: subprocess.Popen[bytes]) -> int:
    until = time.monotonic() + 120
    while time.monotonic() < until and envoy.poll() is None:
        with contextlib.suppress(OSError, ValueError):
            port = int(place.read_text().rpartition(":")[2])
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5) as answer:
                if answer.status == 200:
                    return port
        time.sleep(0.02)
    sys.exit("an Envoy did not become ready within two minutes")


def _config(clusters: int) -> dict[str, Any]:
    return {
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
        "static_resources": {
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
            ]
        },
    }


def available_megabytes() -> int:
    with contextlib.suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) // 1000
    return 0


def tell_growth(growth: Mapping[str, Sequence[Mapping[str, float]]]) -> None:
    """How the cost grows, as a table and as a plot."""
    print(f"{'endpoints':>9}" + "".join(f"  {name:>24}" for name in growth))
    for place, count in enumerate(GROWTH):
        cells = [
            f"{rows[place]['seconds']:8.3f} s {rows[place]['megabytes']:8.0f} MB" for rows in growth.values()
        ]
        print(f"{count:>9}" + "".join(f"  {cell:>24}" for cell in cells))
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    (build / "fleet.json").write_text(json.dumps(growth, indent=2) + "\n")
    lines = {name: [(row["endpoints"], row["seconds"]) for row in rows] for name, rows in growth.items()}
    (build / "fleet.svg").write_text(plot("What envoy_stats costs", ("endpoints", "seconds"), lines))
    print("written to build/fleet.svg and build/fleet.json")
