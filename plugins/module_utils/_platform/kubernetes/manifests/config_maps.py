# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ConfigMaps and Secrets of the directories of a demo, and the volumes that mount both."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.generated_files import File
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.generated_files import (
    digest as files_digest,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests import (
    object_names,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.pod_template import (
    Object,
    volume_name,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    Workload,
    WorkloadError,
)

CERTIFICATE = ("tls.crt", "tls.key", "ca.crt")
# The bytes of all files of a ConfigMap or a Secret (MaxSecretSize of the Kubernetes API), and of a file with its own ConfigMap.
LIMIT = 1024 * 1024
LARGE = 64 * 1024
# The files, below the directory of a proxy, that change while Envoy runs.
WATCHED = ("clusters.yaml", "listeners.yaml", "routes/*.yaml")
SECRET_MODE = 0o440  # readable by the group of the pod, whatever its user id is


def folders(workloads: Iterable[Workload], contents: Mapping[str, str | bytes]) -> dict[str, str]:
    """Return the mounted directories, each with the digest that changes with the files that are read only at start.

    Several workloads can read one directory. `app`, for example, has the demo app, and the files of an Envoy if a service
    is named `app`. Its digest is that of its files, so that a further workload changes nothing for the others.

    Args:
        workloads: The workloads of the demo.
        contents: The files of the demo, by path.
    """
    found: dict[str, set[str]] = {}
    for workload in workloads:
        for mount in workload.mounts:
            if not mount.writable:
                found.setdefault(mount.source, set()).add(workload.digest)
    return {
        source: "".join(digests) if len(digests) == 1 else _start_digest(source, contents)
        for source, digests in found.items()
    }


def files_by_folder(contents: Mapping[str, str | bytes]) -> dict[str, dict[str, str | bytes]]:
    """Return the files below each directory, by directory and by path below it. `contents` has the files by path."""
    found: dict[str, dict[str, str | bytes]] = {}
    for path, content in contents.items():
        parts = path.split("/")
        for depth in range(1, len(parts)):
            found.setdefault("/".join(parts[:depth]), {})["/".join(parts[depth:])] = content
    return found


def file_config_maps(demo: str, folder: str, digest: str, files: Mapping[str, str | bytes]) -> list[Object]:
    """Return the ConfigMaps of the files below `folder`, by path below it. Large files are in ConfigMaps of their own.

    Their names contain the digest of the files that are read only at start: previous pods keep their ConfigMaps until they
    end. Live files change within the first ConfigMap. Files that are not text are in `binaryData`.

    Raises:
        WorkloadError: The files do not fit into ConfigMaps.
    """
    name = files_object_name(demo, folder, digest)
    return [
        _config_map(demo, part_name, folder, part)
        for part_name, part in file_parts(name, folder, files).items()
    ]


def file_parts(name: str, folder: str, files: Mapping[str, str | bytes]) -> dict[str, dict[str, str | bytes]]:
    """Return the files of each object, by its name: `name` for watched files and small ones, `name-2` and so on for large ones.

    The distribution depends only on the files that are read at start, whose digest is in the names.
    """
    large = {path for path, one in files.items() if not is_watched(path) and _size(one) > LARGE}
    parts = {name: {path: one for path, one in files.items() if path not in large}}
    parts |= {f"{name}-{number}": {path: files[path]} for number, path in enumerate(sorted(large), 2)}
    for part in parts.values():
        _check_size(folder, part)
    return parts


def is_watched(path: str) -> bool:
    """Return whether a file, by its path below the directory of a proxy, changes while Envoy runs."""
    return any(fnmatchcase(path, pattern) for pattern in WATCHED)


def _check_size(folder: str, files: Mapping[str, str | bytes]) -> None:
    """Raise WorkloadError if files do not fit into one ConfigMap or Secret."""
    sizes = {path: _size(content) for path, content in files.items()}
    total = sum(sizes.values())
    if total <= LIMIT:
        return
    listed = ", ".join(f"{path}: {count:,}" for path, count in sizes.items() if count > LARGE)
    remedy = "Use an image that contains the file, or smaller files"
    if any(map(is_watched, files)):
        remedy = "Distribute its clusters and routes over several proxies"
    raise WorkloadError(
        f"{folder}: its files have {total:,} bytes ({listed}), but a ConfigMap or a Secret has at most {LIMIT:,}."
        f" {remedy}, or deploy on a platform without this limit, such as docker."
    )


def _size(content: str | bytes) -> int:
    """Return the number of bytes of a file."""
    return len(content.encode() if isinstance(content, str) else content)


def _config_map(demo: str, name: str, folder: str, files: Mapping[str, str | bytes]) -> Object:
    binary = {
        object_names.config_key(path): base64.b64encode(one).decode()
        for path, one in files.items()
        if isinstance(one, bytes)
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": object_names.metadata(demo, name, annotations={object_names.FOLDER: folder}),
        "data": {object_names.config_key(path): one for path, one in files.items() if isinstance(one, str)},
        **({"binaryData": binary} if binary else {}),
    }


def sensitive_secret(demo: str, folder: str, digest: str, files: Mapping[str, str | bytes]) -> Object:
    """Return the Secret of the sensitive files below `folder`, by path below it. Its name is that of the ConfigMap."""
    _check_size(folder, files)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": object_names.metadata(
            demo, files_object_name(demo, folder, digest), annotations={object_names.FOLDER: folder}
        ),
        "type": "Opaque",
        "data": {
            object_names.config_key(path): base64.b64encode(
                one.encode() if isinstance(one, str) else one
            ).decode()
            for path, one in files.items()
        },
    }


def sensitive_paths(
    demo: str, workloads: Iterable[Workload], sensitive: Iterable[str], contents: Mapping[str, str | bytes]
) -> dict[str, dict[str, str]]:
    """Return for each Secret of sensitive files the path of the file of each key. `sensitive` has the paths."""
    below = files_by_folder(dict.fromkeys(sensitive, ""))
    return {
        files_object_name(demo, folder, digest): {
            object_names.config_key(path): f"{folder}/{path}" for path in below[folder]
        }
        for folder, digest in folders(workloads, contents).items()
        if folder in below
    }


def secret(demo: str, folder: str) -> Object:
    """Return the Secret of the certificate in `folder`. The host that deploys adds the data."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": object_names.metadata(
            demo, secret_name(demo, folder), annotations={object_names.FOLDER: folder}
        ),
        "type": "Opaque",
    }


def volume(
    demo: str,
    folder: str,
    digest: str,
    files: Mapping[str, str | bytes],
    sensitive_files: Mapping[str, str | bytes],
    certificates: Iterable[str],
) -> Object:
    """Return the volume of `folder`: its files by path below it, and the certificates in directories below it.

    `certificates` are the directories of certificates, by path below the folder.
    """
    name = files_object_name(demo, folder, digest)
    secret_items = [
        {"key": object_names.config_key(path), "path": path, "mode": SECRET_MODE} for path in sensitive_files
    ]
    sources: list[dict[str, Any]] = []
    sources += [
        {
            "configMap": {
                "name": part_name,
                "items": [{"key": object_names.config_key(path), "path": path} for path in part],
            }
        }
        for part_name, part in file_parts(name, folder, files).items()
        if part
    ]
    if secret_items:
        sources.append({"secret": {"name": name, "items": secret_items}})
    for below in certificates:
        parts = [{"key": part, "path": f"{below}/{part}", "mode": SECRET_MODE} for part in CERTIFICATE]
        sources.append({"secret": {"name": secret_name(demo, f"{folder}/{below}"), "items": parts}})
    return {"name": volume_name(folder), "projected": {"sources": sources}}


def empty(folder: str) -> Object:
    """Return the volume of a directory that a workload writes to."""
    return {"name": volume_name(folder), "emptyDir": {}}


def secret_name(demo: str, folder: str) -> str:
    """Return the name of the Secret of the certificate in `folder`."""
    return object_names.object_name(demo, *folder.split("/"))


def files_object_name(demo: str, folder: str, digest: str) -> str:
    """Return the name of the ConfigMap, and of the Secret, of the files below `folder`."""
    return object_names.object_name(demo, *folder.split("/"), *([digest] if digest else []))


def _start_digest(folder: str, contents: Mapping[str, str | bytes]) -> str:
    """Return the digest of the files of `folder` that are read only at start."""
    files = files_by_folder(contents).get(folder, {})
    return files_digest(File(path, files[path]) for path in sorted(files) if not is_watched(path))
