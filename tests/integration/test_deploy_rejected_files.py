# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that pass Envoy's validation, and that Envoy rejects when it starts."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from deployment import Deployment
from live import Home


@pytest.fixture(params=["local", "docker"])
def demo(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """Return a deployment of a demo whose edge fetches its routes from a cluster."""
    home = Home(request.param)
    one = Deployment(home, "dynamic_config_cp")
    yield one
    assert not one.run(one.plan(), state="absent")["failed"]
    home.close()


def test_rejected_file_fails_until_it_is_corrected(demo: Deployment) -> None:
    # Envoy validates without binding. The address is one of a documentation network (RFC 5737), which no host has.
    more = {"address": {"socket_address": {"address": "192.0.2.1", "port_value": demo.home.shift + 7000}}}
    listener = {"listener": {"additional_addresses": [more]}}
    wrong = demo.plan({"proxies": {"edge": {"listeners": {"http": listener}}}})
    for _run in range(2):
        answer = demo.run(wrong)
        assert answer["failed"], answer
        # No file of the collection is named: the fault is the author's.
        assert re.match(r"\S+(, line \d+)?: proxies\.edge[\w.]*: edge: the (Envoy|running)", answer["msg"]), (
            answer["msg"]
        )
        assert "192.0.2.1" in answer["msg"], answer["msg"]
    corrected = demo.run(demo.plan())
    assert not corrected["failed"], corrected["msg"]
    assert corrected["changed"]
    assert not demo.run(demo.plan())["changed"]
