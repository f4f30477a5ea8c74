# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Unix socket whose connections lead to the pods of a traffic, for a sender without the client of the cluster."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import CHUNK

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.pod_targets import PodTargets

BACKLOG = 512


@contextlib.contextmanager
def pod_socket(pods: PodTargets, timeout: float) -> Iterator[str]:
    """Yield the path of a Unix socket, and connect each of its connections to the next pod within `timeout` seconds."""
    folder = tempfile.mkdtemp(prefix="meshlab-")
    listener = socket.socket(socket.AF_UNIX)
    try:
        path = os.path.join(folder, "pods")
        listener.bind(path)
        listener.listen(BACKLOG)
        threading.Thread(target=_accept, args=(listener, pods, timeout), daemon=True).start()
        yield path
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        shutil.rmtree(folder, ignore_errors=True)


def _accept(listener: socket.socket, pods: PodTargets, timeout: float) -> None:
    while True:
        try:
            connection, _address = listener.accept()
        except OSError:
            return
        threading.Thread(target=_connect, args=(connection, pods, timeout), daemon=True).start()


def _connect(connection: socket.socket, pods: PodTargets, timeout: float) -> None:
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError

    with connection:
        try:
            forward, _name = pods.connect(timeout)
        except ClusterError:
            return  # the sender counts a connection that ends at once
        with forward:
            back = threading.Thread(target=_copy, args=(forward, connection), daemon=True)
            back.start()
            _copy(connection, forward)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Copy bytes until either side ends, and then end the other one."""
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
