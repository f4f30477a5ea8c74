# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of tools/gallery/play_demos.py with real demos, as `make demos` runs it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from deployment import take_down
from live import (
    DEMOS,
    PLATFORMS,
    PLAYBOOK,
    ROOT,
    Home,
    demos_of_week,
    expectations,
    supported_demos,
    unsupported_on,
)

SCRIPT = ROOT / "tools" / "gallery" / "play_demos.py"
# Time limit in seconds for all demos on one platform.
TIMEOUT = 3600


@pytest.mark.parametrize(
    ("platform", "names"),
    [
        *((platform, demos_of_week(platform)) for platform in PLATFORMS),
        *(pytest.param(platform, DEMOS, marks=pytest.mark.slow) for platform in PLATFORMS),
    ],
    ids=[*PLATFORMS, *(f"{platform}-all" for platform in PLATFORMS)],
)
def test_demos_pass(platform: str, names: list[str]) -> None:
    home = Home(platform)
    try:
        ran = play(home, [str(home.demo(name)) for name in names]).communicate(timeout=TIMEOUT)[0]
        remaining = [line for name in names for line in home.remaining(name)]
    finally:
        home.close()
    assert remaining == []
    played = [name for name in supported_demos(platform) if name in names]
    total = sum(map(expectations, played))
    summary = f"{len(played)} of {len(played)} demos, {total} of {total} expectations hold on {platform}"
    assert summary in ran, ran
    # Only demos that list the platform in unsupported_on are skipped: with --strict, a missing program is a failure.
    for name in sorted({*names} - {*played}):
        assert f"] - {home.name(name)}: not played, {unsupported_on(name, platform)}" in ran
    for name in played:
        number = expectations(name)
        assert re.search(
            rf"^\[\d+/{len(names)}\] ✔ {home.name(name)}: {number} of {number} expectations hold", ran, re.M
        )
        assert re.search(rf"^{home.name(name)} +{platform} +{number} +{number} +\d+ +[\d.]+$", ran, re.M)


def test_failed_demo_is_reported_and_removed() -> None:
    home = Home("local")
    try:
        good = home.demo("rbac")
        uncompressed = {"edge": {"listeners": {"compressed": {"http_filters": []}}}}
        bad = home.demo("gzip", proxies=uncompressed)
        process = play(home, [str(good), str(bad)])
        ran = process.communicate(timeout=TIMEOUT)[0]
        remaining = home.remaining("rbac") + home.remaining("gzip")
    finally:
        home.close()
    assert process.returncode == 1
    assert remaining == []
    number = expectations("rbac")
    assert f"✔ {home.name('rbac')}: {number} of {number}" in ran
    assert re.search(
        rf"✘ {home.name('gzip')}: \d+ of {expectations('gzip')} expectations hold, .*, failed: site", ran
    )
    assert "got 100000" in re.sub(r"\s+", " ", ran)
    assert "1 of 2 demos, " in ran


def test_deployed_demo_is_not_changed() -> None:
    home = Home("local")
    demo = home.demo("rbac")
    try:
        home.play("site", "--skip-tags", "verify", demo=demo)
        before = home.running("rbac")
        ran = play(home, [str(demo)]).communicate(timeout=TIMEOUT)[0]
        after = home.running("rbac")
        take_down(home, "rbac")
    finally:
        home.close()
    assert f"- {home.name('rbac')}: not played, it is deployed already" in ran, ran
    assert after == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_removes_its_deployments(number: int) -> None:
    home = Home("local")
    try:
        # Traffic that lasts until the signal, even on a slow machine.
        long = home.demo("rbac", traffic=[{"to": "edge", "duration": 3600, "rate": 1}], expectations=[])
        process = play(home, [str(long), str(home.demo("gzip"))])
        end = time.monotonic() + 300
        while not (home.state("rbac") / "supervisord.conf").exists():
            if process.poll() is not None or time.monotonic() > end:
                break
            time.sleep(0.05)
        process.send_signal(number)
        ran = process.communicate(timeout=300)[0]
        remaining = home.remaining("rbac") + home.remaining("gzip")
    finally:
        home.close()
    assert process.returncode == 130, ran
    assert "removing the deployed demos" in ran
    assert remaining == []


def play(home: Home, demos: list[str]) -> subprocess.Popen[str]:
    options = ["--platform", home.platform, "--ansible-playbook", str(PLAYBOOK), "--jobs", "3", "--strict"]
    options += ["--json", str(ROOT / "build" / "gallery" / f"{home.platform}.json")] if len(demos) > 2 else []
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *options, *demos, "--", "--extra-vars", json.dumps(home.variables)],
        cwd=home.cwd,
        env={
            **home.environment,
            "PYTHONUNBUFFERED": "1",
            "ANSIBLE_CONFIG": os.environ.get("ANSIBLE_CONFIG", ""),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
