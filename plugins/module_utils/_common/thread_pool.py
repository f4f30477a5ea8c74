# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same question to many at once, where asking is mostly waiting."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

AT_ONCE = 16

_T = TypeVar("_T")
_H = TypeVar("_H", bound=Hashable)
_R = TypeVar("_R")


def together(work: Callable[[_T], _R], items: Iterable[_T], at_once: int = AT_ONCE) -> list[tuple[_T, _R]]:
    """Return each of `items` with what `work` says of it; what one raises is raised when all are done."""
    listed = list(items)
    with ThreadPoolExecutor(max(1, min(at_once, len(listed)))) as pool:
        return list(zip(listed, pool.map(work, listed), strict=True))


def each(work: Callable[[_H], _R], items: Iterable[_H], at_once: int = AT_ONCE) -> dict[_H, _R]:
    """Return what `work` says of each of `items`, by item; as `together` otherwise."""
    return dict(together(work, items, at_once))
