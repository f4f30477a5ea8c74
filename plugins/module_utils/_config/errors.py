# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The errors of a configuration that is not applied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

UNCHANGED = "Nothing was changed."


@dataclass(frozen=True)
class Finding:
    """One fault of a configuration.

    Attributes:
        message: The fault and what to do, in sentences.
        check: The name of the check that found it, which for an Envoy is the name of the proxy. None when no check did.
        file: The path of the faulty file below the folder. None when it is not known.
        line: The faulty line, counted from 1. None when it is not known.
        key: The key of the demo file, when `file` is one. None otherwise.
    """

    message: str
    check: str | None = None
    file: str | None = None
    line: int | None = None
    key: str | None = None

    def __str__(self) -> str:
        """Return `location: fault`, with as much of the location as is known."""
        if self.key:
            file = f"{self.file}, line {self.line}" if self.line else self.file
            return f"{file}: {self.key}: {self.message}"
        file_and_line = f"{self.file} line {self.line}" if self.file and self.line else self.file
        return ": ".join(part for part in (self.check, file_and_line, self.message) if part)


class ConfigRefused(Exception):
    """A configuration that is not applied.

    Attributes:
        findings: All faults that were found, at least one.
        outcome: The state of the folder and of the running proxies after the refusal, in one sentence.
    """

    def __init__(
        self,
        fault: str | Sequence[Finding],
        file: str | None = None,
        line: int | None = None,
        outcome: str = UNCHANGED,
    ) -> None:
        self.findings = [Finding(fault, None, file, line)] if isinstance(fault, str) else list(fault)
        self.outcome = outcome
        separator = "\n" if len(self.findings) > 1 else " "
        super().__init__(separator.join([*map(str, self.findings), outcome]))

    @property
    def file(self) -> str | None:
        """Return the file of the first finding."""
        return self.findings[0].file

    @property
    def line(self) -> int | None:
        """Return the line of the first finding."""
        return self.findings[0].line

    @property
    def message(self) -> str:
        """Return the message of the first finding."""
        return self.findings[0].message


class RequirementMissing(ConfigRefused):
    """A program, image or daemon that the host does not have. Check mode reports it as a warning, since a task may install it."""
