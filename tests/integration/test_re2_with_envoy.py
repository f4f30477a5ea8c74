# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The patterns of assertions select the stats that a real Envoy, with the real RE2, selects."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from real_envoy import Envoy, answering

from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2 import (
    compile_pattern,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2_automaton import (
    Automaton,
)

NAME = "odd+(x)|[1]{2} B_é"


@pytest.fixture(scope="module")
def envoy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Envoy]:
    clusters = [{"name": name, "type": "STATIC"} for name in (NAME, "web", "WEB2")]
    config = {"static_resources": {"listeners": [answering()], "clusters": clusters}}
    started = Envoy(tmp_path_factory.mktemp("envoy"), config)
    yield started.start()
    started.stop()


def names(envoy: Envoy, pattern: str = "") -> set[str]:
    """Return the names of Envoy's stats, all or those that RE2 matches as a whole."""
    query = f"&filter={quote(f'^(?:{pattern})$', safe='')}" if pattern else ""
    lines = envoy.response(f"/stats?type=Counters{query}").decode().splitlines()
    return {line.rpartition(": ")[0] for line in lines}


@pytest.mark.parametrize(
    "pattern",
    [
        r"cluster\..*\.upstream_rq_[a-z]+",
        r"cluster\.(web|WEB2)\.upstream_cx_total",
        r"(?i)cluster\.web2?\..*",
        r"cluster\.(?i:WEB)\.upstream_rq_total",
        r"cluster\.odd\+\(x\)\|\[1\]\{2\} B_é\.upstream_cx_total",
        r"cluster\.[^.]+\.upstream_(cx|rq)_(total|active)",
        r"cluster\.odd\W+x\W.*",
        r"cluster\.\w+\..*_\w{2,5}",
        r"cluster\.\D*\.upstream_cx_total",
        r".*\bweb\b.*",
        r".*\Bxx",
        r"\Ahttp\.main\..*\d.*$",
        r"http\.main\.downstream_(?:rq|cx)_.{3,12}?",
        r"(?:[a-z]+[._])+total",
        r"(?s)server\..*",
        r"cluster\.odd.*\s.*total",
        r"[\D]*",
        r"[^\d\s]*_total",
        r"\x73erver\.[a-z_.]*",
    ],
)
def test_envoy_selects_the_same_stats(envoy: Envoy, pattern: str) -> None:
    everything = names(envoy)
    assert len(everything) > 100
    selected = names(envoy, pattern)
    assert selected
    compiled, automaton = compile_pattern(pattern, "match"), Automaton(pattern)
    assert {name for name in everything if compiled.matches(name)} == selected
    assert {name for name in everything if automaton.fullmatch(name)} == selected
