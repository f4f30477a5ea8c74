# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A thread that never holds a lock, so that its process can fork."""

from __future__ import annotations

import threading


class LockFreeThread(threading.Thread):
    """A thread whose function only sleeps and makes system calls.

    A fork has no threads but the one that forked, so a lock that another thread holds is never released there. A function that prints,
    logs, imports or uses a queue takes locks: it needs an ordinary thread.
    """


def has_locking_threads() -> bool:
    """Return whether this process has further threads, apart from those of LockFreeThread."""
    own = threading.current_thread()
    return any(one is not own and not isinstance(one, LockFreeThread) for one in threading.enumerate())
