# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages as messages between the processes of one task.

The endpoints of a fleet have equal names and selections: each is sent once, and stored once by the process that receives it.
"""

from __future__ import annotations

import pickle
from dataclasses import fields
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Page, Samples

_MAX_SHARED = 500_000  # names of stats that both processes keep
_SAMPLES = tuple(field.name for field in fields(Samples) if field.name not in ("selection", "values"))
_PAGE = tuple(field.name for field in fields(Page) if field.name != "sources")


class PageEncoder:
    """Converts pages to messages for one `PageDecoder`, which receives all of them in this order."""

    def __init__(self) -> None:
        self._shared: dict[Any, int] = {}
        self._names = 0

    def encode(self, pages: list[Page]) -> bytes:
        """Return the message for pages."""
        new: list[Any] = []
        data = [
            (
                [getattr(page, name) for name in _PAGE],
                {
                    source: (
                        self._number(samples.selection, 1, new),
                        self._number(tuple(samples.values), len(samples.values), new),
                        [*samples.values.values()],
                        [getattr(samples, name) for name in _SAMPLES],
                    )
                    for source, samples in page.sources.items()
                },
            )
            for page in pages
        ]
        return pickle.dumps((new, data), pickle.HIGHEST_PROTOCOL)

    def _number(self, value: Any, size: int, new: list[Any]) -> Any:
        """Return the number of a shared value, or the value itself if too many are shared."""
        number = self._shared.get(value)
        if number is None and self._names + size <= _MAX_SHARED:
            number = self._shared[value] = len(self._shared)
            self._names += size
            new.append(value)
        return value if number is None else number


class PageDecoder:
    """Converts the messages of one `PageEncoder` to pages."""

    def __init__(self) -> None:
        self._shared: list[Any] = []

    def decode(self, message: bytes) -> list[Page]:
        """Return the pages of a message of a process that this process forked."""
        new, data = pickle.loads(message)  # noqa: S301 # written by the same code, and read from a pipe without a name
        self._shared += new
        return [
            Page(
                **dict(zip(_PAGE, page)),
                sources={
                    source: Samples(
                        self._value(selection),
                        dict(zip(self._value(names), values)),
                        **dict(zip(_SAMPLES, rest)),
                    )
                    for source, (selection, names, values, rest) in sources.items()
                },
            )
            for page, sources in data
        ]

    def _value(self, number: Any) -> Any:
        return self._shared[number] if isinstance(number, int) else number
