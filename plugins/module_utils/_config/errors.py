# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The errors of a configuration that is not applied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: of which check, in which file and line where that is known, in whose message."""

    message: str
    check: str | None = None
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        where = f"{self.file} line {self.line}" if self.file and self.line else self.file
        return ": ".join(part for part in (self.check, where, self.message) if part)


class ConfigRefused(Exception):
    """A wish that is not carried out. `findings` say why; `outcome` says what is the case now."""

    def __init__(
        self,
        message: str | Sequence[Finding],
        file: str | None = None,
        line: int | None = None,
        outcome: str = "Nothing was changed.",
    ) -> None:
        self.findings = [Finding(message, None, file, line)] if isinstance(message, str) else list(message)
        self.outcome = outcome
        between = "\n" if len(self.findings) > 1 else " "
        super().__init__(between.join([*map(str, self.findings), outcome]))

    @property
    def file(self) -> str | None:
        return self.findings[0].file

    @property
    def line(self) -> int | None:
        return self.findings[0].line

    @property
    def message(self) -> str:
        return self.findings[0].message


class RequirementMissing(ConfigRefused):
    """Something that the host lacks (openssl, docker, the Envoy): in check mode a remark, otherwise a refusal."""
