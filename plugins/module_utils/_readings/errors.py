# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors and failure kinds of reading endpoints."""

from __future__ import annotations

from dataclasses import dataclass

KINDS = (
    "unreachable",
    "timeout",
    "http_status",
    "unparsable",
    "too_large",
    "absent",
    "restarted",
    "comparison",
)


class ScrapeError(Exception):
    """An endpoint did not answer, or its response cannot be used.

    Args:
        kind: One of KINDS.
        message: What is wrong, and after a semicolon what to do. It has no final period, since it becomes part of a sentence.
        denied: The operating system refused this user the access to the endpoint's socket.
    """

    def __init__(self, kind: str, message: str, denied: bool = False) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.denied = denied


@dataclass(frozen=True)
class Failure:
    """Why an endpoint has no readings, or why an assertion does not hold."""

    kind: str
    """One of KINDS."""
    message: str
    """What is wrong, and after a semicolon what to do. It has no final period, since it becomes part of a sentence."""
    lasting: bool = False
    """Whether waiting cannot change the result."""
