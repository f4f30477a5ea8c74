# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the process that sends traffic."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils import stats_api
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sender.sender_process import (
    collections_root,
    longest,
    send_in_process,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic

ROOT = collections_root(stats_api.__file__)
# Sends a request to a closed port, and prints the modules that are not those of Python's standard library.
PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load_generator import send_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic
for scheme in ("http", "https", "ws", "tcp", "tls", "udp"):
    [traffic] = parse_traffic([{"url": f"{scheme}://127.0.0.1:1", "timeout": 0.1}])
    assert send_traffic(traffic)["errors"], scheme
names = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
print(sorted(name for name in names if not name.startswith("_")))
"""


def test_root_contains_the_collections() -> None:
    assert Path(ROOT, "ansible_collections", "meshlab", "envoy", "galaxy.yml").exists()
    archive = "/tmp/a/payload.zip/ansible_collections/meshlab/envoy/plugins/module_utils/a.py"
    assert collections_root(archive) == "/tmp/a/payload.zip"


def test_other_traffic_uses_the_standard_library_only(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PROGRAM, ROOT],
        env={"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "['ansible_collections']\n"
    assert list(tmp_path.iterdir()) == []


def test_sender_without_its_libraries_is_an_error() -> None:
    [traffic] = parse_traffic([{"name": "h3", "url": "https://127.0.0.1:1/", "protocol": "http3"}])
    with pytest.raises(
        ArgumentError,
        match=r"h3: the sender ended without a result: .*name 'QuicConfiguration' is not defined",
    ):
        send_in_process(traffic, sys.executable)


def test_longest_time_follows_from_the_traffic() -> None:
    [some, timed] = parse_traffic(
        [
            {"url": "http://a", "requests": 10, "concurrency": 5, "timeout": 2, "rate": 1},
            {"url": "http://a", "duration": 30, "timeout": 2},
        ]
    )
    assert (longest(some), longest(timed)) == (76.0, 692.0)
