# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The request of a readiness probe."""

from __future__ import annotations

import contextlib
import http.client
import socket
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.error_text import error_text
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.unix_socket import connect_unix
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Probe


def problem(probe: Probe, timeout: float, folder: Path = Path()) -> str:
    """Return why `probe` fails within `timeout` seconds, an empty text when it succeeds. Never raises.

    An HTTP probe succeeds with a status from 200 to 399, as a Kubernetes probe does.

    Args:
        probe: The probe.
        timeout: Seconds.
        folder: The deployment folder, in which a Unix socket is.
    """
    if probe.unix_socket:
        return _unix_socket_problem(probe, timeout, str(folder / probe.unix_socket))
    address = f"{probe.host}:{probe.port}"
    try:
        if probe.kind == "http":
            status = _get_status(probe, timeout)
            return "" if 200 <= status < 400 else f"http://{address}{probe.path} returns {status}"
        if probe.kind == "tcp":
            socket.create_connection((probe.host, probe.port), timeout).close()
    except (OSError, http.client.HTTPException) as error:
        path = probe.path if probe.kind == "http" else ""
        return f"{probe.kind}://{address}{path}: {error_text(error).strip()}"
    return ""


def _unix_socket_problem(probe: Probe, timeout: float, path: str) -> str:
    try:
        with contextlib.closing(connect_unix(path, timeout)) as connection:
            if probe.kind != "http":
                return ""
            request = f"GET {probe.path or '/'} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            connection.sendall(request.encode())
            response = http.client.HTTPResponse(connection)
            response.begin()
            return "" if 200 <= response.status < 400 else f"{path}: {probe.path} returns {response.status}"
    except (OSError, http.client.HTTPException) as error:
        return f"{path}: {error_text(error).strip()}"


def _get_status(probe: Probe, timeout: float) -> int:
    connection = http.client.HTTPConnection(probe.host, probe.port, timeout=timeout)
    try:
        connection.request("GET", probe.path or "/", headers={"Connection": "close"})
        return connection.getresponse().status
    finally:
        connection.close()
