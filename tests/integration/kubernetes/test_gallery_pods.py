# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gallery on a cluster, as `make demos` runs it: half of the demos of this week on kubernetes, of the foundation on openshift."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from cluster_home import ClusterHome
from live import (
    DEMOS,
    FOUNDATION,
    PLAYBOOK,
    REPRESENTATIVE,
    ROOT,
    demos_of_week,
    expectations,
    unsupported_on,
)
from rotation import WEEK, names_of_week

SCRIPT = ROOT / "tools" / "gallery" / "play_demos.py"
TIMEOUT = 3600  # seconds
# The other half has its turn in the next six weeks, in which each demo was on each of its platforms.
HALF = [name for name in demos_of_week("kubernetes") if name in names_of_week(REPRESENTATIVE, 2, WEEK // 6)]


@pytest.mark.parametrize(
    ("platform", "names"),
    [
        ("kubernetes", HALF),
        ("openshift", sorted(names_of_week(FOUNDATION, weeks=2))),
        pytest.param("kubernetes", DEMOS, marks=pytest.mark.slow),
        pytest.param("openshift", sorted(FOUNDATION), marks=pytest.mark.slow),
    ],
    ids=["kubernetes", "openshift", "kubernetes-all", "openshift-foundation"],
)
def test_gallery_runs_with_one_command(platform: str, names: list[str]) -> None:
    home = ClusterHome(platform)
    options = ["--platform", platform, "--ansible-playbook", str(PLAYBOOK), "--jobs", "3"]
    options += ["--json", str(ROOT / "build" / "gallery" / f"{platform}.json")]
    demos = [str(home.demo(name)) for name in names]
    try:
        ran = subprocess.run(
            [sys.executable, str(SCRIPT), *options, *demos, "--", "--extra-vars", json.dumps(home.variables)],
            cwd=home.cwd,
            env={**home.environment, "ANSIBLE_CONFIG": os.environ.get("ANSIBLE_CONFIG", "")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        left = [line for name in names for line in home.remaining(name)]
    finally:
        home.close()
    assert ran.returncode == 0, ran.stdout
    assert left == []
    played = [name for name in names if not unsupported_on(name, platform)]
    total = sum(expectations(name, pods=True) for name in played)
    told = f"{len(played)} of {len(played)} demos, {total} of {total} expectations hold on {platform}"
    assert told in ran.stdout, ran.stdout
