# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The check of the managed host's Python. This file has to compile on each Python that Ansible itself runs on."""

from __future__ import annotations

import json
import socket
import sys

OLDEST = (3, 9)


def require_supported_python(version: str = "") -> None:
    """End the module with a failure, as `fail_json` does, if the Python of the managed host is too old.

    A module calls it before it imports the rest of the collection, because an older Python fails at those imports.

    Args:
        version: The version of the interpreter, such as `3.8.18`. Only a test sets it.
    """
    running = version or ".".join(str(number) for number in sys.version_info[:3])
    if tuple(int(number) for number in running.split(".")[:2]) >= OLDEST:
        return
    message = (
        f"{socket.gethostname()}: {sys.executable} is Python {running}, but meshlab.envoy needs Python 3.9 or newer"
        " on the managed host. Set ansible_python_interpreter to a newer Python of this host."
    )
    sys.stdout.write(json.dumps({"failed": True, "msg": message}) + "\n")
    raise SystemExit(1)
