# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendered documents run with exactly the command that the playbook render.yml prints."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

from live import Home, processes_of

DEMO = "service_envoy"


def stop(folder: Path) -> None:
    """Stop the supervisord of a folder by its own process id, with its programs."""
    pidfile = folder / "supervisord.pid"
    if pidfile.exists():
        os.kill(int(pidfile.read_text(encoding="utf-8")), signal.SIGTERM)
    deadline = time.monotonic() + 60
    while processes_of(folder) and time.monotonic() < deadline:
        time.sleep(0.2)


def test_printed_command_runs_supervisord() -> None:
    home = Home("local")
    demo = home.demo(DEMO)
    folder = home.folder / "rendered"
    try:
        rendered = home.play("render", demo=demo, render_to=str(folder))
        printed = re.search(r"- (cd \S+ && .*? -c supervisord\.conf) - ", rendered.words)
        assert printed, rendered.output
        assert processes_of(folder) == []
        ran = subprocess.run(
            ["bash", "-c", printed[1]],
            cwd="/",
            env={"HOME": str(home.folder), "PATH": "/usr/bin:/bin"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        assert home.play("verify", demo=demo, deployment_folder=str(folder)).recap["failed"] == 0
    finally:
        stop(folder)
        left = processes_of(folder)
        home.close()
    assert left == []
