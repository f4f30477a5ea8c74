# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Folders of a demo → ConfigMaps, Secrets, and the volumes that put both where a workload looks for them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests import (
    object_names,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.pod_template import (
    Object,
    volume_name,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload

CERTIFICATE = ("tls.crt", "tls.key", "ca.crt")
SECRET_MODE = 0o440  # the pod's group reads it, whoever the pod runs as


def folders(workloads: Iterable[Workload]) -> dict[str, str]:
    """Return the folders that are mounted, each with the digest of what is read from it only at start.

    Several may read one folder, such as `app`: the demo app's, and that of the Envoy of a service of that name.
    """
    found: dict[str, set[str]] = {}
    for workload in workloads:
        for mount in workload.mounts:
            if not mount.writable:
                found.setdefault(mount.source, set()).add(workload.digest)
    return {source: _one_digest(digests - {""}) for source, digests in found.items()}


def config_map(demo: str, folder: str, digest: str, contents: Mapping[str, str]) -> Object:
    """Return the ConfigMap of the files below `folder`.

    What is read only at start is in its name: pods of before keep what they started with until they go. What is live is
    not, and changes in place.
    """
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": object_names.metadata(
            demo, _config_map_name(demo, folder, digest), annotations={object_names.FOLDER: folder}
        ),
        "data": {object_names.config_key(path): text for path, text in _below(folder, contents).items()},
    }


def secret(demo: str, folder: str) -> Object:
    """Return the Secret of the certificate in `folder`, without data: that is made where the demo is deployed."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": object_names.metadata(
            demo, secret_name(demo, folder), annotations={object_names.FOLDER: folder}
        ),
        "type": "Opaque",
    }


def volume(
    demo: str, folder: str, digest: str, contents: Mapping[str, str], certificates: Sequence[str]
) -> Object:
    """Return the volume of `folder`: its files, and the certificates in folders below it."""
    items = [{"key": object_names.config_key(path), "path": path} for path in _below(folder, contents)]
    sources: list[dict[str, Any]] = []
    if items:
        sources.append({"configMap": {"name": _config_map_name(demo, folder, digest), "items": items}})
    for one in certificates:
        if one.startswith(f"{folder}/"):
            below = one.removeprefix(f"{folder}/")
            parts = [{"key": part, "path": f"{below}/{part}", "mode": SECRET_MODE} for part in CERTIFICATE]
            sources.append({"secret": {"name": secret_name(demo, one), "items": parts}})
    return {"name": volume_name(folder), "projected": {"sources": sources}}


def empty(folder: str) -> Object:
    """Return the volume of a folder that a workload writes to."""
    return {"name": volume_name(folder), "emptyDir": {}}


def secret_name(demo: str, folder: str) -> str:
    """Return the name of the Secret of the certificate in `folder`."""
    return object_names.object_name(demo, *folder.split("/"))


def _one_digest(digests: set[str]) -> str:
    if len(digests) < 2:
        return "".join(digests)
    return hashlib.sha256("\0".join(sorted(digests)).encode()).hexdigest()[:12]


def _config_map_name(demo: str, folder: str, digest: str) -> str:
    return object_names.object_name(demo, *folder.split("/"), *([digest] if digest else []))


def _below(folder: str, contents: Mapping[str, str]) -> dict[str, str]:
    start = f"{folder}/"
    return {path.removeprefix(start): text for path, text in contents.items() if path.startswith(start)}
