# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Docker that the tests use: a running one, or else a daemon of the lab."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import socket as socketlib
from pathlib import Path

from . import debian, machine, registry
from .base import STATE, LabError, log, require_root, run, wait_until, which, write_whole
from .processes import Process, commands, identity

_DEFAULT_SOCKET = Path("/var/run/docker.sock")
_OWN_SOCKET = STATE / "docker.sock"
_DATA = STATE / "docker"
_EXEC = STATE / "run"
_PID_FILE = STATE / "docker.pid"
_CONFIG = STATE / "daemon.json"
_BEFORE = STATE / "before.json"
_PLUGIN = Path("/usr/local/lib/docker/cli-plugins/docker-compose")
process = Process("dockerd")


def answers(environment: dict | None = None) -> bool:
    """Return whether a Docker daemon answers `docker version`."""
    if not which("docker"):
        return False
    return not run(
        ["docker", "version", "--format", "{{.Server.Version}}"], check=False, env=environment
    ).returncode


def has_compose() -> bool:
    """Return whether `docker compose` works."""
    return not run(["docker", "compose", "version"], check=False).returncode


def is_ours() -> bool:
    """Return whether the lab's daemon runs."""
    return process.pid is not None


def has_state() -> bool:
    """Return whether the lab's daemon runs, or has left files."""
    return _BEFORE.exists()


def socket() -> Path:
    """Return the socket of the lab's daemon: the default path, unless it was in use before."""
    return _OWN_SOCKET if _before()["socket_taken"] else _DEFAULT_SOCKET


def listens_at_default_socket() -> bool:
    """Return whether clients find the lab's daemon without DOCKER_HOST."""
    return socket() == _DEFAULT_SOCKET


def environment() -> dict:
    """Return the environment for clients of the lab's daemon, without the DOCKER_HOST and context of the user."""
    own = {name: value for name, value in os.environ.items() if name not in ("DOCKER_HOST", "DOCKER_CONTEXT")}
    return {**own, "DOCKER_HOST": f"unix://{socket()}"}


def up() -> None:
    """Start the registry and the daemon, install the compose plugin, and build the images, unless done already."""
    require_root("start a Docker daemon")
    debian.require(
        "docker", "dockerd", "iptables", "iptables-save", "ip", "docker-registry"
    )  # one installation
    registry.up()
    _start()
    if not has_compose():
        _install_compose()
    registry.fill(["docker"], environment())


def down() -> None:
    """Remove every container and network, stop the daemon, and restore what it changed on this machine."""
    if not _BEFORE.exists():  # the daemon never started
        return
    require_root("stop the lab's Docker daemon")
    if process.pid is None and any((_DATA / "containers").glob("*")):
        # The daemon died. Only a daemon can remove its containers, so it starts once more.
        _start()
    if process.pid is not None:
        containers = _docker("ps", "--all", "--quiet").split()
        if containers:
            _docker("rm", "--force", "--volumes", *containers)
        _docker("network", "prune", "--force")
        process.stop(60)
    _restore()
    # The shims of containers end shortly after dockerd.
    wait_until(
        lambda: not _still_running(),
        10,
        lambda: f"Processes of the lab's Docker still run after 10 s: {_still_running()}.",
    )
    machine.remove_strays("docker")
    machine.remove_empty(Path("/sys/fs/cgroup").glob("*/docker"))
    shutil.rmtree(_DATA, ignore_errors=True)
    shutil.rmtree(_EXEC, ignore_errors=True)
    for path in (_CONFIG, _PID_FILE, _OWN_SOCKET, _BEFORE):
        path.unlink(missing_ok=True)


def _docker(*arguments: str) -> str:
    return run(["docker", *arguments], check=False, env=environment()).stdout


def _start() -> None:
    if process.pid is not None:
        return
    machine.remember()
    if not _BEFORE.exists():
        write_whole(_BEFORE, json.dumps(_current_state()))
    if len(str(_EXEC)) > 60:
        raise LabError(
            f"The path {STATE} is too long for Unix sockets. Set MESHLAB_LAB_STATE to a shorter path."
        )
    # A killed daemon leaves these files, and dockerd takes a zombie with the same id for a running daemon.
    for leftover in (_PID_FILE, _EXEC / "containerd/containerd.pid"):
        if leftover.exists() and identity(int(leftover.read_text(encoding="utf-8"))) is None:
            leftover.unlink()
    config = {
        "data-root": str(_DATA),
        "exec-root": str(_EXEC),
        "pidfile": str(_PID_FILE),
        "hosts": [f"unix://{socket()}"],
        "registry-mirrors": [f"http://{registry.ADDRESS}"],
    }
    write_whole(_CONFIG, json.dumps(config, indent=2))
    log(f"starting dockerd on {socket()}")
    process.start(["dockerd", "--config-file", _CONFIG], ready=lambda: answers(environment()), seconds=60)


def _install_compose() -> None:
    """Install the plugin for every user of this machine, so that Ansible over SSH finds it too."""
    source = debian.compose_plugin()
    _PLUGIN.parent.mkdir(parents=True, exist_ok=True)
    new = _PLUGIN.with_name(".docker-compose.lab")
    shutil.copyfile(source, new)
    new.chmod(0o755)
    new.replace(_PLUGIN)
    if not has_compose():
        raise LabError(f"`docker compose version` fails although {_PLUGIN} exists.")


# --- the previous state of the machine, and its restoration ---


def _current_state() -> dict:
    rules = run([which("iptables-save"), "-t", "filter"]).stdout
    return {
        "socket_taken": _socket_taken(),
        "compose": _PLUGIN.exists(),
        "compose_folders": [str(folder) for folder in list(_PLUGIN.parents)[:3] if folder.exists()],
        "bridge": Path("/sys/class/net/docker0").exists(),
        "forward_dropped": ":FORWARD DROP" in rules,
    }


def _socket_taken() -> bool:
    """Return whether a program uses the default socket: a killed daemon leaves a file that refuses connections."""
    with contextlib.closing(socketlib.socket(socketlib.AF_UNIX)) as client:
        client.settimeout(5)
        try:
            client.connect(str(_DEFAULT_SOCKET))
        except (FileNotFoundError, ConnectionRefusedError):
            return _DEFAULT_SOCKET.is_symlink()
        except OSError:
            return True
    return True


def _before() -> dict:
    return json.loads(_BEFORE.read_text(encoding="utf-8")) if _BEFORE.exists() else _current_state()


def _restore() -> None:
    before = _before()
    machine.unmount(_DATA, _EXEC)
    if not before["bridge"]:
        run([which("ip"), "link", "delete", "docker0"], check=False)
    _remove_rules(forward_dropped=before["forward_dropped"])
    if not before["socket_taken"]:
        _DEFAULT_SOCKET.unlink(missing_ok=True)
    if not before["compose"]:
        _PLUGIN.unlink(missing_ok=True)
        machine.remove_empty(
            folder for folder in list(_PLUGIN.parents)[:3] if str(folder) not in before["compose_folders"]
        )


def _remove_rules(forward_dropped: bool) -> None:
    """Remove the rules and chains of dockerd, and keep all other rules."""
    iptables, save = which("iptables"), which("iptables-save")
    for table in ("nat", "filter"):
        lines = run([save, "-t", table]).stdout.splitlines()
        rules = [shlex.split(line) for line in lines if line.startswith("-A ")]
        chains = [line[1:].split()[0] for line in lines if line.startswith(":DOCKER")]
        for rule in rules:
            if rule[1] in chains or any(part in chains or part == "docker0" for part in rule):
                run([iptables, "-w", "-t", table, "-D", *rule[1:]], check=False)
        for chain in chains:
            run([iptables, "-w", "-t", table, "-X", chain], check=False)
        if table == "filter" and not forward_dropped and chains:
            run([iptables, "-w", "-P", "FORWARD", "ACCEPT"], check=False)


def _still_running() -> list:
    return [
        pid
        for pid, command in commands()
        if Path(command[0]).name.startswith(("dockerd", "containerd"))
        and any(argument.startswith((f"{_CONFIG}", f"{_EXEC}/")) for argument in command)
    ]
