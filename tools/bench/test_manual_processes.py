# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the script that starts front_proxy as plain processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import manual_processes
import pytest

# Stands for Envoy: it records the configuration that it is started with, and runs until it is ended.
FAKE = "#!/bin/sh\necho $2 >>started\nexec sleep 60\n"


def test_script_starts_an_edge_and_two_processes_per_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "envoy").write_text(FAKE)
    (tmp_path / "envoy").chmod(0o755)
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "curl").write_text("#!/bin/sh\nexit 0\n")
    (programs / "curl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    app = tmp_path / "app.py"
    app.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(manual_processes, "APP", app)
    folder = tmp_path / "project"
    manual_processes.write(folder, str(tmp_path / "envoy"), sys.executable, 2)
    subprocess.run(["sh", str(folder / "start.sh")], check=True, timeout=60)
    processes = [Path("/proc") / one for one in (folder / "processes").read_text().split()]
    assert len(processes) == 1 + 2 * 2
    assert all(one.exists() for one in processes)
    subprocess.run(["sh", str(folder / "stop.sh")], check=True, timeout=60, stderr=subprocess.DEVNULL)
    assert not (folder / "processes").exists()


def test_edge_reaches_a_service_through_its_sidecar(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    manual_processes.write(folder, "envoy", "python3", 2)

    def ports(name: str) -> tuple[int, list[int]]:
        config = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))["static_resources"]
        endpoints = [one["load_assignment"]["endpoints"][0] for one in config["clusters"]]
        return config["listeners"][0]["address"]["socket_address"]["port_value"], [
            one["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]["port_value"] for one in endpoints
        ]

    edge, sidecars = ports("edge")
    assert edge == manual_processes.EDGE_PORT
    assert sidecars == [ports("sidecar1")[0], ports("sidecar2")[0]]
    [app] = ports("sidecar2")[1]
    assert f"DEMO_APP_PORT={app} DEMO_APP_SERVICE=2" in (folder / "start.sh").read_text(encoding="utf-8")
