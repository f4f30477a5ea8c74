# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exceptions for a socket operation that takes too long."""

from __future__ import annotations

import socket

# Up to Python 3.9, socket.timeout is a class of its own. Later it is TimeoutError.
TIMEOUT_ERRORS: tuple[type[OSError], ...] = (TimeoutError, socket.timeout)
