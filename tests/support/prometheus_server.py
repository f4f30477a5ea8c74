# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Prometheus server on a free port of 127.0.0.1, which scrapes targets twice a second."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def prometheus(folder: Path, jobs: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    """Start the server and yield its URL; `jobs` has the host:port and path of each target by name."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("no prometheus: tests/lab/up installs Debian's")
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = {
        "global": {"scrape_interval": "500ms", "scrape_timeout": "400ms"},
        "scrape_configs": [
            {"job_name": name, "metrics_path": path, "static_configs": [{"targets": [target]}]}
            for name, (target, path) in jobs.items()
        ],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    command = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--log.level=error",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 30
        while not _ready(f"http://{address}/-/ready"):
            assert server.poll() is None, (folder / "prometheus.log").read_text()
            assert time.monotonic() < until, "prometheus was not ready within 30 s"
            time.sleep(0.1)
        yield f"http://{address}"
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
