# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Podman's Docker-compatible service in a folder of its own, as root or as a user that exists only for the test."""

from __future__ import annotations

import os
import pwd
import resource
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_process import (
    wait_until,
)

USER = "meshlab-podman"
TUN = Path("/dev/net/tun")


@contextmanager
def podman_service(user: str = "root") -> Iterator[str]:
    """Start Podman's service as `user`; yield the value of DOCKER_HOST. Only root can.

    Nothing of it is left: its containers, images, processes and firewall rules are removed.
    """
    folder = Path(tempfile.mkdtemp(prefix="meshlab-podman-", dir="/tmp"))
    account = pwd.getpwnam(user)
    os.chown(folder, account.pw_uid, account.pw_gid)
    environment = _environment(folder, account)
    storage = ["--root", str(folder / "storage"), "--runroot", str(folder / "run")]
    podman = ["podman", *storage]
    address = f"unix://{folder}/podman.sock"
    command = [*podman, "system", "service", "--time=0", address]
    log = (folder / "log").open("wb")
    service = subprocess.Popen(
        _as(user, command),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd="/",
        start_new_session=True,
    )
    try:
        wait_until(lambda: (folder / "podman.sock").exists() or service.poll() is not None, 60)
        assert service.poll() is None, (folder / "log").read_text()
        yield address
    finally:
        for arguments in (["rm", "--all", "--force", "--time", "0"], ["network", "prune", "--force"]):
            subprocess.run(
                _as(user, [*podman, *arguments]), env=environment, cwd="/", capture_output=True, check=False
            )
        with suppress(ProcessLookupError):
            os.killpg(service.pid, signal.SIGTERM)
        service.wait(30)
        if user == "root":
            _remove_firewall_rules()
        subprocess.run(["umount", str(folder / "storage/overlay")], capture_output=True, check=False)
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def unprivileged_user() -> Iterator[str]:
    """Create a user with subordinate ids, and allow it the network device that rootless Podman needs."""
    mode = TUN.stat().st_mode & 0o777
    subprocess.run(["useradd", "--create-home", USER], check=True)
    TUN.chmod(0o666)
    try:
        yield USER
    finally:
        TUN.chmod(mode)
        # The pause process of rootless Podman stays until it is ended.
        subprocess.run(["pkill", "--signal", "KILL", "--uid", USER], check=False)
        wait_until(lambda: not _has_processes(USER), 60)
        subprocess.run(["userdel", "--remove", USER], check=True, capture_output=True)


def _environment(folder: Path, account: pwd.struct_passwd) -> dict[str, str]:
    """Return the environment of Podman, with the registry of the lab as the mirror of Docker Hub."""
    registry = os.environ["MESHLAB_LAB_REGISTRY"]
    (folder / "registries.conf").write_text(
        'unqualified-search-registries = ["docker.io"]\n[[registry]]\nlocation = "docker.io"\n'
        f'[[registry.mirror]]\nlocation = "{registry}"\ninsecure = true\n'
    )
    # By default, Podman raises the limits of containers, for which some virtual machines lack the permission. It lowers its own limit of
    # processes to the highest process id.
    limits = {
        "nofile": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        "nproc": int(Path("/proc/sys/kernel/pid_max").read_text()),
    }
    ulimits = ", ".join(f'"{name}={limit}:{limit}"' for name, limit in limits.items())
    (folder / "containers.conf").write_text(f"[containers]\ndefault_ulimits = [{ulimits}]\n")
    return {
        "PATH": os.environ["PATH"],
        "HOME": account.pw_dir,
        "XDG_RUNTIME_DIR": str(folder),
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "CONTAINERS_REGISTRIES_CONF": str(folder / "registries.conf"),
    }


def _has_processes(user: str) -> bool:
    return not subprocess.run(["pgrep", "--uid", user], capture_output=True, check=False).returncode


def _as(user: str, command: list[str]) -> list[str]:
    if user == "root":
        return command
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", *command]


def _remove_firewall_rules() -> None:
    """Remove the chains of Podman's network program, which it never removes itself."""
    for table in ("nat", "filter"):
        lines = subprocess.run(
            ["iptables-save", "-t", table], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        rules = [shlex.split(line) for line in lines if line.startswith("-A ") and "NETAVARK" in line]
        chains = [line[1:].split()[0] for line in lines if line.startswith(":NETAVARK")]
        for rule in rules:
            subprocess.run(["iptables", "-w", "-t", table, "-D", *rule[1:]], check=False)
        for chain in chains:
            subprocess.run(["iptables", "-w", "-t", table, "-X", chain], check=False)
