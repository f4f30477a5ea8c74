# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test that the table of Envoy's oneofs is the one of Envoy's protobuf descriptors, which the test installs from PyPI."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import envoys

TOOL = Path(__file__).resolve().parents[2] / "tools" / "envoy_api" / "message_types_table.py"


def test_table_is_that_of_the_descriptors() -> None:
    # The cache of the lab, because a second run needs no network.
    environment = {**os.environ, "MESHLAB_ENVOY_API": str(envoys.FOLDER.with_name("envoy-api"))}
    result = subprocess.run(
        [sys.executable, str(TOOL), "--check"], env=environment, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
