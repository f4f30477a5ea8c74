# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What validation does not see: an Envoy that starts, and refuses a file that it watches."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from deployment import Deployment
from live import Home


@pytest.fixture(params=["local", "docker"])
def demo(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """A demo whose edge fetches its routes from a cluster, in a home of its own."""
    home = Home(request.param)
    one = Deployment(home, "dynamic_config_cp")
    yield one
    assert not one.run(one.plan(), state="absent")["failed"]
    home.close()


def test_what_an_envoy_refuses_at_its_start_is_told_until_it_is_mended(demo: Deployment) -> None:
    # Envoy fetches configuration from a cluster of its bootstrap only, and says so when it reads the listener.
    wrong = demo.plan({"proxies": {"edge": {"clusters": {"control": {"static": False}}}}})
    for _run in range(2):
        answer = demo.run(wrong)
        assert answer["failed"], answer
        assert "edge: edge/listeners.yaml: the " in answer["msg"]
        assert "statically" in answer["msg"], answer["msg"]
    mended = demo.run(demo.plan())
    assert not mended["failed"], mended["msg"]
    assert mended["changed"]
    assert not demo.run(demo.plan())["changed"]
