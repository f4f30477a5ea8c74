# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a connection to an API server, from the option `cluster`, K8S_AUTH_*, kubeconfigs and service accounts.

The import of the package `kubernetes` takes a quarter of a second (version 37.0.2). It is imported only inside `load_settings`.
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

if TYPE_CHECKING:
    import ssl

DEFAULT_KUBECONFIG = "~/.kube/config"
_SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
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
    configuration: Any = field(repr=False)  # kubernetes.client.Configuration, which renews tokens
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


def load_settings(options: ClusterOptions | Mapping[str, Any] | None) -> ConnectionSettings:
    """Return the settings that the option `cluster` selects; see `cluster_client.connect` for the order of the sources.

    Raises:
        ClusterError: An option or a kubeconfig cannot be used (`invalid`, `no_cluster`), or a login command failed (`unauthorized`).
    """
    given = with_environment(options)
    try:
        from kubernetes import client, config
    except ImportError as error:
        raise ClusterError(
            "no_cluster",
            f"the Python package kubernetes cannot be imported ({error}). Install it for the Python that runs this task.",
        ) from None
    configuration = client.Configuration()
    # The loader writes keys of a kubeconfig to this folder, since OpenSSL reads only files.
    with _loader_lock, tempfile.TemporaryDirectory() as folder:
        try:
            loaded = _load(given, configuration, config, folder)
            _override(given, configuration)
            server = str(configuration.host).rstrip("/")
            tls = _tls_context(configuration) if server.startswith("https://") else None
        finally:
            # Otherwise the loader would use files that do not exist any more.
            getattr(config.kube_config, "_cleanup_temp_files", lambda: None)()
    own_impersonation = impersonation_headers(
        {"as": given.get("impersonate_user"), "as-groups": given.get("impersonate_groups")}
    )
    return ConnectionSettings(
        server=server,
        namespace=given.get("namespace") or loaded.namespace or "default",
        tls=tls,
        server_name=configuration.tls_server_name or "",
        proxy=_proxy(configuration, server),
        origin=loaded.origin,
        configuration=configuration,
        impersonation=own_impersonation or loaded.impersonation,
    )


def _load(given: ClusterOptions, configuration: Any, config: Any, folder: str) -> LoadedContext:
    """Fill the configuration from the first source that there is."""
    has_login = any(all(key in given for key in keys) for keys in _LOGINS)
    if "host" in given and has_login and not ("kubeconfig" in given or "context" in given):
        return LoadedContext("", "option host")
    kubeconfig = given.get("kubeconfig") or os.environ.get("KUBECONFIG") or DEFAULT_KUBECONFIG
    context = given.get("context") or ""
    if isinstance(kubeconfig, Mapping):
        origin = "the kubeconfig in option kubeconfig"
        return load_context(dict(kubeconfig), origin, context, configuration, config, folder)
    paths = [str(Path(path).expanduser()) for path in str(kubeconfig).split(os.pathsep) if path]
    if any(os.path.isfile(path) for path in paths):
        merged = read_kubeconfigs(paths, config)
        return load_context(merged, str(kubeconfig), context, configuration, config, folder)
    if given.get("kubeconfig") or os.environ.get("KUBECONFIG"):
        raise ClusterError(
            "no_cluster", f"there is no kubeconfig {kubeconfig}. Set cluster.kubeconfig to an existing file."
        )
    if "host" in given:
        return LoadedContext("", "option host")
    try:
        config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException:
        raise ClusterError(
            "no_cluster",
            f"there is no kubeconfig {DEFAULT_KUBECONFIG}. Set cluster.kubeconfig or KUBECONFIG to a file,"
            " or set cluster.host and cluster.api_key.",
        ) from None
    namespace = Path(_SERVICE_ACCOUNT, "namespace").read_text(encoding="utf-8").strip()
    return LoadedContext(namespace, "the service account of this pod")


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
