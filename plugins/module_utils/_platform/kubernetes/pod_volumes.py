# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The volumes of pods: which ConfigMaps and Secrets a pod mounts, and how the kubelet is made to update them at once."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import Cluster
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError

# Annotation of a pod. The kubelet updates the pod's volumes when a pod changes, and otherwise within about 90 s (Kubernetes
# documentation, "Mounted ConfigMaps are updated automatically").
REFRESHED = "meshlab.envoy/refreshed"


def mounts(pod: Mapping[str, Any], kind: str, name: str) -> bool:
    """Return whether a volume of a pod contains a ConfigMap or a Secret.

    Args:
        pod: The pod.
        kind: `ConfigMap` or `Secret`.
        name: The name of the ConfigMap or Secret.
    """
    volumes = pod.get("spec", {}).get("volumes") or []
    sources = [
        source
        for volume in volumes
        for source in (volume, *(volume.get("projected", {}).get("sources") or ()))
    ]
    if kind == "Secret":
        return any(
            name in (one.get("secret", {}).get("name"), one.get("secret", {}).get("secretName"))
            for one in sources
        )
    return any(one.get("configMap", {}).get("name") == name for one in sources)


def encoded_data(kind: str, texts: Mapping[str, str]) -> dict[str, str]:
    """Return texts as the `data` of a ConfigMap, or of a Secret, which is in base64."""
    if kind != "Secret":
        return dict(texts)
    return {
        key: base64.b64encode(text.encode(errors="surrogateescape")).decode() for key, text in texts.items()
    }


def decoded_data(thing: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts in a ConfigMap or a Secret, by key."""
    data: Mapping[str, str] = thing.get("data") or {}
    if thing.get("kind") != "Secret":
        return dict(data)
    return {key: base64.b64decode(text).decode(errors="surrogateescape") for key, text in data.items()}


def refresh_volumes(cluster: Cluster, pod: str, data: Mapping[str, str]) -> None:
    """Annotate a pod so that the kubelet updates its volumes at once. A pod that no longer exists is left out.

    Args:
        cluster: The cluster.
        pod: The name of the pod.
        data: The data of the ConfigMap or Secret that changed.

    Raises:
        ClusterError: The patch failed, for example because the user is forbidden to patch pods.
    """
    content = "".join(f"{key}\0{text}\0" for key, text in sorted(data.items()))
    digest = hashlib.sha256(content.encode(errors="surrogateescape")).hexdigest()[:12]
    # The time makes a second refresh for the same data a change, too.
    annotations = {REFRESHED: f"{digest}-{time.time_ns():x}"}
    try:
        cluster.patch("Pod", pod, {"metadata": {"annotations": annotations}})
    except ClusterError as error:
        if error.reason not in ("not_found", "conflict"):
            raise
