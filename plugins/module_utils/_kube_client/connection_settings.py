# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a connection to an API server, from the option `cluster`, K8S_AUTH_*, kubeconfigs and service accounts.

The package `kubernetes` is imported only for kubeconfigs that `login.plain_kubeconfig` does not read, such as those with a login command.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.tls import (
    TlsError,
    client_context,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_options import (
    ClusterOptions,
    with_environment,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.kubeconfig import (
    Headers,
    LoadedContext,
    impersonation_headers,
    load_context,
    one_line,
    read_kubeconfigs,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.login.client_settings import (
    ClientSettings,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.login.plain_kubeconfig import (
    NotPlainError,
    plain_kubeconfig,
    read_plain_kubeconfigs,
    use_plain_context,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.login.service_account import (
    use_service_account,
)

if TYPE_CHECKING:
    import ssl

DEFAULT_KUBECONFIG = "~/.kube/config"
_TLS_OPTIONS = {
    "ca": "cluster.ca_cert",
    "certificate": "cluster.client_cert",
    "key": "cluster.client_key",
}
_LOGINS = (("api_key",), ("username", "password"), ("client_cert", "client_key"))
# The loader of `kubernetes` has one table of the files that it wrote, for all threads.
_loader_lock = threading.Lock()


@dataclass
class ConnectionSettings:
    """The address of one API server, and the user."""

    server: str  # https://host:port, with a path where the API has one
    namespace: str  # of calls that name no namespace
    tls: ssl.SSLContext | None  # None: without TLS
    server_name: str  # that the server's certificate has to be valid for; empty for the host
    proxy: str
    origin: str  # where the address comes from, for messages
    # ClientSettings or kubernetes.client.Configuration, which renew tokens.
    configuration: Any = field(repr=False)
    impersonation: Headers = ()  # headers, of which several may have the same name

    @property
    def host(self) -> str:
        """Return the host of the API server."""
        return urlsplit(self.server).hostname or ""

    @property
    def port(self) -> int:
        """Return the port of the API server."""
        parts = urlsplit(self.server)
        return parts.port or (443 if parts.scheme == "https" else 80)

    def headers(self) -> dict[str, str]:
        """Return the header that authenticates the user; an expired token is renewed first.

        Raises:
            ClusterError: The token cannot be renewed; the reason is `unauthorized`.
        """
        try:
            setting = self.configuration.auth_settings().get("BearerToken")
        except Exception as error:  # a login command, and the services that it uses, can fail in any way
            raise ClusterError(
                "unauthorized",
                f"the login of {self.origin} cannot be renewed: {one_line(error)}."
                " Log in again, or set cluster.api_key to a token.",
            ) from None
        value = setting.get("value") if setting else None
        return {"authorization": str(value)} if value else {}


@dataclass(frozen=True)
class _Source:
    """Where the settings come from: a kubeconfig with content or paths, a service account, or the options alone."""

    origin: str  # for messages
    content: dict[str, Any] | None = None
    paths: list[str] = field(default_factory=list)
    is_service_account: bool = False


def load_settings(options: ClusterOptions | Mapping[str, Any] | None) -> ConnectionSettings:
    """Return the settings that the option `cluster` selects; see `cluster_client.connect` for the order of the sources.

    Raises:
        ClusterError: An option or a kubeconfig cannot be used (`invalid`, `no_cluster`), or a login command failed (`unauthorized`).
    """
    given = with_environment(options)
    # OpenSSL reads only files, so keys of a kubeconfig are written to this folder.
    with tempfile.TemporaryDirectory() as folder:
        source = _source(given)
        context = given.get("context") or ""
        try:
            settings = ClientSettings()
            loaded = _load_plain(source, context, settings, folder)
        except NotPlainError:
            return _load_with_package(given, source, context, folder)
        return _connection(given, settings, loaded)


def _source(given: ClusterOptions) -> _Source:
    """Return the first source of settings that there is.

    Raises:
        ClusterError: There is none; the reason is `no_cluster`.
    """
    has_login = any(all(key in given for key in keys) for keys in _LOGINS)
    if "host" in given and has_login and not ("kubeconfig" in given or "context" in given):
        return _Source("option host")
    kubeconfig = given.get("kubeconfig") or os.environ.get("KUBECONFIG") or DEFAULT_KUBECONFIG
    if isinstance(kubeconfig, Mapping):
        return _Source("the kubeconfig in option kubeconfig", content=dict(kubeconfig))
    paths = [str(Path(path).expanduser()) for path in str(kubeconfig).split(os.pathsep) if path]
    if any(os.path.isfile(path) for path in paths):
        return _Source(str(kubeconfig), paths=paths)
    if given.get("kubeconfig") or os.environ.get("KUBECONFIG"):
        raise ClusterError(
            "no_cluster", f"there is no kubeconfig {kubeconfig}. Set cluster.kubeconfig to an existing file."
        )
    if "host" in given:
        return _Source("option host")
    return _Source("the service account of this pod", is_service_account=True)


def _load_plain(source: _Source, context: str, settings: ClientSettings, folder: str) -> LoadedContext:
    """Fill the settings without the package `kubernetes`.

    Raises:
        ClusterError: There is no source of settings; the reason is `no_cluster`.
        NotPlainError: The kubeconfig has anything that only the package reads, or an error.
    """
    if source.content is not None:
        return use_plain_context(plain_kubeconfig(source.content), source.origin, context, settings, folder)
    if source.paths:
        merged = read_plain_kubeconfigs(source.paths)
        return use_plain_context(merged, source.origin, context, settings, folder)
    if not source.is_service_account:
        return LoadedContext("", source.origin)
    namespace = use_service_account(settings)
    if namespace is None:
        raise ClusterError(
            "no_cluster",
            f"there is no kubeconfig {DEFAULT_KUBECONFIG}. Set cluster.kubeconfig or KUBECONFIG to a file,"
            " or set cluster.host and cluster.api_key.",
        )
    return LoadedContext(namespace, source.origin)


def _load_with_package(
    given: ClusterOptions, source: _Source, context: str, folder: str
) -> ConnectionSettings:
    """Return the settings of a kubeconfig, read by the package `kubernetes`."""
    try:
        from kubernetes import client, config
    except ImportError as error:
        raise ClusterError(
            "no_cluster",
            f"the Python package kubernetes cannot be imported ({error}). Install it for the Python that runs this task.",
        ) from None
    configuration = client.Configuration()
    with _loader_lock:
        try:
            content = read_kubeconfigs(source.paths, config) if source.content is None else source.content
            loaded = load_context(content, source.origin, context, configuration, config, folder)
            return _connection(given, configuration, loaded)
        finally:
            # Otherwise the loader would use files that do not exist any more.
            getattr(config.kube_config, "_cleanup_temp_files", lambda: None)()


def _connection(given: ClusterOptions, configuration: Any, loaded: LoadedContext) -> ConnectionSettings:
    """Return the settings of a connection.

    Args:
        given: The options, which have precedence.
        configuration: `ClientSettings`, or a `kubernetes.client.Configuration`.
        loaded: The namespace and the impersonation of the source.
    """
    try:
        _override(given, configuration)
        server = str(configuration.host).rstrip("/")
        proxy = _proxy(configuration, server)
    except UnicodeEncodeError:
        raise ClusterError(
            "invalid",
            "cluster.username, cluster.password: a character is not in Latin-1. Use another login.",
        ) from None
    except ValueError as error:
        raise ClusterError(
            "invalid", f"cluster.host: {one_line(error)}. Set it to a URL such as https://host:6443."
        ) from None
    own_impersonation = impersonation_headers(
        {"as": given.get("impersonate_user"), "as-groups": given.get("impersonate_groups")}
    )
    return ConnectionSettings(
        server=server,
        namespace=given.get("namespace") or loaded.namespace or "default",
        tls=_tls_context(configuration) if server.startswith("https://") else None,
        server_name=configuration.tls_server_name or "",
        proxy=proxy,
        origin=loaded.origin,
        configuration=configuration,
        impersonation=own_impersonation or loaded.impersonation,
    )


def _override(given: ClusterOptions, configuration: Any) -> None:
    """Replace values of the kubeconfig by the options."""
    host = given.get("host")
    if host:
        configuration.host = (host if "://" in host else f"https://{host}").rstrip("/")
    if "api_key" in given or ("username" in given and "password" in given):
        configuration.refresh_api_key_hook = None
        configuration.username, configuration.password = given.get("username"), given.get("password")
        token = f"Bearer {given['api_key']}" if "api_key" in given else configuration.get_basic_auth_token()
        configuration.api_key = {"authorization": token}
    paths = {
        "ssl_ca_cert": given.get("ca_cert"),
        "cert_file": given.get("client_cert"),
        "key_file": given.get("client_key"),
    }
    for name, path in paths.items():
        if path:
            setattr(configuration, name, os.path.expanduser(path))
    if "validate_certs" in given:
        configuration.verify_ssl = bool(given["validate_certs"])
    if "proxy" in given:
        configuration.proxy = given["proxy"]


def _tls_context(configuration: Any) -> ssl.SSLContext:
    try:
        return client_context(
            ca=configuration.ssl_ca_cert or None,
            verify=bool(configuration.verify_ssl),
            certificate=configuration.cert_file or None,
            key=configuration.key_file or None,
        )
    except TlsError as error:
        option = _TLS_OPTIONS.get(error.setting, "cluster")
        raise ClusterError(
            "no_cluster", f"{option}: {error}. Set {option}, or correct the kubeconfig."
        ) from None


def _proxy(configuration: Any, server: str) -> str:
    proxy = str(configuration.proxy or "")
    excluded = getattr(configuration, "no_proxy", None)
    if proxy and excluded and proxy_bypass_environment(urlsplit(server).netloc, {"no": str(excluded)}):
        return ""
    return proxy
