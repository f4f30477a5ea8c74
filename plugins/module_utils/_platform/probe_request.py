# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks a workload whether it serves."""

from __future__ import annotations

import http.client
import socket

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Probe


def answer(probe: Probe, timeout: float) -> str:
    """Return why `probe` does not succeed, empty where it does. Never raises."""
    where = f"{probe.host}:{probe.port}"
    try:
        if probe.kind == "http":
            status = _get(probe, timeout)
            return "" if 200 <= status < 400 else f"http://{where}{probe.path} answers {status}"
        if probe.kind == "tcp":
            socket.create_connection((probe.host, probe.port), timeout).close()
    except (OSError, http.client.HTTPException) as error:
        path = probe.path if probe.kind == "http" else ""
        return f"{probe.kind}://{where}{path}: {_words(error)}"
    return ""


def _get(probe: Probe, timeout: float) -> int:
    connection = http.client.HTTPConnection(probe.host, probe.port, timeout=timeout)
    try:
        connection.request("GET", probe.path or "/", headers={"Connection": "close"})
        return connection.getresponse().status
    finally:
        connection.close()


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer"
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
