# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The choice of the ConfigMap or Secret that has the watched files of each proxy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import Cluster
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.config_map_target import (
    ConfigMapTarget,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.proxy_pods import (
    ProxyPods,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.object_names import (
    config_key,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.object_changes import (
    source_folder,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.object_diff import (
    ObjectKey,
    object_key,
)


def config_map_targets(
    cluster: Cluster,
    folder: Path,
    proxies: Mapping[str, ProxyPods],
    watched_files: Mapping[str, Sequence[str]],
    file_objects: Iterable[Mapping[str, Any]],
    existing: Mapping[ObjectKey, Mapping[str, Any]],
) -> dict[str, ConfigMapTarget]:
    """Return, by proxy, the target of its watched files.

    Args:
        cluster: The cluster.
        folder: The demo's state folder.
        proxies: The pods of each proxy.
        watched_files: For each proxy the paths, below `folder`, of the files that it watches.
        file_objects: The ConfigMaps and Secrets of the plan.
        existing: The objects in the cluster.
    """
    candidates = [one for one in file_objects if source_folder(one) and one.get("data")]
    targets = {}
    for proxy, pods in proxies.items():
        paths = watched_files.get(proxy, ())
        planned = next((one for one in candidates if paths and _has_file(one, paths[0])), None)
        if planned is not None:
            found = existing.get(object_key(planned))
            targets[proxy] = ConfigMapTarget(cluster, folder, pods, planned, paths, found)
    return targets


def _has_file(thing: Mapping[str, Any], path: str) -> bool:
    folder = source_folder(thing)
    return path.startswith(f"{folder}/") and config_key(path.removeprefix(f"{folder}/")) in thing["data"]
