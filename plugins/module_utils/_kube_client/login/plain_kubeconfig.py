# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubeconfigs whose users log in with a certificate, a token, or a name and a password.

Everything else is left to the package `kubernetes`: logins by a command or by a provider, unknown keys, values of other types, and
each kubeconfig with an error. So all error texts have one source, and a kubeconfig that is read here has the same meaning there.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.kubeconfig import (
    LoadedContext,
    impersonation_headers,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.login.client_settings import (
    ClientSettings,
    basic_login,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.login.file_token import FileToken

_IMPERSONATION = {"as", "as-uid", "as-groups", "as-user-extra"}
_LOGIN = {"token", "tokenFile", "username", "password"}
_CERTIFICATES = {"client-certificate", "client-certificate-data", "client-key", "client-key-data"}
_AUTHORITIES = {"certificate-authority", "certificate-authority-data"}
_KEYS = {
    "contexts": {"cluster", "user", "namespace"},
    "users": _IMPERSONATION | _LOGIN | _CERTIFICATES,
    "clusters": {"server", "insecure-skip-tls-verify", "tls-server-name", "proxy-url"} | _AUTHORITIES,
}
_NO_TEXTS = {"insecure-skip-tls-verify", "extensions", "disable-compression"} | _IMPERSONATION
# Keys that the package `kubernetes` ignores: notes of other programs, and a setting of kubectl's transport.
_IGNORED = {"extensions", "disable-compression"}


class NotPlainError(Exception):
    """A kubeconfig that the package `kubernetes` has to read."""


@dataclass(frozen=True)
class _Entry:
    """A context, a user or a cluster."""

    value: Mapping[str, Any]
    folder: str  # from which its relative paths begin; empty for the working directory


Entries = dict[str, dict[str, _Entry]]  # list of the kubeconfig → name → entry


@dataclass(frozen=True)
class PlainKubeconfig:
    """The content of one kubeconfig, or of several merged ones."""

    current_context: Any
    entries: Entries


def read_plain_kubeconfigs(paths: Sequence[str]) -> PlainKubeconfig:
    """Return the merged content of kubeconfigs: the first entry with a name counts, and the last current context.

    Args:
        paths: The paths; those of missing files are ignored.

    Raises:
        NotPlainError: A file is not a kubeconfig.
    """
    try:
        import yaml
    except ImportError:
        raise NotPlainError from None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    current: Any = None
    entries: Entries = {kind: {} for kind in _KEYS}
    for path in paths:
        if not os.path.exists(path):
            continue
        try:
            content = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 (a safe loader)
        except (OSError, ValueError, RecursionError, yaml.YAMLError):
            raise NotPlainError from None
        if not isinstance(content, dict):
            raise NotPlainError
        folder = os.path.abspath(os.path.dirname(path))
        for kind, known in entries.items():
            for name, entry in _named(content, kind, folder):
                known.setdefault(name, entry)
        current = content.get("current-context", current)
    return PlainKubeconfig(current, entries)


def plain_kubeconfig(content: Mapping[str, Any]) -> PlainKubeconfig:
    """Return a kubeconfig whose content is an option.

    Raises:
        NotPlainError: The content is not a kubeconfig, or two entries have the same name.
    """
    entries: Entries = {}
    for kind in _KEYS:
        pairs = _named(content, kind, "")
        entries[kind] = dict(pairs)
        if len(entries[kind]) != len(pairs):
            raise NotPlainError
    return PlainKubeconfig(content.get("current-context"), entries)


def use_plain_context(
    kubeconfig: PlainKubeconfig, origin: str, name: str, settings: ClientSettings, folder: str
) -> LoadedContext:
    """Fill settings from one context of a kubeconfig.

    Args:
        kubeconfig: The content.
        origin: What messages call the kubeconfig.
        name: The name of the context; empty for the current one.
        settings: The settings to fill. They are useless after an error.
        folder: A folder for the certificates and keys in the kubeconfig, since OpenSSL reads only files.

    Raises:
        NotPlainError: The context has anything that this module does not read.
    """
    context_name = name or kubeconfig.current_context
    if not isinstance(context_name, str):
        raise NotPlainError
    context = _values(kubeconfig, "contexts", context_name)
    user_name = context.value.get("user")
    has_user = bool(user_name) and user_name in kubeconfig.entries["users"]
    user = _values(kubeconfig, "users", str(user_name)) if has_user else _Entry({}, "")
    cluster = _values(kubeconfig, "clusters", context.value.get("cluster"))
    try:
        _use_cluster(cluster, user.value, settings, folder)
        _use_login(user, settings)
        impersonation = impersonation_headers(user.value)
    except (OSError, ValueError):
        raise NotPlainError from None
    namespace = str(context.value.get("namespace") or "")
    return LoadedContext(namespace, f"context {context_name} of {origin}", impersonation)


def _named(content: Mapping[str, Any], kind: str, folder: str) -> list[tuple[str, _Entry]]:
    """Return the entries of one list of a kubeconfig with their names."""
    entries = content.get(kind) or []
    if not isinstance(entries, list):
        raise NotPlainError
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise NotPlainError
    return [(entry["name"], _Entry(entry, folder)) for entry in entries]


def _values(kubeconfig: PlainKubeconfig, kind: str, name: Any) -> _Entry:
    """Return the values of an entry of which all keys and types are known."""
    if not isinstance(name, str) or name not in kubeconfig.entries[kind]:
        raise NotPlainError
    entry = kubeconfig.entries[kind][name]
    values = entry.value.get(kind[:-1])
    if not isinstance(values, dict) or set(values) - _KEYS[kind] - _IGNORED:
        raise NotPlainError
    checked = {key: value for key, value in values.items() if key not in _NO_TEXTS}
    if kind == "contexts":
        checked = {key: value for key, value in checked.items() if value is not None}
    if not all(isinstance(value, str) for value in checked.values()):
        raise NotPlainError
    return _Entry(values, entry.folder)


def _use_cluster(cluster: _Entry, user: Mapping[str, Any], settings: ClientSettings, folder: str) -> None:
    """Fill the address, the certificates and the proxy."""
    server = str(cluster.value.get("server", "")).rstrip("/")
    skips_verification = cluster.value.get("insecure-skip-tls-verify", False)
    if not server or not isinstance(skips_verification, bool):
        raise NotPlainError
    settings.host = server
    if server.startswith("https"):
        # The package `kubernetes` reads relative paths of a user from the folder of the cluster.
        settings.ssl_ca_cert = _file(cluster.value, "certificate-authority", cluster.folder, folder)
        settings.cert_file = _file(user, "client-certificate", cluster.folder, folder)
        settings.key_file = _file(user, "client-key", cluster.folder, folder)
    settings.verify_ssl = not skips_verification
    if "tls-server-name" in cluster.value:
        settings.tls_server_name = str(cluster.value["tls-server-name"])
    if "proxy-url" in cluster.value:
        settings.proxy = str(cluster.value["proxy-url"])
    settings.proxy  # noqa: B018 (raises the error of an address that is no URL)


def _use_login(user: _Entry, settings: ClientSettings) -> None:
    """Fill the first login of a user: a token, its file, or the name and the password."""
    values = user.value
    if "token" in values:
        if values["token"]:
            settings.api_key["BearerToken"] = f"Bearer {values['token']}"
            return
    elif "tokenFile" in values:
        settings.refresh_api_key_hook = FileToken(_normal(user.folder, values["tokenFile"]))
        return
    if "username" in values and "password" in values:
        settings.api_key["BearerToken"] = basic_login(values["username"], values["password"])


def _file(values: Mapping[str, Any], key: str, base: str, folder: str) -> str | None:
    """Return the path of a certificate or key; one that is data in the kubeconfig is written to a file of its own."""
    data = values.get(f"{key}-data")
    if data is not None:
        if not data:
            return None
        path = os.path.join(folder, key)
        Path(path).write_bytes(base64.standard_b64decode(data))
        return path
    if key not in values:
        return None
    path = _normal(base, values[key])
    if not os.path.isfile(path):
        raise NotPlainError
    return path


def _normal(base: str, path: str) -> str:
    return os.path.normpath(os.path.join(base, path))
