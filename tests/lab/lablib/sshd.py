# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An SSH server on 127.0.0.1 for tests of playbooks that connect over SSH."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import pwd
import shutil
import socket
import tempfile
from pathlib import Path

from . import debian
from .base import STATE, LabError, require_root, run, wait_until, which, write_whole
from .processes import Process, stop_pid

#: the user without permissions that `up --unprivileged` creates and `down` removes
UNPRIVILEGED = "meshlab-lab"
_RECORD = STATE / "sshd.json"
_SEPARATION = Path("/run/sshd")  # sshd of root requires this empty folder
process = Process("sshd")


def up(unprivileged: bool) -> None:
    """Start the server, with the unprivileged user if requested."""
    record = _read()
    if process.pid is None or (unprivileged and not record.get("unprivileged")):
        down()
        _start(unprivileged)


def down() -> None:
    """Stop the server and its connections, and remove its files and the user."""
    record = _read()
    if not record:
        return
    if process.pid is not None:
        # Children of the listener serve open connections, and do not end with it.
        children = _children(process.pid)
        process.stop()
        for child in children:
            stop_pid(child, 10, still_ours=lambda: True)
    if record["unprivileged"]:
        _remove_user()
    if record["made_separation"]:
        with contextlib.suppress(OSError):
            _SEPARATION.rmdir()
    shutil.rmtree(record["folder"], ignore_errors=True)
    _RECORD.unlink(missing_ok=True)


def variables() -> dict:
    """Return the variables that a test needs to connect; {} if the server does not run."""
    record = _read()
    if not record or process.pid is None:
        return {}
    folder = Path(record["folder"])
    found = {
        "MESHLAB_SSHD_HOST": "127.0.0.1",
        "MESHLAB_SSHD_PORT": record["port"],
        "MESHLAB_SSHD_USER": getpass.getuser(),
        "MESHLAB_SSHD_KEY": folder / "client_key",
        "MESHLAB_SSHD_KNOWN_HOSTS": folder / "known_hosts",
        "MESHLAB_SSHD_CONFIG": folder / "ssh_config",
    }
    if record["unprivileged"]:
        found["MESHLAB_SSHD_UNPRIVILEGED_USER"] = UNPRIVILEGED
    return found


def _read() -> dict:
    try:
        return json.loads(_RECORD.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


def _start(unprivileged: bool) -> None:
    debian.require("sshd", "ssh-keygen", *(["useradd"] if unprivileged else []))
    if unprivileged:
        require_root(f"create the user {UNPRIVILEGED}")
        with contextlib.suppress(KeyError):
            pwd.getpwnam(UNPRIVILEGED)
            raise LabError(
                f"The user {UNPRIVILEGED} exists, but the lab did not create it. Remove it with `userdel {UNPRIVILEGED}`."
            )
    # Not below STATE: sshd reads authorized_keys as the user of the connection, which may have no access to the home folder.
    folder = Path(tempfile.mkdtemp(prefix="meshlab-sshd-"))
    folder.chmod(0o755)
    makes_separation = os.geteuid() == 0 and not _SEPARATION.exists()
    port = _free_port()
    record = {
        "folder": str(folder),
        "port": port,
        "unprivileged": unprivileged,
        "made_separation": makes_separation,
    }
    write_whole(_RECORD, json.dumps(record))
    if makes_separation:
        _SEPARATION.mkdir(mode=0o755)
    if unprivileged:
        # '*' sets no password without locking the account; sshd rejects a locked account, which has '!'.
        run(
            [
                which("useradd"),
                "--system",
                "--password",
                "*",
                "--shell",
                "/bin/sh",
                "--create-home",
                "--home-dir",
                folder / "home",
                UNPRIVILEGED,
            ]
        )
    for key in ("host_key", "client_key"):
        run(
            [
                "ssh-keygen",
                "-q",
                "-t",
                "ed25519",
                "-N",
                "",
                "-C",
                f"meshlab.envoy lab {key}",
                "-f",
                folder / key,
            ]
        )
    shutil.copyfile(folder / "client_key.pub", folder / "authorized_keys")
    public = (folder / "host_key.pub").read_text(encoding="utf-8")
    write_whole(folder / "known_hosts", f"[127.0.0.1]:{port} {public}")
    users = [getpass.getuser(), *([UNPRIVILEGED] if unprivileged else [])]
    write_whole(folder / "sshd_config", _server_config(folder, port, users))
    write_whole(folder / "ssh_config", _client_config(folder, port))
    process.start([which("sshd"), "-D", "-e", "-f", folder / "sshd_config"], ready=lambda: _greets(port))


def _server_config(folder: Path, port: int, users: list) -> str:
    return f"""\
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
AllowUsers {" ".join(users)}
PidFile none
# the parent folder may be writable for all users, as /tmp is
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
MaxStartups 100
MaxSessions 100
Subsystem sftp internal-sftp
"""


def _client_config(folder: Path, port: int) -> str:
    return f"""\
# ssh -F this-file lab            the user who started the server
# ssh -F this-file unprivileged   the user without permissions, if created
Host unprivileged
  User {UNPRIVILEGED}
Host lab
  User {getpass.getuser()}
Host *
  HostName 127.0.0.1
  Port {port}
  IdentityFile {folder}/client_key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  StrictHostKeyChecking yes
"""


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def _greets(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _children(parent: int) -> list:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError):
            if int(stat.read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()[1]) == parent:
                found.append(int(stat.parent.name))
    return found


def _remove_user() -> None:
    try:
        uid = pwd.getpwnam(UNPRIVILEGED).pw_uid
    except KeyError:
        return

    def running() -> list:
        return [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if _owner(folder) == uid]

    for pid in running():
        stop_pid(pid, 5, still_ours=lambda pid=pid: _owner(Path(f"/proc/{pid}")) == uid)
    wait_until(
        lambda: not running(), 5, lambda: f"The processes {running()} of the user {UNPRIVILEGED} do not end."
    )
    run([which("userdel"), UNPRIVILEGED])


def _owner(folder: Path) -> int | None:
    try:
        return folder.stat().st_uid
    except OSError:
        return None
