# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Expectations about response flags, which are read from the access log of the Envoy that gets the traffic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cases import CaseDeployment, PortBlock
from deployment import failure_messages, module_answer

from ansible_collections.meshlab.envoy.plugins.modules import demo_verify


def flag(name: str, number: int) -> dict[str, Any]:
    return {"response_flag": name, "op": "eq", "value": number}


def demo(block: PortBlock) -> dict[str, Any]:
    """Return a demo whose edge answers, forwards to a sidecar, finds no route, and has no upstream host."""
    routes = [
        {"match": {"path": "/ok"}, "direct_response": {"status": 200}},
        {"match": {"path": "/web"}, "route": {"cluster": "web"}},
        {"match": {"path": "/gone"}, "route": {"cluster": "gone"}},
    ]
    return {
        "summary": "Response flags",
        "ports": block.first,
        "services": {"web": {"app": {}, "sidecar": {}}, "gone": {"app": {}, "replicas": 0}},
        "proxies": {
            "edge": {
                "listeners": {"http": {"port": 8080, "publish": block.first + 1, "routes": routes}},
                "clusters": {"web": {"to": "web"}, "gone": {"to": "gone"}},
            }
        },
        "traffic": [
            {"name": "ok", "to": "edge", "path": "/ok", "requests": 9, "expect": [flag("none", 9)]},
            # The same path: the log distinguishes the requests of both.
            {"name": "again", "to": "edge", "path": "/ok", "requests": 3, "expect": [flag("none", 3)]},
            {"name": "web", "to": "edge", "path": "/web", "requests": 4, "expect": [flag("none", 4)]},
            {
                "name": "gone",
                "to": "edge",
                "path": "/gone",
                "requests": 6,
                "concurrency": 3,
                "expect": [flag("UH", 6), flag("none", 0), {**flag("UH", 1), "of": "share"}],
            },
            {
                "name": "lost",
                "to": "edge",
                "path": "/lost",
                "protocol": "http2",
                "requests": 5,
                "expect": [flag("NR", 5), {"status": "404", "op": "eq", "value": 5}],
            },
        ],
    }


@pytest.mark.parametrize(
    "platform",
    [
        "local",
        pytest.param("docker", marks=pytest.mark.slow),
        pytest.param("kubernetes", marks=pytest.mark.slow),
    ],
)
def test_response_flags_of_a_traffic_are_counted(
    deployment: Callable[[str], CaseDeployment], block: PortBlock, platform: str
) -> None:
    made = deployment(platform)
    planned = made.deploy(demo(block))
    result = module_answer(demo_verify, {"plan": planned, **made.options})
    assert failure_messages(result) == []
    assert [one["response_flags"] for one in result["traffic"]] == [
        {"none": 9},
        {"none": 3},
        {"none": 4},
        {"UH": 6},
        {"NR": 5},
    ]
    planned["traffic"] = [{**planned["traffic"][3], "expect": [flag("UF", 6)]}]
    failed = failure_messages(module_answer(demo_verify, {"plan": planned, **made.options}))
    assert failed[0].startswith(
        "expected 6, got 0 (answers with response flag UF of traffic gone). Response flags: 6 × UH."
    )
