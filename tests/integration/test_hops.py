# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A chain of three demo apps through their sidecars, as docs/write-your-own-demo.md has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from cases import CaseDeployment, PortBlock
from live import ROOT

PAGE = ROOT / "docs" / "write-your-own-demo.md"
# An Envoy that gets requests of external clients replaces their x-request-id.
TRACE = {
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "x-b3-traceid": "463ac35c9f6413ad48485a3953bb6124",
}


def documented(block: PortBlock) -> Any:
    """Return the demo of the page with own ports, and with the numbers of each sidecar."""
    text = PAGE.read_text(encoding="utf-8").partition("### Chains of services")[2]
    data = yaml.safe_load(text.partition("```yaml\n")[2].partition("```")[0])
    data |= {"summary": "A chain", "ports": block.first}
    data["services"]["front"]["sidecar"]["listeners"]["ingress"]["publish"] = block.first + 90
    [traffic] = data["traffic"]
    traffic["headers"] |= TRACE
    traffic["expect"] += [
        {"body": f'"{name}": "{value}"', "op": "eq", "value": 4} for name, value in TRACE.items()
    ]
    data["expectations"] = [
        {"at": name, "stat": f"http.{listener}.downstream_rq_2xx", "of": "delta", "op": "eq", "value": 4}
        for name, listener in (("front", "egress"), ("orders", "egress"), ("stock", "ingress"))
    ]
    return data


@pytest.mark.parametrize("platform", ["local", "docker", pytest.param("kubernetes", marks=pytest.mark.slow)])
def test_chain_goes_through_all_sidecars(
    deployment: Callable[[str], CaseDeployment], block: PortBlock, platform: str
) -> None:
    made = deployment(platform)
    assert made.failures(made.deploy(documented(block))) == []
