# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Docker that the tests use: one that answers already, else a daemon of the lab's own."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
from pathlib import Path

from . import debian, machine, registry
from .base import STATE, LabError, need_root, run, say, wait_until, which, write_whole
from .processes import Process, identity

_USUAL_SOCKET = Path("/var/run/docker.sock")
_OWN_SOCKET = STATE / "docker.sock"
_DATA = STATE / "docker"
_EXEC = STATE / "run"
_PID_FILE = STATE / "docker.pid"
_CONFIG = STATE / "daemon.json"
_BEFORE = STATE / "before.json"
_PLUGIN = Path("/usr/local/lib/docker/cli-plugins/docker-compose")
process = Process("dockerd")


def answers(environment: dict | None = None) -> bool:
    """Whether a Docker daemon answers, asked as any other client asks."""
    if not which("docker"):
        return False
    return not run(
        ["docker", "version", "--format", "{{.Server.Version}}"], check=False, env=environment
    ).returncode


def has_compose() -> bool:
    return not run(["docker", "compose", "version"], check=False).returncode


def is_ours() -> bool:
    return process.pid is not None


def is_there() -> bool:
    """Whether something of the lab's own daemon is there, be it what a dead one left."""
    return _BEFORE.exists()


def socket() -> Path:
    """Where the lab's own daemon listens: the usual place, unless something was there before."""
    return _OWN_SOCKET if _before()["socket_taken"] else _USUAL_SOCKET


def listens_at_usual_place() -> bool:
    return socket() == _USUAL_SOCKET


def environment() -> dict:
    """The environment to ask the lab's own daemon, whatever DOCKER_HOST or context the person has set."""
    own = {name: value for name, value in os.environ.items() if name not in ("DOCKER_HOST", "DOCKER_CONTEXT")}
    return {**own, "DOCKER_HOST": f"unix://{socket()}"}


def up() -> None:
    """Start what does not run yet: registry, daemon, compose plugin, images."""
    need_root("start a Docker daemon")
    debian.need("docker", "dockerd", "iptables", "iptables-save", "ip", "docker-registry")  # in one go
    registry.up()
    _start()
    if not has_compose():
        _install_compose()
    registry.fill(["docker"], environment())


def down() -> None:
    """Remove every container and network, stop the daemon, and put back what it changed on this machine."""
    if not _BEFORE.exists():  # it never came to starting the daemon
        return
    need_root("stop the lab's Docker daemon")
    if process.pid is None and any((_DATA / "containers").glob("*")):
        # It died without clearing up: only a daemon can remove what it left, so let it run once more.
        _start()
    if process.pid is not None:
        containers = _ask("ps", "--all", "--quiet").split()
        if containers:
            _ask("rm", "--force", "--volumes", *containers)
        _ask("network", "prune", "--force")
        process.stop(60)
    _put_back()
    # Containers' shims end a moment after dockerd.
    wait_until(
        lambda: not _still_running(),
        10,
        lambda: f"These processes of the lab's Docker still run: {_still_running()}.",
    )
    machine.remove_strays("docker")
    machine.remove_empty(Path("/sys/fs/cgroup").glob("*/docker"))
    shutil.rmtree(_DATA, ignore_errors=True)
    shutil.rmtree(_EXEC, ignore_errors=True)
    for path in (_CONFIG, _PID_FILE, _OWN_SOCKET, _BEFORE):
        path.unlink(missing_ok=True)


def _ask(*words: str) -> str:
    return run(["docker", *words], check=False, env=environment()).stdout


def _start() -> None:
    if process.pid is not None:
        return
    machine.remember()
    if not _BEFORE.exists():
        write_whole(_BEFORE, json.dumps(_look_around()))
    if len(str(_EXEC)) > 60:
        raise LabError(
            f"{STATE} is too long a path for the sockets in it: set MESHLAB_LAB_STATE to a shorter one."
        )
    # A daemon that was killed leaves these, and a zombie of that number would pass for it.
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
    say(f"starting dockerd on {socket()}")
    process.start(["dockerd", "--config-file", _CONFIG], ready=lambda: answers(environment()), seconds=60)


def _install_compose() -> None:
    """For every user of this machine, so that Ansible over SSH has it too."""
    source = debian.compose_plugin()
    _PLUGIN.parent.mkdir(parents=True, exist_ok=True)
    new = _PLUGIN.with_name(".docker-compose.lab")
    shutil.copyfile(source, new)
    new.chmod(0o755)
    new.replace(_PLUGIN)
    if not has_compose():
        raise LabError(f"`docker compose version` fails although {_PLUGIN} is there.")


# --- what was on the machine before, and how it comes back ---


def _look_around() -> dict:
    rules = run([which("iptables-save"), "-t", "filter"]).stdout
    return {
        "socket_taken": os.path.lexists(_USUAL_SOCKET),
        "compose": _PLUGIN.exists(),
        "compose_folders": [str(folder) for folder in list(_PLUGIN.parents)[:3] if folder.exists()],
        "bridge": Path("/sys/class/net/docker0").exists(),
        "forward_dropped": ":FORWARD DROP" in rules,
    }


def _before() -> dict:
    return json.loads(_BEFORE.read_text(encoding="utf-8")) if _BEFORE.exists() else _look_around()


def _put_back() -> None:
    before = _before()
    machine.unmount_below(_DATA, _EXEC)
    if not before["bridge"]:
        run([which("ip"), "link", "delete", "docker0"], check=False)
    _remove_rules(forward_dropped=before["forward_dropped"])
    if not before["socket_taken"]:
        _USUAL_SOCKET.unlink(missing_ok=True)
    if not before["compose"]:
        _PLUGIN.unlink(missing_ok=True)
        machine.remove_empty(
            folder for folder in list(_PLUGIN.parents)[:3] if str(folder) not in before["compose_folders"]
        )


def _remove_rules(forward_dropped: bool) -> None:
    """Take out the rules and chains that dockerd made, and leave everybody else's alone."""
    iptables, save = which("iptables"), which("iptables-save")
    for table in ("nat", "filter"):
        lines = run([save, "-t", table]).stdout.splitlines()
        rules = [shlex.split(line) for line in lines if line.startswith("-A ")]
        chains = [line[1:].split()[0] for line in lines if line.startswith(":DOCKER")]
        for rule in rules:
            if rule[1] in chains or any(word in chains or word == "docker0" for word in rule):
                run([iptables, "-w", "-t", table, "-D", *rule[1:]], check=False)
        for chain in chains:
            run([iptables, "-w", "-t", table, "-X", chain], check=False)
        if table == "filter" and not forward_dropped and chains:
            run([iptables, "-w", "-P", "FORWARD", "ACCEPT"], check=False)


def _still_running() -> list:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            program = Path(words[0]).name
            if program.startswith(("dockerd", "containerd")) and any(
                word.startswith((f"{_CONFIG}", f"{_EXEC}/")) for word in words
            ):
                found.append(int(folder.name))
    return found
