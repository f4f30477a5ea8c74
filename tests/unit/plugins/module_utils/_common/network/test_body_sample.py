# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The start of a body in a message."""

from __future__ import annotations

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.body_sample import (
    SAMPLE_BYTES,
    sample_text,
)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "empty"),
        (b"no healthy\r\n\tupstream\n", '"no healthy upstream"'),
        ('a "ü"'.encode(), r'"a \"ü\""'),
        (b"\x1b[31mred", "not text"),
        (b"\xff\xfe", "not text"),
        (b"x" * 1000, f'"{"x" * SAMPLE_BYTES}…"'),
        # The cut is within a character.
        (b"x" + "ü".encode() * 500, f'"x{"ü" * ((SAMPLE_BYTES - 1) // 2)}…"'),
    ],
)
def test_start_of_a_body_is_one_line(body: bytes, text: str) -> None:
    assert sample_text(body) == text
