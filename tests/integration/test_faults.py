# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems that are found before anything is changed, each with one sentence that names the problem and what to do."""

from __future__ import annotations

import os
import re
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from deployment import take_down
from live import PLATFORMS, Home, docker

Data = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """A problem, made by a changed demo or by variables, and the pattern of its error."""

    name: str
    error: str
    demo: Data = field(default_factory=dict)
    variables: Data = field(default_factory=dict)
    platforms: tuple[str, ...] = PLATFORMS


BAD_FILTER = {
    "name": "envoy.filters.http.fault",
    "typed_config": {"@type": "type.googleapis.com/envoy.NoSuchFilter"},
}

FAULTS = [
    Fault(
        "a misspelt key",
        r"front_proxy\.yml.*: proxies\.edge\.listeners\.http: unknown key 'rotes'\. Did you mean 'routes'\?",
        demo={"proxies": {"edge": {"listeners": {"http": {"rotes": []}}}}},
    ),
    Fault(
        "a demo that does not exist",
        r"unknown demo 'front_porxy'\. Did you mean 'front_proxy'\?",
        variables={"demo": "front_porxy"},
    ),
    Fault(
        "an Envoy that is not supported",
        r"Envoy 1\.30\.0 is not supported\. Use one of 1\.36\.\d+, .* 1\.40\.\d+, or another patch version of these",
        variables={"envoy_image_version": "1.30.0"},
    ),
    Fault(
        "a filter that Envoy does not have",
        r"front_proxy\.yml, line \d+: proxies\.edge\.listeners\.http\.http_filters\[0\].*: edge: Envoy refuses it:"
        r" could not find @type .*NoSuchFilter'\. .*Nothing was changed\. Refused: .*/\.refused/edge\.yaml\.",
        demo={"proxies": {"edge": {"listeners": {"http": {"http_filters": [BAD_FILTER]}}}}},
    ),
    Fault(
        "an image that cannot be pulled",
        r"meshlab/no-such-envoy:v1\.40\.0: the (image does not exist|registry cannot be reached).* Nothing was changed",
        variables={"envoy_image_repository": "localhost:5000/meshlab/no-such-envoy"},
        platforms=("docker",),
    ),
    *(
        Fault(
            f"a binary that is {kind}",
            rf"{path} is not Envoy 1\.40\.0 \(.*{reason}.*\)\. Choose another one, or set envoy_image_version to its version\. "
            "Nothing was changed",
            variables={"envoy_image_source": "path", "envoy_image_path": path},
            platforms=("local",),
        )
        for kind, path, reason in [
            ("another program", "/bin/true", "coreutils"),
            ("a text file", "{folder}/text", "the file is not an executable for this machine"),
            ("not executable", "{folder}/plain", "the file is not executable"),
            ("missing", "{folder}/nothing", "the file does not exist"),
        ]
    ),
]


@pytest.fixture(scope="module", params=PLATFORMS)
def home(request: pytest.FixtureRequest) -> Iterator[Home]:
    """Return a home where front_proxy runs."""
    one = Home(request.param)
    demo = one.demo("front_proxy")
    (one.folder / "text").write_text("hello\n")
    (one.folder / "text").chmod(0o755)
    (one.folder / "plain").write_text("hello\n")
    one.play("site", demo=demo)
    yield one
    take_down(one, "front_proxy")
    one.close()


@contextmanager
def nothing_changes(home: Home) -> Iterator[None]:
    """Check that state folder, processes and containers do not change, and that the demo answers."""
    before = everything(home)
    yield
    after = everything(home)
    assert {key for key in {*before, *after} if before.get(key) != after.get(key)} == set()
    with urllib.request.urlopen(f"http://127.0.0.1:{8080 + home.shift}/service/1", timeout=5) as answer:
        assert answer.status == 200


def everything(home: Home) -> dict[str, Any]:
    files = {
        str(path): (path.stat().st_mtime_ns, path.read_bytes())
        for path in home.state("front_proxy").rglob("*")
        if path.is_file() and path.name != ".lock" and path.suffix != ".log" and ".refused" not in path.parts
    }
    left = [one for one in home.remaining("front_proxy") if "/.refused/" not in one]
    return {"left": left, **files}


def test_fault_is_refused_before_any_change(home: Home, subtests: pytest.Subtests) -> None:
    for fault in FAULTS:
        if home.platform not in fault.platforms:
            continue
        with subtests.test(fault.name), nothing_changes(home):
            variables = {key: value.format(folder=home.folder) for key, value in fault.variables.items()}
            demo = home.demo("front_proxy", **fault.demo)
            error = home.play("site", ok=False, **{"demo": demo, **variables}).error
            pattern = fault.error.replace("{folder}", str(home.folder))
            assert re.search(pattern, error), error


def refused_for_port(home: Home, port: int, by: str) -> None:
    listener = {
        "port": port,
        "publish": port,
        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "service1"}}],
    }
    demo = home.demo("front_proxy", proxies={"edge": {"listeners": {"more": listener}}})
    with nothing_changes(home):
        error = home.play("site", ok=False, demo=demo).error
        pattern = (
            rf"port {port} of edge is used by {by}\. Stop it, or choose another port\. Nothing was changed\."
        )
        assert re.search(pattern, error), error


def test_port_of_a_process_is_refused(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused_for_port(home, taken.getsockname()[1], rf"process {os.getpid()} \(.*\)")


def test_port_of_a_container_is_refused(home: Home) -> None:
    image = "python:3.11-slim-bookworm"
    name = f"{home.prefix}-taken"
    server = ["python3", "-m", "http.server", "8000"]
    docker("run", "--detach", "--rm", "--name", name, "--publish", "127.0.0.1::8000", image, *server)
    try:
        port = int(docker("port", name, "8000/tcp")[0].rpartition(":")[2])
        # Whether a process of Docker or the kernel listens for a container depends on the version of Docker.
        refused_for_port(home, port, f"container {name}" if home.platform == "docker" else ".*process.*")
    finally:
        docker("rm", "--force", name)


def test_missing_docker_daemon_is_refused(tmp_path: Path) -> None:
    home = Home("docker")
    home.environment["DOCKER_HOST"] = f"unix://{tmp_path}/dead.sock"
    try:
        error = home.play("site", ok=False, demo=home.demo("fault_injection")).error
        assert "The Docker daemon does not answer. Start it, or set DOCKER_HOST to its address" in error, (
            error
        )
        assert home.remaining("fault_injection") == []
    finally:
        home.close()
