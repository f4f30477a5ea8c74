# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test that the tables of Envoy's messages are those of Envoy's protobuf descriptors, which the test installs from PyPI."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import envoys
import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools" / "envoy_api"


@pytest.mark.parametrize("tool", ["message_types_table.py", "api_fields_table.py"])
def test_table_is_that_of_the_descriptors(tool: str) -> None:
    # The cache of the lab, because a second run needs no network.
    environment = {**os.environ, "MESHLAB_ENVOY_API": str(envoys.FOLDER.with_name("envoy-api"))}
    result = subprocess.run(
        [sys.executable, str(TOOLS / tool), "--check"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
