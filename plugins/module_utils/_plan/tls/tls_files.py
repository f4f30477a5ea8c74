# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificates, keys and authorities of a demo's author, as files of a proxy.

The name of a file is a digest of its content: a new certificate changes the configuration, which the proxy applies while it runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.author_files import AuthorFile
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.tls.tls_checks import (
    CERTIFICATE,
    KEY,
    SYSTEM,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.listeners import filter_chains
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.proxy_files import planned_file
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.generated_files import File
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Proxy
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform

SUFFIXES = {CERTIFICATE: "crt", "ca": "crt", KEY: "key"}


def tls_files(proxy: Proxy, platform: Platform) -> list[File]:
    """Return the files that the `tls` of the proxy's listeners and clusters state. A private key is sensitive."""
    files: dict[str, File] = {}
    for tls in [*_listener_tls(proxy), *_cluster_tls(proxy)]:
        for key in SUFFIXES:
            one = tls[key]
            if one is None or _is_system(one):
                continue
            path = _path(proxy, key, one)
            files[path] = planned_file(
                path, replace(one, sensitive=key == KEY or one.sensitive), proxy, platform
            )
    return list(files.values())


def located_tls(tls: Mapping[str, Any] | None, proxy: Proxy, platform: Platform) -> dict[str, Any] | None:
    """Return `tls` of a listener or of a cluster with the path of each file, as Envoy opens it."""
    if tls is None:
        return None
    paths = {key: _path(proxy, key, tls[key]) for key in SUFFIXES if tls[key] is not None}
    if tls["ca"] is not None and _is_system(tls["ca"]):
        paths["ca"] = platform.system_ca()
    return {**tls, **paths}


def located_listener(spec: Mapping[str, Any], proxy: Proxy, platform: Platform) -> dict[str, Any]:
    """Return a listener of the demo with the paths of its TLS files."""
    chains = {
        name: {**chain, "tls": located_tls(chain["tls"], proxy, platform)}
        for name, chain in (spec["filter_chains"] or {}).items()
    }
    return {
        **spec,
        "tls": located_tls(spec["tls"], proxy, platform),
        "filter_chains": chains if spec["filter_chains"] is not None else None,
    }


def needs_demo_certificate(proxy: Proxy) -> bool:
    """Return whether the proxy uses the authority of the demo, for its own certificate or to verify others."""
    listeners = [
        tls
        for tls in _listener_tls(proxy)
        if not tls[CERTIFICATE] or (tls["client_certificate"] and not tls["ca"])
    ]
    clusters = [
        tls
        for tls in _cluster_tls(proxy)
        if not tls["ca"] or (tls["client_certificate"] and not tls[CERTIFICATE])
    ]
    return bool(listeners or clusters)


def has_own_certificate(listener: Mapping[str, Any]) -> bool:
    """Return whether a listener presents a certificate of the author."""
    return any(
        chain["tls"] is not None and chain["tls"][CERTIFICATE] is not None
        for chain in filter_chains(listener)
    )


def _listener_tls(proxy: Proxy) -> Iterator[Mapping[str, Any]]:
    for spec in proxy.spec["listeners"].values():
        yield from (chain["tls"] for chain in filter_chains(spec) if chain["tls"] is not None)


def _cluster_tls(proxy: Proxy) -> Iterator[Mapping[str, Any]]:
    yield from (spec["tls"] for spec in proxy.spec["clusters"].values() if spec["tls"] is not None)


def _is_system(one: AuthorFile) -> bool:
    return one.content == SYSTEM


def _path(proxy: Proxy, key: str, one: AuthorFile) -> str:
    content = one.content.encode() if isinstance(one.content, str) else one.content
    return f"{proxy.name}/tls/{hashlib.sha256(content).hexdigest()[:16]}.{SUFFIXES[key]}"
