# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The error of a demo that the planner refuses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ansible_collections.meshlab.envoy.plugins.module_utils._common.suggestions import unknown_name


class DemoError(ValueError):
    """An error in a demo or in a planning context: the file, the key, the problem and the remedy."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")
        self.where, self.problem = where, problem


def check_known(name: object, known: Iterable[object], file: str, path: str, kind: str) -> None:
    """Raise DemoError if `name` is not one of `known`.

    Args:
        name: The name in the demo.
        known: The names that are allowed.
        file: The file that the error names.
        path: The key that holds `name`. Empty at the top of the file.
        kind: What the name must be, such as `service` or `listener of 'edge'`.
    """
    if isinstance(known, Mapping) and isinstance(name, str) and name in known:
        return
    names = [str(one) for one in known]
    if str(name) not in names:
        raise DemoError(file, f"{path + ': ' if path else ''}{unknown_name(kind, name, names)}")
