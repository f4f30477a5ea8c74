# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one thread pool of the collection: the same function for many items at once, where it mostly waits."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

DEFAULT_THREADS = 16

_Item = TypeVar("_Item")
_Key = TypeVar("_Key", bound=Hashable)
_Result = TypeVar("_Result")


def map_to_pairs(
    function: Callable[[_Item], _Result], items: Iterable[_Item], threads: int = DEFAULT_THREADS
) -> list[tuple[_Item, _Result]]:
    """Return each item with the result of `function`, in the order of `items`.

    When a call raises, calls that have not begun are cancelled. The first exception in the order of `items` is raised as soon
    as the running calls have ended.

    Example:
        >>> map_to_pairs(len, ["edge", "web"])
        [('edge', 4), ('web', 3)]
    """
    listed = list(items)
    with ThreadPoolExecutor(max(1, min(threads, len(listed)))) as pool:
        return list(zip(listed, pool.map(function, listed)))


def map_to_dict(
    function: Callable[[_Key], _Result], items: Iterable[_Key], threads: int = DEFAULT_THREADS
) -> dict[_Key, _Result]:
    """Return the results of `function` by item; see `map_to_pairs`.

    Example:
        >>> map_to_dict(len, ["edge", "web"])
        {'edge': 4, 'web': 3}
    """
    return dict(map_to_pairs(function, items, threads))
