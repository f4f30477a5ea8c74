# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check of an author's messages: keys and texts, also of mistakes that a seed chooses."""

from __future__ import annotations

import re
from typing import Any

import pytest
from message_mutants import mutants

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo

MUTANTS = list(mutants(seed=13, count=40))
KEY = r"(proxies|services)\.[\w-]+(\.[\w.@/ -]+|\[\d+\])+"


def refusal_of(name: str, data: Any) -> str:
    """Return the text with which a demo is refused; empty for one that is accepted."""
    try:
        read_demo(name, data, file=f"{name}.yml")
    except DemoError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(("name", "mistake", "data"), MUTANTS, ids=[f"{one[0]}: {one[1]}" for one in MUTANTS])
def test_refused_mistake_has_key_fault_and_remedy(name: str, mistake: str, data: Any) -> None:
    refusal = refusal_of(name, data)
    if refusal:
        assert re.fullmatch(rf"{name}\.yml: {KEY}: .*[.?] .*[.?]", refusal, re.S), mistake


def test_most_mistakes_are_refused() -> None:
    refused = [name for name, _mistake, data in MUTANTS if refusal_of(name, data)]
    assert len(refused) >= len(MUTANTS) / 2


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        (
            "proxies.edge.clusters.web.cluster",
            {"to": "web"},
            (
                "proxies.edge.clusters.web.cluster.to: unknown field 'to' of a Cluster."
                " It is a key of 'proxies.edge.clusters.web': move it there."
            ),
        ),
        (
            "proxies.edge.listeners.http.http_connection_manager",
            {"merge_slashs": True},
            (
                "proxies.edge.listeners.http.http_connection_manager.merge_slashs: unknown field 'merge_slashs' of an"
                " HttpConnectionManager. Did you mean 'merge_slashes'?"
            ),
        ),
        (
            "services.web.sidecar.bootstrap",
            {"stats_flush_interval": "5"},
            (
                "services.web.sidecar.bootstrap.stats_flush_interval: '5' is not a duration."
                " Write it in seconds, with the unit: 5s."
            ),
        ),
    ],
)
def test_fault_of_an_overlay_is_at_its_key(where: str, value: Any, message: str) -> None:
    from shop_demo import changed

    assert refusal_of("shop", changed(where, value)) == f"shop.yml: {message}"
