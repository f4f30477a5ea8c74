# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The error for a wrong argument."""

from __future__ import annotations


class ArgumentError(ValueError):
    """An argument that cannot be used. It is raised before any connection is opened.

    Its text has the one form of the collection, `where: what is wrong. What to do.`

    Args:
        where: The key, for example `traffic[0].timeout`.
        problem: What is wrong and what to do, as sentences.
    """

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")
        self.where, self.problem = where, problem
