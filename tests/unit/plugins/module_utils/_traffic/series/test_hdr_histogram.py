# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the encoding of latencies. The bytes are those of the package hdrhistogram 0.10.8 for the same values."""

from __future__ import annotations

import base64
import struct
import zlib

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.series.hdr_histogram import hdr_histogram

HEAD = 40  # bytes before the counts


def payload_of(text: str) -> bytes:
    data = base64.b64decode(text)
    cookie, length = struct.unpack(">ii", data[:8])
    assert (cookie, length) == (0x1C849314, len(data) - 8)
    return zlib.decompress(data[8:])


def test_bytes_are_those_of_the_reference() -> None:
    payload = payload_of(hdr_histogram([0.001, 1.0, 2.5, 2.5, 1000.0, 59.123]))
    cookie, length, offset, digits, lowest, highest, ratio = struct.unpack(">iiiiqqd", payload[:HEAD])
    assert (cookie, length, offset, digits) == (0x1C849313, len(payload) - HEAD, 0, 3)
    assert (lowest, highest, ratio) == (1, 3_600_000_000, 1.0)
    assert payload[HEAD:].hex() == "0102cb0f02f11304a74902d14102"


def test_histogram_without_latencies_is_empty() -> None:
    assert payload_of(hdr_histogram([]))[HEAD:] == b""
