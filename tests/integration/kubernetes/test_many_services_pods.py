# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment of many services takes longer than its timeout, which counts from the last progress."""

from __future__ import annotations

import json
import time

import pytest
from cluster_home import ClusterHome
from deployment import Deployment
from front_proxy_demo import write_demo

SERVICES = 60
TIMEOUT = 60  # seconds: the default


@pytest.mark.slow
def test_60_services_are_ready_within_the_default_timeout(home: ClusterHome) -> None:
    data = json.loads(write_demo(home.folder, SERVICES).read_text(encoding="utf-8"))
    many = Deployment(home, "many", data)
    plan = many.plan()
    began = time.monotonic()
    result = many.run(plan, timeout=TIMEOUT)
    took = time.monotonic() - began
    assert not result["failed"], f"after {took:.0f} s: {result['msg']}"
    assert len(result["started"]) == SERVICES + 1
    verified = many.verify(plan, timeout=30)
    assert not verified["failed"], verified["msg"]
    gone = many.run(plan, state="absent", timeout=TIMEOUT)
    assert not gone["failed"], gone["msg"]
    assert home.remaining("many") == []
