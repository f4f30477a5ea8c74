# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The repetition of requests to an API server that failed for a passing reason.

Each request of this client can be repeated: it reads, applies a whole object, patches an object of a stated version, or deletes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError

Response = TypeVar("Response")

FIRST_PAUSE = 0.1  # seconds; each further pause is twice as long
LONGEST_PAUSE = 2.0  # seconds
# Seconds in which a request is repeated: the restart of an API server takes about ten.
WINDOW = 20.0
# Attempts on a server that has not responded to this client yet, whose address may be wrong.
FIRST_ATTEMPTS = 3


def repeat(
    send: Callable[[], Response],
    *,
    has_responded: bool,
    seconds: float = WINDOW,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] | None = None,
) -> Response:
    """Return the response of `send`, which is called again after each transient error.

    Args:
        send: Sends the request once. Raises ClusterError.
        has_responded: Whether the API server has responded to this client before.
        seconds: Seconds in which the last attempt begins.
        clock: Returns the current time in seconds; a test replaces it.
        sleep: Waits for a number of seconds; a test replaces it.

    Raises:
        ClusterError: The error of the last attempt.

    Example:
        >>> answers = [ClusterError("server", "busy", transient=True), None]
        >>> def send():
        ...     if (error := answers.pop(0)) is not None:
        ...         raise error
        ...     return "pods"
        >>> repeat(send, has_responded=True, sleep=lambda seconds: None)
        'pods'
    """
    deadline = clock() + seconds
    pause, attempt = FIRST_PAUSE, 0
    while True:
        attempt += 1
        try:
            return send()
        except ClusterError as error:
            wait = error.retry_after or pause
            is_known = has_responded or error.is_response
            is_last = clock() + wait > deadline or (not is_known and attempt >= FIRST_ATTEMPTS)
            if not error.transient or is_last:
                raise
        (sleep or time.sleep)(wait)
        pause = min(2 * pause, LONGEST_PAUSE)
