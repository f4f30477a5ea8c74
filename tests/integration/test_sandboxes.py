# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test that each configuration of Envoy's own sandboxes that Envoy accepts alone goes live.

MESHLAB_SANDBOXES is a folder with a copy of github.com/envoyproxy/examples, of which the collection keeps no file.
tests/support/sandboxes.py has the steps.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SUPPORT = Path(__file__).resolve().parents[1] / "support"
FOLDER = os.environ.get("MESHLAB_SANDBOXES", "")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FOLDER, reason="MESHLAB_SANDBOXES names no folder with the sandboxes"),
    pytest.mark.skipif(
        os.getuid() != 0 or not shutil.which("unshare"), reason="a network namespace needs root"
    ),
]


def test_each_accepted_configuration_goes_live(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    script = 'ip link set lo up && exec "$@"'
    command = [
        "unshare",
        "--net",
        "sh",
        "-c",
        script,
        "sh",
        sys.executable,
        str(SUPPORT / "sandboxes.py"),
        FOLDER,
        str(result),
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    subprocess.run(command, env=environment, check=True)
    outcomes = json.loads(result.read_text(encoding="utf-8"))
    failed = {
        f"{name} {step}": text for name, steps in outcomes.items() for step, text in steps.items() if text
    }
    assert len(outcomes) > 40
    assert failed == {}
