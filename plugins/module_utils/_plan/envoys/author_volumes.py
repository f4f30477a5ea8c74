# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The volumes that an author mounts into the container of a proxy."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError, check_known
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Proxy
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import EMPTY, Volume

# Kinds of volumes that a mount names: a directory of the host, and objects of a cluster.
NAMED_KINDS = ("host", "config_map", "secret", "claim")
KEYS = (*NAMED_KINDS, "writable")
# Directories in the container that the collection mounts itself.
RESERVED = ("/", "/tmp", "/etc/envoy", "/dev", "/proc", "/sys")  # noqa: S108  (a container's own)


def author_volumes(proxy: Proxy, platform: Platform) -> tuple[Volume, ...]:
    """Return the volumes of `mounts`, by their paths in the container.

    Raises:
        DemoError: A mount is wrong, or the platform does not have this kind of volume.
    """
    file = platform.demo["file"]
    found = [
        _volume(str(target), {} if spec is None else spec, file, f"{proxy.key}.mounts.{target}")
        for target, spec in proxy.spec["mounts"].items()
    ]
    for one in found:
        if problem := _problem(one, platform):
            raise DemoError(file, f"{proxy.key}.mounts.{one.target}: {problem}")
    return tuple(found) if platform.volume_kinds else ()


def _volume(target: str, spec: Any, file: str, where: str) -> Volume:
    if not target.startswith("/") or posixpath.normpath(target) != target or target in RESERVED:
        raise DemoError(
            file,
            f"{where}: expected an absolute path in the container, without '..' and other than {', '.join(RESERVED)}.",
        )
    if not isinstance(spec, Mapping):
        raise DemoError(
            file, f"{where}: expected a mapping such as {{host: /srv/data}}, or {{}} for an empty directory."
        )
    for key in spec:
        check_known(str(key), KEYS, file, where, "key")
    kinds = [kind for kind in NAMED_KINDS if spec.get(kind) is not None]
    if len(kinds) > 1:
        raise DemoError(file, f"{where}: has {' and '.join(map(repr, kinds))}. Keep one of them.")
    kind = kinds[0] if kinds else EMPTY
    name = spec.get(kind, "")
    if not isinstance(name, str):
        raise DemoError(file, f"{where}.{kind}: expected text. Put it in quotes.")
    if kind == "host" and not name.startswith("/"):
        raise DemoError(file, f"{where}.host: expected an absolute path on the host, got '{name}'.")
    writable = spec.get("writable", kind == EMPTY)
    if not isinstance(writable, bool):
        raise DemoError(file, f"{where}.writable: expected true or false, got '{writable}'.")
    return Volume(kind, target, name, writable)


def _problem(volume: Volume, platform: Platform) -> str:
    """Return why a workload of the platform cannot mount a volume, and the remedy. Empty: it can."""
    if volume.kind in platform.volume_kinds:
        return ""
    if platform.volume_kinds:
        kinds = ", ".join(platform.volume_kinds)
        return f"{platform.context.platform} has no volume of kind '{volume.kind}'. Use one of: {kinds}."
    if volume.kind != "host" or volume.name == volume.target:
        return ""
    return f"a process opens the paths of its host. Use the path {volume.name} in the configuration, and as the mount."
