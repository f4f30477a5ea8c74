# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test which responses are too large for their parsed form. tests/integration/test_hostile_responses.py measures the memory."""

from __future__ import annotations

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.response_size import (
    require_parsable_size,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError

MAX_BYTES = 1_000_000


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"[]," * 9_990 + b" " * 100_000 + b"]",
        b"a 1\n" * 4_990 + b"#" * 100_000,
        b"[" + b"[]," * 20_000 + b"]",  # short responses are not checked
        b"a" * 1_000_000,
        "ä".encode() * 249_000,
        "\U0001f600".encode() * 62_000,
        b"",
    ],
)
def test_usual_responses_are_accepted(body: bytes) -> None:
    require_parsable_size(body, MAX_BYTES)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b" [" + b"[]," * 50_000 + b"]", "the response has 100001 values of JSON, more than max_bytes"),
        (b'{"a":1}' + b'{"b":1},' * 50_000, "values of JSON"),
        (b"a 1\n" * 20_000, "the response has 20000 lines, more than max_bytes"),
        ("\U0001f600".encode() + b"a" * 260_000, "the response has 260004 bytes and wide characters"),
        ("ä".encode() + b"a" * 510_000, "wide characters"),
        (b"\xff" + b"a" * 510_000, "wide characters"),
    ],
)
def test_response_whose_parsed_form_is_large_is_refused(body: bytes, text: str) -> None:
    with pytest.raises(ScrapeError) as caught:
        require_parsable_size(body, MAX_BYTES)
    assert caught.value.kind == "too_large"
    assert text in caught.value.message
