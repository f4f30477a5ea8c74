# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook that is killed leaves no worker."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from live import GALLERY, PLAYBOOK, ROOT, processes_of

DEADLINE = 60  # seconds

PLAN = """
- hosts: localhost
  gather_facts: false
  tasks:
    - meshlab.envoy.demo_plan:
        name: killed
        path: "{{ demo }}"
        context:
          platform: docker
          folder: "{{ folder }}"
          envoy: {image: envoy, version: "1.40.0"}
          python: {image: python}
"""


def opened_by_reader(fifo: Path) -> int:
    """Return a descriptor that writes to a FIFO, as soon as a process reads it."""
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            assert time.monotonic() < deadline, "no worker reads the demo"
            time.sleep(0.02)


def wait_for_no_process(folder: Path) -> None:
    deadline = time.monotonic() + DEADLINE
    while left := processes_of(folder):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def large_demo() -> bytes:
    """Return a demo whose plan is larger than a pipe."""
    data = yaml.safe_load((GALLERY / "front_proxy.yml").read_text(encoding="utf-8"))
    data["notes"] = [f"note {number} {'x' * 1000}" for number in range(200)]
    return yaml.safe_dump(data).encode()


@pytest.mark.parametrize("written", [True, False])
def test_killed_playbook_leaves_no_worker(tmp_path: Path, written: bool) -> None:
    """The worker waits for its demo, or for a reader of its result."""
    fifo, playbook = tmp_path / "demo.yml", tmp_path / "plan.yml"
    os.mkfifo(fifo)
    playbook.write_text(PLAN, encoding="utf-8")
    command = [str(PLAYBOOK), str(playbook), "-e", f"demo={fifo}", "-e", f"folder={tmp_path}"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        writer = opened_by_reader(fifo)
        try:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            if written:
                os.set_blocking(writer, True)
                with contextlib.suppress(BrokenPipeError):  # the worker ended before
                    os.write(writer, large_demo())
                os.close(writer)
                writer = -1
            wait_for_no_process(tmp_path)
        finally:
            if writer >= 0:
                os.close(writer)
