# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Homes whose playbooks reach a host through the SSH server of the lab."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import yaml
from live import ROOT, Home

SSHD = str(ROOT / "tests" / "lab" / "sshd")


@contextmanager
def ssh_server() -> Iterator[dict[str, str]]:
    """Start the SSH server of the lab with its unprivileged user; yield its variables. Only root can."""

    def variables(*arguments: str) -> dict[str, str]:
        ran = subprocess.run([SSHD, *arguments], stdout=subprocess.PIPE, text=True, check=True, timeout=120)
        return dict(re.findall(r"^export (\w+)=(.*)$", ran.stdout, re.MULTILINE))

    was_up = "MESHLAB_SSHD_UNPRIVILEGED_USER" in variables("env")
    try:
        yield variables("up", "--unprivileged")
    finally:
        if not was_up:
            subprocess.run([SSHD, "down"], check=True, timeout=120)


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
