# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One context of a kubeconfig: its address, its credentials, its namespace and its impersonation."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterator

Headers = tuple[tuple[str, str], ...]


class LoadedContext(NamedTuple):
    """What a source of settings contains besides the address and the credentials."""

    namespace: str
    origin: str  # for messages
    impersonation: Headers = ()


def read_kubeconfigs(paths: list[str], config: Any) -> Any:
    """Return the merged content of several kubeconfigs.

    Args:
        paths: The paths; those of missing files are ignored.
        config: The module `kubernetes.config`.

    Raises:
        ClusterError: A file is not a kubeconfig; the reason is `no_cluster`.
    """
    import yaml

    where = os.pathsep.join(paths)
    try:
        merged = config.kube_config.KubeConfigMerger(where).config
    except (
        OSError,
        UnicodeDecodeError,
        RecursionError,
        yaml.YAMLError,
        config.ConfigException,
        AttributeError,
        TypeError,
    ) as error:
        raise ClusterError("no_cluster", f"{where}: not a kubeconfig: {one_line(error)}") from None
    if not isinstance(merged.value, Mapping):
        raise ClusterError("no_cluster", f"{where}: not a kubeconfig: it is not a mapping")
    return merged


def load_context(
    kubeconfig: Any, origin: str, name: str, configuration: Any, config: Any, folder: str
) -> LoadedContext:
    """Fill a configuration from one context of a kubeconfig.

    Args:
        kubeconfig: The content: a mapping, or what `read_kubeconfigs` returned.
        origin: What messages call the kubeconfig.
        name: The name of the context; empty for the current one.
        configuration: The `kubernetes.client.Configuration` to fill.
        config: The module `kubernetes.config`.
        folder: A folder for the certificates and keys in the kubeconfig.

    Raises:
        ClusterError: The context does not exist or cannot be used (`no_cluster`), or its login command failed (`unauthorized`).
    """
    content = kubeconfig if isinstance(kubeconfig, Mapping) else kubeconfig.value
    contexts = sorted(
        str(entry["name"])
        for entry in content.get("contexts") or ()
        if isinstance(_plain(entry), Mapping) and "name" in entry
    )
    known = ", ".join(contexts[:20]) or "none"
    context_name = name or content.get("current-context")
    if not context_name:
        raise ClusterError(
            "no_cluster", f"{origin}: it has no current context. Set cluster.context to one of: {known}."
        )
    if context_name not in contexts:
        raise ClusterError(
            "no_cluster",
            f"{origin}: it has no context {context_name}. Set cluster.context to one of: {known}.",
        )
    logged: list[str] = []
    try:
        with _error_log(logged):
            loader = config.kube_config.KubeConfigLoader(
                config_dict=kubeconfig,
                active_context=context_name,
                temp_file_path=folder,
                config_base_path=None,
            )
            loader.load_and_set(configuration)
    except (OSError, KeyError, TypeError, ValueError, AttributeError, config.ConfigException) as error:
        raise ClusterError(
            "no_cluster", f"{origin}: context {context_name} cannot be used: {one_line(error)}"
        ) from None
    if logged and not configuration.api_key and not configuration.cert_file:
        # The loader logs the error of a login command and continues without credentials.
        raise ClusterError(
            "unauthorized", f"{origin}: the login command of context {context_name} failed: {logged[0]}"
        )
    context = loader.current_context["context"]
    users = {entry.get("name"): entry.get("user") for entry in map(_plain, content.get("users") or ())}
    try:
        impersonation = impersonation_headers(users.get(context.get("user")) or {})
    except ValueError as error:
        raise ClusterError(
            "no_cluster", f"{origin}: the user of context {context_name}: {error}. Correct the kubeconfig."
        ) from None
    return LoadedContext(
        str(context.get("namespace") or ""), f"context {context_name} of {origin}", impersonation
    )


def impersonation_headers(user: Mapping[str, Any]) -> Headers:
    """Return the headers for the keys `as…` of a kubeconfig's user. Source: Kubernetes documentation, "User impersonation".

    Raises:
        ValueError: A key has a value of another type.
    """
    extra = user.get("as-user-extra") or {}
    if not isinstance(user.get("as-groups") or [], (list, tuple)):
        raise ValueError("as-groups is not a list")
    if not isinstance(extra, Mapping) or not all(isinstance(one, (list, tuple)) for one in extra.values()):
        raise ValueError("as-user-extra is not a mapping of lists")
    pairs = [
        ("Impersonate-User", user.get("as")),
        ("Impersonate-Uid", user.get("as-uid")),
        *(("Impersonate-Group", group) for group in user.get("as-groups") or ()),
        *(
            (f"Impersonate-Extra-{quote(str(key), safe='')}", value)
            for key, values in extra.items()
            for value in values
        ),
    ]
    return tuple((name, str(value)) for name, value in pairs if value)


@contextmanager
def _error_log(messages: list[str]) -> Iterator[None]:
    """Append log messages of level ERROR to a list, in place of standard error."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(one_line(record.getMessage()))

    handler, root = Handler(logging.ERROR), logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)


def _plain(node: Any) -> Any:
    """Return the value of a node of the loader's merged kubeconfig."""
    return getattr(node, "value", node)


def one_line(error: object) -> str:
    """Return the text of an error in one line of at most 300 characters."""
    return " ".join(str(error).split())[:300] or type(error).__name__
