# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificates, keys and authorities of a demo's author, as files of a proxy.

Each listener, filter chain or cluster with own files has a directory, and secrets (SDS) that refer to the files in it. A new certificate
changes a file and no configuration, so the proxy loads it while it runs, and no connection is drained.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.author_files import AuthorFile
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.tls.tls_checks import (
    CERTIFICATE,
    KEY,
    SYSTEM,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.any_message import Message
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.listeners import filter_chains
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.tls_contexts import (
    TLS_CERTIFICATE,
    VALIDATION_CONTEXT,
    tls_certificate_secret,
    validation_context_secret,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.proxy_files import planned_file
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.generated_files import File
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Proxy
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform

# The name of each file in the directory of a listener, filter chain or cluster.
FILE_NAMES = {CERTIFICATE: "tls.crt", KEY: "tls.key", "ca": "ca.crt"}
FOLDER = "tls"


def tls_files(proxy: Proxy, platform: Platform) -> list[File]:
    """Return the files that the `tls` of the proxy's listeners and clusters state. A private key is sensitive."""
    return [
        planned_file(
            f"{_directory(proxy, keys)}/{FILE_NAMES[key]}",
            replace(tls[key], sensitive=key == KEY or tls[key].sensitive),
            proxy,
            platform,
        )
        for keys, tls in _stated_tls(proxy)
        for key in FILE_NAMES
        if _is_own(tls[key])
    ]


def own_secrets(proxy: Proxy, platform: Platform) -> dict[str, Message]:
    """Return the SDS file of each certificate and authority of the author, by the name of the secret."""
    found: dict[str, Message] = {}
    for keys, tls in _stated_tls(proxy):
        directory = _directory(proxy, keys)
        watched = proxy.name if platform.watches_directory else directory
        if _is_own(tls[CERTIFICATE]):
            name = _secret(keys, TLS_CERTIFICATE)
            found[name] = tls_certificate_secret(directory, watched, name)
        if _is_own(tls["ca"]):
            name = _secret(keys, VALIDATION_CONTEXT)
            found[name] = validation_context_secret(directory, watched, name)
    return found


def located_tls(
    tls: Mapping[str, Any] | None, keys: tuple[str, ...], proxy: Proxy, platform: Platform, inline: bool
) -> dict[str, Any] | None:
    """Return `tls` of a listener or of a cluster with the path of each file, as Envoy opens it, and the names of its secrets.

    Args:
        tls: The `tls` of the demo.
        keys: The keys above it, see `_stated_tls`.
        proxy: The proxy.
        platform: The platform with the demo.
        inline: Whether the configuration contains the paths itself, for validation, which reads no secrets.
    """
    if tls is None:
        return None
    paths = {
        key: f"{_directory(proxy, keys)}/{name}" for key, name in FILE_NAMES.items() if tls[key] is not None
    }
    secrets = {
        field: _secret(keys, name)
        for field, key, name in (
            ("certificate_secret", CERTIFICATE, TLS_CERTIFICATE),
            ("ca_secret", "ca", VALIDATION_CONTEXT),
        )
        if _is_own(tls[key]) and not inline
    }
    if tls["ca"] is not None and not _is_own(tls["ca"]):
        paths["ca"] = platform.system_ca()
    return {**tls, **paths, **secrets}


def located_listener(
    name: str, spec: Mapping[str, Any], proxy: Proxy, platform: Platform, inline: bool
) -> dict[str, Any]:
    """Return a listener of the demo with the paths of its TLS files, and the names of its secrets."""
    keys = ("listeners", name)
    chains = {
        chain: {**one, "tls": located_tls(one["tls"], (*keys, chain), proxy, platform, inline)}
        for chain, one in (spec["filter_chains"] or {}).items()
    }
    return {
        **spec,
        "tls": located_tls(spec["tls"], keys, proxy, platform, inline),
        "filter_chains": chains if spec["filter_chains"] is not None else None,
    }


def needs_demo_certificate(proxy: Proxy) -> bool:
    """Return whether the proxy uses the authority of the demo, for its own certificate or to verify others."""
    for (kind, *_names), tls in _stated_tls(proxy):
        # What each TLS connection needs, and what it needs with a certificate of the client.
        always, mutual = (CERTIFICATE, "ca") if kind == "listeners" else ("ca", CERTIFICATE)
        if not tls[always] or (tls["client_certificate"] and not tls[mutual]):
            return True
    return False


def has_own_certificate(listener: Mapping[str, Any]) -> bool:
    """Return whether a listener presents a certificate of the author."""
    return any(
        chain["tls"] is not None and chain["tls"][CERTIFICATE] is not None
        for chain in filter_chains(listener)
    )


def _stated_tls(proxy: Proxy) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Yield each `tls` of the proxy with the keys above it: `listeners` or `clusters`, and the names below."""
    for name, spec in proxy.spec["listeners"].items():
        if spec["tls"] is not None:
            yield ("listeners", name), spec["tls"]
        for chain, one in (spec["filter_chains"] or {}).items():
            if one["tls"] is not None:
                yield ("listeners", name, chain), one["tls"]
    for name, spec in proxy.spec["clusters"].items():
        if spec["tls"] is not None:
            yield ("clusters", name), spec["tls"]


def _is_own(one: AuthorFile | None) -> bool:
    """Return whether the author provides the content of a file. The authorities of the system are a file of the host."""
    return one is not None and one.content != SYSTEM


def _directory(proxy: Proxy, keys: tuple[str, ...]) -> str:
    return f"{proxy.name}/{FOLDER}/{_file_name(keys)}"


def _secret(keys: tuple[str, ...], kind: str) -> str:
    return f"{_file_name(keys)}.{kind}"


def _file_name(keys: tuple[str, ...]) -> str:
    """Return the name of the file or directory for the `tls` below keys; no two of them have the same one."""
    text = ".".join(re.sub(r"[^A-Za-z0-9_-]", "_", key) for key in keys)
    if all(re.fullmatch(r"[A-Za-z0-9_-]+", key) for key in keys):
        return text
    return f"{text}-{hashlib.sha256(chr(0).join(keys).encode()).hexdigest()[:8]}"
