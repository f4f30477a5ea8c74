# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Python packages of a server on each platform: installed once, shared, and refused with a wrong hash before anything changes."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from typing import Any

import pytest
from cases import CaseDeployment, PortBlock

SIX = "six==1.17.0 --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274"
PROGRAM = """
import http.server, sys
import six

class Version(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("x-six", six.__version__)
        self.send_header("content-length", "0")
        self.end_headers()

http.server.HTTPServer((sys.argv[1], int(sys.argv[2])), Version).serve_forever()
"""


def demo(block: PortBlock) -> dict[str, Any]:
    return {
        "summary": "A program with a package",
        "ports": block.first,
        "services": {
            "web": {
                "publish": block.first + 1,
                "server": {
                    "image": "python:3.11-slim-bookworm",
                    "command": ["python3", "${files}/web.py", "${address}", "${port}"],
                    "packages": [SIX],
                    "files": {"web.py": PROGRAM},
                },
            }
        },
        "traffic": [
            {
                "to": "web/app",
                "requests": 3,
                "expect": [{"header": {"name": "x-six", "value": "1.17.0"}, "op": "eq", "value": 3}],
            }
        ],
    }


@pytest.mark.parametrize(
    "platform",
    [
        "local",
        pytest.param("docker", marks=pytest.mark.slow),
        pytest.param("kubernetes", marks=[pytest.mark.slow, pytest.mark.lab]),
    ],
)
def test_packages_are_installed_once_and_verified(
    deployment: Callable[[str], CaseDeployment], block: PortBlock, platform: str
) -> None:
    made, data = deployment(platform), demo(block)
    context = {"cache": str(made.root / "cache"), "registry": os.environ.get("MESHLAB_LAB_REGISTRY", "")}
    (made.root / "cache").mkdir(mode=0o700)
    planned = made.deploy(data, **context)
    assert made.failures(planned) == []
    assert not made.result(made.plan(data, **context))["changed"]
    wrong = copy.deepcopy(data)
    wrong["services"]["web"]["server"]["packages"] = [SIX[:-4] + "0000"]
    refused = made.result(made.plan(wrong, **context))
    assert refused["failed"]
    assert not refused["changed"]
    assert "services.web.server.packages: " in refused["msg"]
    assert "DO NOT MATCH THE HASHES" in refused["msg"] or "Expected sha256" in refused["msg"]
    assert made.failures(planned) == []
