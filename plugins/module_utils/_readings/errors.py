# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways in which an expectation can fail, kept apart."""

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
    """An endpoint could not be asked, or its answer could not be read."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


@dataclass(frozen=True)
class Failure:
    """Why something does not hold: one of KINDS, and a sentence."""

    kind: str
    message: str
    lasting: bool = False  # no waiting mends it
