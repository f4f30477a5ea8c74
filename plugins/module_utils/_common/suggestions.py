# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one wording for a name that is not known."""

from __future__ import annotations

from collections.abc import Iterable


def unknown_name(kind: str, name: object, known: Iterable[object]) -> str:
    """Return what is wrong with `name`, and the nearest known name or all known names.

    Args:
        kind: What the name should have been, such as `key`, `platform` or `listener of 'edge'`.
        name: The name as its author wrote it.
        known: The names that are allowed.

    Example:
        >>> unknown_name("key", "publsh", ["port", "publish"])
        "unknown key 'publsh'. Did you mean 'publish'?"
        >>> unknown_name("key", "zzz", ["port", "publish"])
        "unknown key 'zzz'. Use one of: port, publish."
    """
    import difflib  # only here: it costs 2 ms, and most runs have no mistake

    names = [str(one) for one in known]
    near = difflib.get_close_matches(str(name), names, n=1)
    if near:
        return f"unknown {kind} '{name}'. Did you mean '{near[0]}'?"
    return f"unknown {kind} '{name}'. Use one of: {', '.join(sorted(names)) or 'none'}."
