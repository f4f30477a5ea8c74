# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificates and keys of a demo's traffic, as files of the deployment folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.author_files import AuthorFile
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.tls.tls_checks import SYSTEM
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.tls.traffic_tls import (
    CLIENT_CERTIFICATE,
    DESCRIPTOR_SET,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.generated_files import File
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform

FOLDER = "traffic"


def traffic_files(entries: Iterable[Mapping[str, Any]], platform: Platform) -> list[File]:
    """Return the files of all entries, on each host, because the traffic can start on any of them."""
    files = dict(_files(entries))
    return [
        File(path, one.content, "0600" if is_key else "0644", host=host, sensitive=is_key or one.sensitive)
        for host in platform.hosts
        for path, (one, is_key) in files.items()
    ]


def located_traffic(entry: Mapping[str, Any], platform: Platform) -> dict[str, Any]:
    """Return an entry with the path of each file on the host. `ca: system` selects the authorities of the host."""
    found = dict(entry)
    if found.get("ca") == SYSTEM:
        found["ca"] = None
    folder = platform.context.folder
    if isinstance(found.get("ca"), AuthorFile):
        found["ca"] = f"{folder}/{_path(found['ca'], 'crt')}"
    if isinstance(found.get(DESCRIPTOR_SET), AuthorFile):
        found[DESCRIPTOR_SET] = f"{folder}/{_path(found[DESCRIPTOR_SET], 'pb')}"
    if isinstance(pair := found.get(CLIENT_CERTIFICATE), Mapping):
        found[CLIENT_CERTIFICATE] = {
            key: f"{folder}/{_path(one, _suffix(key))}" if isinstance(one, AuthorFile) else one
            for key, one in pair.items()
        }
    return found


def _files(entries: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, tuple[AuthorFile, bool]]]:
    """Yield the path of each file, and whether it is a private key."""
    for entry in entries:
        if isinstance(one := entry.get("ca"), AuthorFile):
            yield _path(one, "crt"), (one, False)
        if isinstance(one := entry.get(DESCRIPTOR_SET), AuthorFile):
            yield _path(one, "pb"), (one, False)
        pair = entry.get(CLIENT_CERTIFICATE)
        for key, one in pair.items() if isinstance(pair, Mapping) else ():
            if isinstance(one, AuthorFile):
                yield _path(one, _suffix(key)), (one, key == "key")


def _suffix(key: str) -> str:
    return "key" if key == "key" else "crt"


def _path(one: AuthorFile, suffix: str) -> str:
    content = one.content.encode() if isinstance(one.content, str) else one.content
    return f"{FOLDER}/{hashlib.sha256(content).hexdigest()[:16]}.{suffix}"
