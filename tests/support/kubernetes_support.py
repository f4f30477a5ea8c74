# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans that are altered behind a demo's back, as a person's mistake would, and what pods answer while they change."""

from __future__ import annotations

import copy
import http.client
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cluster_home import ClusterHome

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import Cluster
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_status import (
    pod_name,
    select_ready,
)

# Answers that have to come while pods change, the last of them perhaps afterwards.
ENOUGH = 30


def altered(plan: dict[str, Any], path: str, change: Callable[[str], str]) -> dict[str, Any]:
    """Return a plan with another text in one of its files, in the folder and in its ConfigMap; what validates it is as before."""
    new = copy.deepcopy(plan)
    folder, _slash, name = path.partition("/")
    for file in new["files"]:
        if file["path"] == path:
            file["content"] = change(file["content"])
    for thing in new["manifests"]:
        annotations = thing["metadata"].get("annotations", {})
        if thing["kind"] == "ConfigMap" and annotations.get("meshlab.envoy/folder") == folder:
            thing["data"][name] = change(thing["data"][name])
    return new


def edge_address(text: str, address: str) -> str:
    """Return listeners whose first one is at another address."""
    return re.sub(r"address: \S+", f"address: {address}", text, count=1)


def deployment_of(plan: dict[str, Any], group: str) -> dict[str, Any]:
    """Return the Deployment of a group, to be altered in place."""
    [found] = [
        one
        for one in plan["manifests"]
        if one["kind"] == "Deployment" and one["metadata"]["labels"]["app.kubernetes.io/name"] == group
    ]
    return found


def pod_of(plan: dict[str, Any], group: str) -> dict[str, Any]:
    """Return the spec of a group's pods, to be altered in place."""
    spec: dict[str, Any] = deployment_of(plan, group)["spec"]["template"]["spec"]
    return spec


def container_of(plan: dict[str, Any], group: str, name: str) -> dict[str, Any]:
    """Return a container of a group's pods, to be altered in place."""
    spec = pod_of(plan, group)
    [found] = [one for one in [*spec["containers"], *spec.get("initContainers", ())] if one["name"] == name]
    return found


@contextmanager
def asked_meanwhile(home: ClusterHome, demo: str, group: str, port: int, path: str) -> Iterator[Counter[str]]:
    """Ask ready pods of a group all the time, through the API server; the counter has how many answers there were of each status."""
    selector = f"meshlab.envoy/demo={home.name(demo)},app.kubernetes.io/name={group}"
    counts: Counter[str] = Counter()
    stopped = threading.Event()

    def work() -> None:
        while not stopped.wait(0.05):
            pods = select_ready(home.cluster.list("Pod", selector)).ready
            name = pod_name(random.choice(pods))
            try:
                status, _body = ask(home.cluster, name, port, path)
                counts[str(status)] += 1
            except (OSError, http.client.HTTPException, ClusterError) as error:
                counts[f"{name}: {error!r}"] += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield counts
        deadline = time.monotonic() + 30
        while sum(counts.values()) < ENOUGH and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        stopped.set()
        thread.join(60)


def ask(cluster: Cluster, pod: str, port: int, path: str) -> tuple[int, str]:
    """Return status and body of a GET to a port of a pod."""
    connection = http.client.HTTPConnection("edge", timeout=10)
    connection.sock = cluster.forward(pod, port)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()
