# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The statuses of gRPC (grpc's statuscodes.md)."""

from __future__ import annotations

NAMES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
# The status of a response without one, by its HTTP status (grpc's http-grpc-status-mapping.md).
_OF_HTTP = {
    400: "INTERNAL",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "UNIMPLEMENTED",
    429: "UNAVAILABLE",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "UNAVAILABLE",
}


def status_name(code: str) -> str:
    """Return the name of a status, which a server sends as a number.

    Example:
        >>> status_name("14")
        'UNAVAILABLE'
    """
    return NAMES[int(code)] if code.isdecimal() and int(code) < len(NAMES) else "UNKNOWN"


def status_of_http(status: int | None) -> str:
    """Return the gRPC status of a response without one."""
    return _OF_HTTP.get(status or 0, "UNKNOWN")
