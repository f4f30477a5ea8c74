# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of what the lab does with the leftovers of another lab, all of whose processes were killed."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from program_output import printed_by

LAB = Path(__file__).parent


def in_lab(tmp_path: Path, program: str, *, prefix: tuple[str, ...] = ()) -> str:
    """Return what a Python program prints that uses the lab's modules, with a state folder of its own."""
    environment = {**os.environ, "MESHLAB_LAB_STATE": str(tmp_path / "state")}
    return printed_by([*prefix, sys.executable, "-c", program], environment, cwd=LAB)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can create links")
def test_links_and_routes_of_killed_pods_are_removed(tmp_path: Path) -> None:
    program = """
from lablib import node
from lablib.base import run
address = node.PODS[96]
run(["ip", "link", "add", "veth-dead", "type", "veth", "peer", "name", "eth-dead"])
run(["ip", "link", "set", "veth-dead", "up"])
run(["ip", "route", "add", address, "dev", "veth-dead", "scope", "host"])
assert "veth-dead" in node._ip("route", "show", "root", node.PODS)
node._remove_pod_links()
print(node._ip("route", "show", "root", node.PODS) or "none", node._pod_processes())
"""
    assert in_lab(tmp_path, program, prefix=("unshare", "--net")).startswith("none ")


def test_socket_of_a_killed_daemon_is_free(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    program = f"""
from pathlib import Path
from lablib import docker
docker._DEFAULT_SOCKET = Path({str(path)!r})
print(docker._socket_taken())
"""
    assert in_lab(tmp_path, program) == "False"
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(str(path))
        server.listen()
        assert in_lab(tmp_path, program) == "True"
    assert path.exists()
    assert in_lab(tmp_path, program) == "False"


def test_lab_with_another_state_folder_is_found(tmp_path: Path) -> None:
    other = tmp_path / "other/kubernetes/containerd/config.toml"
    program = "from lablib import node; print(dict(node._other_containerds()))"
    assert str(other) not in in_lab(tmp_path, program)
    # A fake containerd, which ends when its standard input is closed.
    fake = [sys.executable, "-c", "import sys; sys.stdin.read()", "--config", str(other)]
    with subprocess.Popen(
        ["containerd", *fake[1:]], executable=sys.executable, stdin=subprocess.PIPE
    ) as process:
        assert f"{process.pid}: '{other}'" in in_lab(tmp_path, program)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_mounts_of_killed_daemons_are_removed(tmp_path: Path) -> None:
    data = tmp_path / "docker"
    (data / "overlay").mkdir(parents=True)
    program = f"""
from pathlib import Path
from lablib import machine
from lablib.base import run
data = Path({str(data)!r})
run(["mount", "--bind", data, data])
run(["mount", "-t", "tmpfs", "tmpfs", data / "overlay"])
machine.unmount(data)
print(str(data) in Path("/proc/self/mountinfo").read_text())
"""
    assert in_lab(tmp_path, program, prefix=("unshare", "--mount")) == "False"
