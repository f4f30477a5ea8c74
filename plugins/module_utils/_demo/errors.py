# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with a demo, in one sentence."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DemoError(ValueError):
    """A demo that cannot be what its author meant: where (file and key), what, and what to do."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")


def check_known(name: str, known: Iterable[object], file: str, path: str, what: str) -> None:
    """Raise DemoError where `name` is not among `known`; it says what was probably meant, or what there is.

    `path` is the key at which `name` stands, empty at the top of the file; `what` says what it should have named.
    """
    names = [str(one) for one in known]
    if name in names:
        return
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"there is: {', '.join(sorted(names)) or 'none'}"
    raise DemoError(file, f"{path + ': ' if path else ''}there is no {what} '{name}'; {hint}")
