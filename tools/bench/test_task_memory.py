# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the memory of tasks."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from measure import MeasurementError
from task_memory import Peaks, figure, is_task, watched

# Prints a task, and starts a Python that uses 60 MB more and shortly waits.
PLAYBOOK = """
import subprocess, sys
print("TASK [Compute] ****", flush=True)
subprocess.run([sys.executable, "-c", "import time; held = bytearray(60_000_000); time.sleep(1)"], check=True)
print("TASK [Wait] ****", flush=True)
subprocess.run(["sleep", "0.1"], check=True)
"""


def test_peak_of_a_process_belongs_to_its_task() -> None:
    peaks = watched([sys.executable, "-c", PLAYBOOK])
    assert peaks.tasks["Compute"] > 60
    assert 0 < peaks.controller < 60
    assert peaks.tasks.get("Wait", 0.0) < 60


def test_failed_playbook_is_an_error() -> None:
    with pytest.raises(MeasurementError, match="exit status 3"):
        watched([sys.executable, "-c", "raise SystemExit(3)"])


def test_app_and_other_programs_are_not_tasks(tmp_path: Path) -> None:
    app = tmp_path / "demo_app.py"
    app.write_text("import time\ntime.sleep(60)\n")
    started = [subprocess.Popen([sys.executable, str(app)]), subprocess.Popen(["sleep", "60"])]
    try:
        until = time.monotonic() + 30
        while not Path(f"/proc/{started[0].pid}/cmdline").read_bytes() and time.monotonic() < until:
            time.sleep(0.01)
        assert [is_task(one.pid) for one in started] == [False, False]
    finally:
        for one in started:
            one.kill()
            one.wait()


def test_figure_names_the_task_with_the_most_memory() -> None:
    found = figure("on docker", [Peaks(70, {"Plan": 80, "Deploy": 75}), Peaks(72, {"Deploy": 103})])
    assert (found.ratio, found.result) == (103, "MISSED")
    assert found.detail == "'Deploy' 103, 'Plan' 80; ansible-playbook itself 72"
