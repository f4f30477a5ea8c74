# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Homes whose playbooks reach a host through the SSH server of the lab."""

from __future__ import annotations

import fcntl
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import yaml
from live import ROOT, Home

SSHD = str(ROOT / "tests" / "lab" / "sshd")
# Two lock files: of a process that starts or stops the server, and of the processes that use it. The latter has a text if tests started it.
CHANGE, USE = (ROOT / "build" / "cache" / f"sshd-{name}.lock" for name in ("change", "use"))


@contextmanager
def ssh_server() -> Iterator[dict[str, str]]:
    """Start the SSH server of the lab with its unprivileged user; yield its variables. Only root can.

    Several files of tests use it at the same time. The last one stops it, unless it ran before.
    """

    def variables(*arguments: str) -> dict[str, str]:
        ran = subprocess.run([SSHD, *arguments], stdout=subprocess.PIPE, text=True, check=True, timeout=120)
        return dict(re.findall(r"^export (\w+)=(.*)$", ran.stdout, re.MULTILINE))

    USE.parent.mkdir(parents=True, exist_ok=True)
    with CHANGE.open("a") as change, USE.open("a+") as use:
        fcntl.flock(change, fcntl.LOCK_EX)
        fcntl.flock(use, fcntl.LOCK_SH)
        if "MESHLAB_SSHD_UNPRIVILEGED_USER" not in variables("env"):
            use.write("started by tests")
            use.flush()
        found = variables("up", "--unprivileged")
        fcntl.flock(change, fcntl.LOCK_UN)
        try:
            yield found
        finally:
            fcntl.flock(change, fcntl.LOCK_EX)
            with suppress(BlockingIOError):  # others use it
                fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if USE.read_text():
                    subprocess.run([SSHD, "down"], check=True, timeout=120)
                    use.truncate(0)


def remote_home(platform: str, host: str, sshd: dict[str, str], python: str = "/usr/bin/python3") -> Home:
    """Return a home whose playbooks reach the host over SSH, and whose controller has no Docker."""
    home = Home(platform)
    inventory = home.folder / "inventory" / "hosts.yml"
    inventory.parent.mkdir()
    connection = {
        "ansible_host": host,
        "ansible_ssh_common_args": f"-F {sshd['MESHLAB_SSHD_CONFIG']}",
        "ansible_python_interpreter": python,
        "deployment_platform": platform,
    }
    inventory.write_text(yaml.safe_dump({"envoy_hosts": {"hosts": {"remote": connection}}}), encoding="utf-8")
    home.inventory = str(inventory)
    home.variables = {}
    home.environment |= {
        "DOCKER_HOST": f"unix://{home.folder}/missing.sock",
        # No connection outlives the test by more than 5 s.
        "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=5s",
    }
    return home
