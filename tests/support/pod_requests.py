# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to pods through the API server, once or during the block of a `with` statement."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from cluster_home import ClusterHome

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import Cluster
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_status import (
    pod_name,
    select_ready,
)

MIN_RESPONSES = 30  # that are waited for at the end of the block
MAX_WAIT = 30  # seconds


@contextmanager
def requests_during(home: ClusterHome, demo: str, group: str, port: int, path: str) -> Iterator[Counter[str]]:
    """Send requests to random ready pods of a group; count the responses by status, and errors by their text."""
    selector = f"meshlab.envoy/demo={home.name(demo)},app.kubernetes.io/name={group}"
    counts: Counter[str] = Counter()
    stopped = threading.Event()

    def send() -> None:
        while not stopped.wait(0.05):
            pods = select_ready(home.cluster.list("Pod", selector)).ready
            name = pod_name(random.choice(pods))
            try:
                status, _body = get_from_pod(home.cluster, name, port, path)
                counts[str(status)] += 1
            except (OSError, http.client.HTTPException, ClusterError) as error:
                counts[f"{name}: {error!r}"] += 1

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield counts
        deadline = time.monotonic() + MAX_WAIT
        while sum(counts.values()) < MIN_RESPONSES and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        stopped.set()
        thread.join(60)


def get_from_pod(cluster: Cluster, pod: str, port: int, path: str) -> tuple[int, str]:
    """Return status and body of a GET to a port of a pod."""
    connection = http.client.HTTPConnection("edge", timeout=10)
    connection.sock = cluster.forward(pod, port)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()
