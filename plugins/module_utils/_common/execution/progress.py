# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The progress of a task that runs: what it does or waits for, as one short text at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.number_texts import (
    bytes_text,
    counted,
)

Progress = Callable[[str], None]
MOST_NAMES = 3


def no_progress(text: str) -> None:
    """Ignore a text. On a managed host, no text reaches the user before the task ends."""


def waiting_text(reasons: Mapping[str, str], total: int) -> str:
    """Return what a wait is for: the first workload with its reason, and how many of all are ready.

    Args:
        reasons: Why each workload is not ready, by its name. At least one.
        total: Number of all workloads.

    Example:
        >>> waiting_text({"web-2": "/healthz returns 503", "web-3": "it is created"}, total=7)
        'waiting for web-2 (5 of 7 ready): /healthz returns 503'
        >>> waiting_text({"web": ""}, total=1)
        'waiting for web'
    """
    name, reason = next(iter(reasons.items()))
    text = f"waiting for {name}"
    if total > 1:
        text += f" ({total - len(reasons)} of {total} ready)"
    return f"{text}: {reason}" if reason else text


def pulling_text(images: Sequence[str], done: float = 0, total: float = 0) -> str:
    """Return which images are pulled, with the bytes that are downloaded and those of all layers; 0 bytes are unknown.

    Example:
        >>> pulling_text(["envoy:v1.40.0"])
        'pulling 1 image: envoy:v1.40.0'
        >>> pulling_text(["envoy:v1.40.0", "python:3.11"], 31_250_000, 61_300_000)
        'pulling 2 images (31.2 MB of 61.3 MB): envoy:v1.40.0, python:3.11'
    """
    size = f" ({bytes_text(done)} of {bytes_text(total)})" if total else ""
    return f"pulling {counted(len(images), 'image')}{size}: {listed(images)}"


def listed(names: Sequence[str]) -> str:
    """Return the first names, and the number of further ones.

    Example:
        >>> listed(["a", "b", "c", "d", "e"])
        'a, b, c and 2 more'
    """
    text, more = ", ".join(names[:MOST_NAMES]), len(names) - MOST_NAMES
    return f"{text} and {more} more" if more > 0 else text
