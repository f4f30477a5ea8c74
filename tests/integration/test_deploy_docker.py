# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""demo_deploy on platform docker, with a real Docker daemon."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from managed_host import run_module

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.documents import compose
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    Mount,
    Port,
    Probe,
    Workload,
)
from ansible_collections.meshlab.envoy.plugins.modules import demo_deploy as module

IMAGE = "python:3.11-slim-bookworm"
SERVER = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(os.environ["NAME"].encode())
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
"""


def docker(*arguments: str, check: bool = True, stdin: str = "") -> str:
    ran = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=120, input=stdin, check=False
    )
    assert ran.returncode == 0 or not check, ran.stderr
    return ran.stdout.strip()


def _usable() -> bool:
    return bool(shutil.which("docker")) and bool(
        docker("version", "--format", "{{.Server.Version}}", check=False)
    )


pytestmark = pytest.mark.skipif(not _usable(), reason="this host has no Docker")


class ComposeProject:
    """The compose project of one test, deployed by the module."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder

    def run(self, *workloads: Workload, check: bool = False, **options: Any) -> dict[str, Any]:
        """Deploy workloads; return the module's result, with `failed` in any case."""
        document = compose(self.name, workloads, "127.0.0.1")
        plan = {
            **self._identity(),
            "files": [
                {"path": "compose.yaml", "content": json.dumps(document)},  # JSON is YAML
                {"path": "app/server.py", "content": SERVER},
            ],
            "workloads": [one.to_dict() for one in workloads],
        }
        return self._module({"plan": plan, "timeout": 30, **options}, check)

    def teardown(self, check: bool = False) -> dict[str, Any]:
        """Tear the project down without its plan; return the module's result."""
        return self._module({**self._identity(), "state": "absent"}, check)

    def _identity(self) -> dict[str, str]:
        return {"name": self.name, "platform": "docker", "folder": str(self.folder)}

    def _module(self, options: dict[str, Any], check: bool) -> dict[str, Any]:
        arguments = {**options, "_ansible_check_mode": check, "_ansible_diff": True}
        return {"failed": False, **run_module(module, arguments)}

    def container(self, service: str) -> str:
        return f"{self.name}-{service}-1"

    def ids(self) -> dict[str, str]:
        """Return the container id and the start time of each service; a restart changes them."""
        names = docker("ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={self.name}")
        template = '{{index .Config.Labels "com.docker.compose.service"}} {{.Id}} {{.State.StartedAt}}'
        lines = docker("inspect", "--format", template, *names.split()).splitlines() if names else []
        return {line.split()[0]: line.split(maxsplit=1)[1] for line in lines}


@pytest.fixture
def demo(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ComposeProject]:
    one = ComposeProject(f"deploy-test-{abs(hash(request.node.name)) % 100000}", tmp_path / "state")
    yield one
    one.teardown()
    assert one.ids() == {}
    assert not docker("network", "ls", "--quiet", "--filter", f"label=com.docker.compose.project={one.name}")
    assert not one.folder.exists()


@pytest.fixture
def ports() -> list[int]:
    """Return two ports that were free a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _number in range(2)]
    numbers = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return numbers


def server(
    name: str, port: int = 8080, published: int | None = None, address: str = "0.0.0.0", **more: Any
) -> Workload:
    connect = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2).close()"
    settings: dict[str, Any] = {
        "name": name,
        "image": IMAGE,
        "command": ("python3", "-IS", "server.py", address, str(port)),
        "environment": {"NAME": name},
        "mounts": (Mount("app", "/app"),),
        "directory": "/app",
        "ports": (Port(port, published),),
        "probe": Probe("http", port, "/", ("python3", "-ISc", connect)),
        "user": "65534:65534",
        "init": True,
        "memory_mb": 64,
        "stop_seconds": 2,
    }
    return Workload(**{**settings, **more})


def answer(port: int) -> str:
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return connection.makefile().read().split("\n\n")[-1]


def test_second_run_changes_nothing(demo: ComposeProject, ports: list[int]) -> None:
    # The app listens on the loopback only, which its port reaches through the shared network.
    workloads = [
        server("proxy", 8080, ports[0]),
        server("app", 8081, ports[1], address="127.0.0.1", network="proxy"),
        Workload(name="plain", image=IMAGE, command=("sleep", "infinity"), init=True, stop_seconds=1),
    ]
    predicted = demo.run(*workloads, check=True)
    assert (predicted["changed"], predicted["started"]) == (True, ["app", "plain", "proxy"])
    assert not demo.folder.exists()
    first = demo.run(*workloads)
    assert (first["failed"], first["changed"], first["started"]) == (False, True, ["app", "plain", "proxy"])
    assert answer(ports[0]) == "proxy"
    before = demo.ids()
    again = demo.run(*workloads)
    assert (again["changed"], again["started"], again["restarted"], again["files"]) == (False, [], [], [])
    assert demo.ids() == before
    checked = demo.run(*workloads, check=True)
    assert (checked["changed"], checked["files"]) == (False, [])


def test_changed_container_and_network_sharers_restart(demo: ComposeProject) -> None:
    def workloads(owner: str, lone: str) -> list[Workload]:
        return [
            server("owner", digest=owner),
            server("sharer", 8081, network="owner"),
            server("lone", digest=lone),
        ]

    demo.run(*workloads("1", "1"))
    before = demo.ids()
    predicted = demo.run(*workloads("1", "2"), check=True)
    assert predicted["restarted"] == ["lone"]
    result = demo.run(*workloads("1", "2"))
    assert (result["started"], result["restarted"], result["removed"]) == ([], ["lone"], [])
    after = demo.ids()
    assert {name for name in after if after[name] != before[name]} == {"lone"}
    result = demo.run(*workloads("2", "2"))
    assert result["restarted"] == ["owner", "sharer"]
    assert demo.ids()["lone"] == after["lone"]


def test_unlisted_container_releases_its_port(demo: ComposeProject, ports: list[int]) -> None:
    demo.run(server("kept"), server("old", 8080, ports[0]), server("older"))
    kept = demo.ids()["kept"]
    predicted = demo.run(server("kept"), server("new", 8080, ports[0]), check=True)
    assert (predicted["started"], predicted["removed"]) == (["new"], ["old", "older"])
    result = demo.run(server("kept"), server("new", 8080, ports[0]))
    assert (result["started"], result["removed"]) == (["new"], ["old", "older"])
    assert sorted(demo.ids()) == ["kept", "new"]
    assert demo.ids()["kept"] == kept
    assert answer(ports[0]) == "new"


def test_run_repairs_every_partial_state(demo: ComposeProject) -> None:
    workloads = [server("owner"), server("sharer", 8081, network="owner"), server("lone")]
    demo.run(*workloads)
    owner, sharer, lone = (demo.container(name) for name in ("owner", "sharer", "lone"))
    docker("pause", lone)
    assert demo.run(*workloads)["started"] == ["lone"]
    docker("stop", "--time", "1", lone)
    assert demo.run(*workloads)["started"] == ["lone"]
    docker("rm", "--force", sharer)
    assert demo.run(*workloads)["started"] == ["sharer"]
    # The restart of the owner removed the network that the sharer uses.
    docker("restart", "--time", "1", owner)
    assert demo.run(*workloads)["restarted"] == ["sharer"]
    assert (
        docker("exec", sharer, "python3", "-c", "import socket; socket.create_connection(('lone', 8080), 5)")
        == ""
    )
    # As after an interrupted run: created and not started.
    docker("rm", "--force", lone)
    docker("compose", "--project-name", demo.name, "--file", str(demo.folder / "compose.yaml"), "create")
    assert demo.run(*workloads)["started"] == ["lone"]
    assert demo.run(*workloads)["changed"] is False


def test_ended_container_fails_at_once_with_its_log(demo: ComposeProject) -> None:
    script = 'echo "no such key: x" >&2; exit 3'
    failing = Workload(name="app", image=IMAGE, command=("sh", "-c", script), probe=Probe("tcp", 80))
    result = demo.run(failing, server("other"), timeout=3600)
    assert result["failed"]
    assert result["msg"].startswith("app ended with exit code 3")
    assert f"Last lines of its log (docker logs {demo.container('app')}):\n  no such key: x" in result["msg"]
    corrected = demo.run(server("app"), server("other"))
    assert (corrected["failed"], corrected["restarted"] + corrected["started"]) == (False, ["app"])


# Timeouts to try in turn for a workload that never is ready: a slow machine may not have run the probe before the first ends.
TIMEOUTS = (1, 20, 120)


def test_timeout_names_the_port_without_listener(demo: ComposeProject) -> None:
    mute = Workload(
        name="mute",
        image=IMAGE,
        command=("sleep", "600"),
        init=True,
        probe=Probe("http", 80, "/ready", ("false",)),
    )
    seen = "nothing listens on its port 80. Its log is empty"
    for timeout in TIMEOUTS:
        result = demo.run(mute, timeout=timeout)
        assert result["msg"].startswith(f"mute is not ready after {timeout} s without progress: ")
        if seen in result["msg"]:
            break
    assert result["msg"].startswith(f"mute is not ready after {timeout} s without progress: {seen}")


def test_timeout_shows_the_output_of_the_probe(demo: ComposeProject) -> None:
    probe = Probe("http", 8080, "/", ("sh", "-c", "echo not yet; exit 1"))
    for timeout in TIMEOUTS:
        result = demo.run(server("a", address="127.0.0.1", probe=probe), timeout=timeout)
        assert f"a is not ready after {timeout} s without progress: " in result["msg"]
        if "its probe prints" in result["msg"]:
            break
    assert f"a is not ready after {timeout} s without progress: its probe prints: not yet" in result["msg"]


def test_used_ports_are_refused_with_their_users(demo: ComposeProject, ports: list[int]) -> None:
    other = docker("run", "--detach", "--publish", f"127.0.0.1:{ports[0]}:80", "--init", IMAGE, "sleep", "60")
    try:
        name = docker("inspect", "--format", "{{.Name}}", other).removeprefix("/")
        with socket.create_server(("127.0.0.1", ports[1])):
            result = demo.run(server("a", 8080, ports[0]), server("b", 8080, ports[1]))
    finally:
        docker("rm", "--force", other)
    assert (
        f"port {ports[0]} of a is used by container {name}; port {ports[1]} of b is used by process"
        in result["msg"]
    )
    assert result["msg"].endswith(". Stop it, or choose another port. Nothing was changed.")
    assert (result["changed"], demo.folder.exists()) == (False, False)


def test_missing_image_is_refused_before_any_start(demo: ComposeProject) -> None:
    missing = "localhost:1/no/such:1"
    result = demo.run(server("a"), server("b", image=missing))
    assert result["failed"]
    assert missing in result["msg"]
    assert "Docker prints: " in result["msg"]
    assert demo.ids() == {}
    assert not demo.folder.exists()
    predicted = demo.run(server("a"), server("b", image=missing), check=True)
    assert (predicted["failed"], predicted["started"]) == (False, ["a", "b"])
    assert f"would be pulled: {missing}" in json.dumps(predicted["warnings"])


def test_teardown_works_without_the_folder(demo: ComposeProject) -> None:
    demo.run(server("a"))
    assert demo.teardown(check=True)["removed"] == ["a"]
    assert "a" in demo.ids()
    shutil.rmtree(demo.folder)
    result = demo.teardown()
    assert (result["changed"], result["removed"], demo.ids()) == (True, ["a"], {})
    assert demo.teardown()["changed"] is False


def test_container_has_no_privileges(demo: ComposeProject) -> None:
    demo.run(server("a"))
    container = demo.container("a")
    status = docker("exec", container, "cat", "/proc/1/status")
    assert "CapBnd:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    assert "Uid:\t65534" in status
    mounts = docker("exec", container, "cat", "/proc/mounts").splitlines()
    flags = {line.split()[1]: line.split()[3].split(",") for line in mounts}
    assert ("ro" in flags["/"], "ro" in flags["/app"]) == (True, True)
    for path in ("/x", "/app/x"):
        assert docker(
            "exec", container, "sh", "-c", f"touch {path} 2>&1 || echo refused", check=False
        ).endswith("refused")
    assert docker("exec", container, "sh", "-c", "touch /tmp/x && echo done") == "done"


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("unix:///nonexistent/docker.sock", "The Docker daemon does not answer"),
        ("tcp://127.0.0.1:1", "The Docker daemon does not answer"),
    ],
)
def test_missing_daemon_is_refused_or_in_check_mode_warned(
    demo: ComposeProject, monkeypatch: pytest.MonkeyPatch, host: str, words: str
) -> None:
    with monkeypatch.context() as changed:
        changed.setenv("DOCKER_HOST", host)
        result = demo.run(server("a"))
        predicted = demo.run(server("a"), check=True)
    assert words in result["msg"]
    assert result["msg"].endswith("Nothing was changed.")
    assert (predicted["failed"], predicted["started"]) == (False, ["a"])
    assert words in json.dumps(predicted["warnings"])


def test_missing_docker_is_refused_and_teardown_passes(
    demo: ComposeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as changed:
        changed.setenv("PATH", "/nonexistent")
        assert "This host has no docker command" in demo.run(server("a"))["msg"]
        assert demo.teardown()["changed"] is False


# The document, as compose reads it


def test_compose_reads_the_document_as_planned(demo: ComposeProject) -> None:
    hard = 'both " and \' $HOME ${X:-y} $$ %s ; # \\ {"json": [1]}'
    workload = replace(
        server("app", 8080, 18080),
        command=("python3", hard),
        environment={"HARD": hard},
        hostname="app-host",
        cpus=0.5,
        aliases=("alias",),
        probe=Probe("http", 8080, "/", ("sh", "-c", hard)),
        digest="abc",
    )
    sharer = server("sharer", 9000, 19000, network="app", aliases=("shared",))
    document = json.dumps(compose("lab", [workload, sharer], "127.0.0.1"))
    where = ["--project-directory", str(demo.folder), "--file", "-"]
    services = json.loads(docker("compose", *where, "config", "--format", "json", stdin=document))["services"]
    app = services["app"]
    unescaped = hard.replace("$", "$$")  # compose config escapes it as a file does
    assert app["command"] == [unescaped]
    assert app["environment"] == {"HARD": unescaped, "MESHLAB_ENVOY_DIGEST": "abc"}
    assert app["healthcheck"]["test"] == ["CMD", "sh", "-c", unescaped]
    assert (app["entrypoint"], app["hostname"], float(app["cpus"])) == (["python3"], "app-host", 0.5)
    assert int(app["mem_limit"]) == 64 << 20
    assert app["networks"]["default"]["aliases"] == ["alias", "shared"]
    assert {(one["host_ip"], one["published"], one["target"]) for one in app["ports"]} == {
        ("127.0.0.1", "18080", 8080),
        ("127.0.0.1", "19000", 9000),
    }
    assert app["volumes"][0]["source"] == str(demo.folder / "app")
    assert services["sharer"]["network_mode"] == "service:app"
    assert services["sharer"]["depends_on"]["app"]["restart"] is True
