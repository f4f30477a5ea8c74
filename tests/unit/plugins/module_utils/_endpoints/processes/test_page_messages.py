# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages as messages between processes."""

from __future__ import annotations

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2 import (
    compile_pattern,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.processes import page_messages
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.processes.page_messages import (
    PageDecoder,
    PageEncoder,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import Histogram
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import (
    Identity,
    Page,
    Samples,
    Selection,
)

SELECTION = Selection(frozenset(["a"]), (compile_pattern("b.*", "match"),), usedonly=True)
HISTOGRAM = Histogram(((0.0, 1.5, 3), (1.5, float("inf"), 1)), lower_inclusive=True)


def pages() -> list[Page]:
    identity = Identity("1.40.0", "LIVE", 5.0, 100.5, 0, 1.25, "2026-01-01")
    return [
        Page(
            "edge",
            "envoy",
            1.5,
            {
                "stats": Samples(
                    SELECTION,
                    {"a": 1, "b": "text", "c": 2.5},
                    {"h": HISTOGRAM},
                    {"h": HISTOGRAM},
                    {"a": "counter"},
                ),
                "prometheus": Samples(Selection(everything=True)),
            },
            identity,
            None,
            12_345,
            6.7,
            "edges",
        ),
        Page("broken", "envoy", 2.5, failure=Failure("timeout", "http://x: no response", lasting=True)),
        Page("other", "envoy", 3.5, {"stats": Samples(SELECTION, {"a": 10**30, "b": "ü", "c": 0})}),
    ]


def test_pages_are_equal_after_a_message() -> None:
    encoder, decoder = PageEncoder(), PageDecoder()
    first, second = encoder.encode(pages()[:1]), encoder.encode(pages()[1:])
    received = decoder.decode(first) + decoder.decode(second)
    assert received == pages()
    assert [*received[0].sources["stats"].values] == ["a", "b", "c"]
    assert received[0].sources["stats"].selection.covers("bc")


def test_equal_names_are_sent_and_stored_once() -> None:
    names = [f"cluster.service{number}.upstream_rq_total" for number in range(1_000)]
    encoder, decoder = PageEncoder(), PageDecoder()
    sizes, received = [], []
    for number in range(3):
        values = {f"{name}": number for name in names}
        message = encoder.encode([Page("e", "envoy", 0.0, {"stats": Samples(SELECTION, values)})])
        sizes.append(len(message))
        received += decoder.decode(message)
    assert sizes[1] < sizes[0] / 5
    first, second = ([*page.sources["stats"].values] for page in received[:2])
    assert all(one is other for one, other in zip(first, second, strict=True))
    assert received[0].sources["stats"].selection is received[1].sources["stats"].selection


def test_names_beyond_the_limit_are_sent_with_each_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_messages, "_MAX_SHARED", 4)
    encoder, decoder = PageEncoder(), PageDecoder()
    given = [
        Page(
            f"e{number}",
            "envoy",
            0.0,
            {"stats": Samples(SELECTION, {f"{number}.{one}": one for one in range(3)})},
        )
        for number in range(4)
    ]
    for _round in range(2):
        assert decoder.decode(encoder.encode(given)) == given
    assert len(decoder._shared) == 2  # the selection and three names
