# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the option `cluster` to an address, a TLS context and a token, by the `kubernetes` package's own loader of kubeconfigs.

The package is imported here alone and when it is needed: that takes a quarter of a second (seen with 37.0.2), whichever part is wanted.
"""

from __future__ import annotations

import logging
import os
import ssl
import tempfile
import threading
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_options import (
    with_environment,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterator

Pairs = tuple[tuple[str, str], ...]
HOME = "~/.kube/config"
# The loader remembers the files that it wrote by their content, for all threads.
_one_at_a_time = threading.Lock()
_IN_CLUSTER = "/var/run/secrets/kubernetes.io/serviceaccount"
_AUTHENTICATES = (("api_key",), ("username", "password"), ("client_cert", "client_key"))


@dataclass
class Settings:
    """How to talk to one API server."""

    server: str  # https://host:port, and a path where the API is behind one
    namespace: str  # where none is said
    context: ssl.SSLContext | None  # None: without TLS
    server_name: str  # what its certificate is for
    proxy: str
    origin: str  # where the address was read, for messages
    configuration: Any = field(repr=False)  # the client's own, which knows how to renew a token
    # As whom is asked instead, if who asks may do that: headers, of which several may have one name.
    impersonates: Pairs = ()

    @property
    def host(self) -> str:
        return urlsplit(self.server).hostname or ""

    @property
    def port(self) -> int:
        parts = urlsplit(self.server)
        return parts.port or (443 if parts.scheme == "https" else 80)

    def headers(self) -> dict[str, str]:
        """Who asks. A token that has expired is renewed here. Raises ClusterError."""
        try:
            setting = self.configuration.auth_settings().get("BearerToken")
        except Exception as error:  # whatever a login command, or what it asks, comes to
            raise ClusterError(
                "unauthorized",
                f"the login of {self.origin} could not be renewed: {_line(error)}; log in again, or give a token (cluster.api_key)",
            ) from None
        value = setting.get("value") if setting else None
        return {"authorization": str(value)} if value else {}


def load(options: Mapping[str, Any] | None) -> Settings:
    """Reads what the options, K8S_AUTH_*, KUBECONFIG and the service account of a pod say. Raises ClusterError."""
    given = with_environment(options)
    try:
        from kubernetes import client, config
    except ImportError as error:
        raise ClusterError(
            "no_cluster",
            f"the Python package kubernetes is needed to talk to a cluster, and cannot be imported ({error}); "
            "install it for the Python that runs this task",
        ) from None
    configuration = client.Configuration()
    # Keys of a kubeconfig are written to the folder, since OpenSSL reads files only.
    with _one_at_a_time, tempfile.TemporaryDirectory() as folder:
        try:
            namespace, origin, impersonates = _where(given, configuration, config, folder)
            _override(given, configuration)
            server = str(configuration.host).rstrip("/")
            context = _context(configuration) if server.startswith("https://") else None
        finally:
            # Else the loader would remember files that are gone.
            getattr(config.kube_config, "_cleanup_temp_files", lambda: None)()
    return Settings(
        server=server,
        namespace=given.get("namespace") or namespace or "default",
        context=context,
        server_name=configuration.tls_server_name or "",
        proxy=_proxy(configuration, server),
        origin=origin,
        configuration=configuration,
        impersonates=_impersonation(
            {"as": given.get("impersonate_user"), "as-groups": given.get("impersonate_groups")}
        )
        or impersonates,
    )


def _impersonation(user: Mapping[str, Any]) -> Pairs:
    """What a kubeconfig's user says of as whom to ask. Source: "User impersonation" in Kubernetes' documentation."""
    extra = user.get("as-user-extra") or {}
    pairs = [
        ("Impersonate-User", user.get("as")),
        ("Impersonate-Uid", user.get("as-uid")),
        *(("Impersonate-Group", one) for one in user.get("as-groups") or ()),
        *((f"Impersonate-Extra-{quote(key, safe='')}", one) for key, every in extra.items() for one in every),
    ]
    return tuple((name, str(value)) for name, value in pairs if value)


def _where(given: Mapping[str, Any], configuration: Any, config: Any, folder: str) -> tuple[str, str, Pairs]:
    """Fills the configuration; returns the namespace, the origin, and as whom a kubeconfig asks."""
    complete = "host" in given and any(all(key in given for key in keys) for keys in _AUTHENTICATES)
    if complete and not ("kubeconfig" in given or "context" in given):
        return "", "option host", ()
    kubeconfig = given.get("kubeconfig") or os.environ.get("KUBECONFIG") or HOME
    if isinstance(kubeconfig, Mapping):
        return _load_kubeconfig(
            dict(kubeconfig), "the kubeconfig given", given, configuration, config, folder
        )
    paths = [str(Path(path).expanduser()) for path in str(kubeconfig).split(os.pathsep) if path]
    if any(os.path.isfile(path) for path in paths):
        merged = _read(paths, config)
        return _load_kubeconfig(merged, str(kubeconfig), given, configuration, config, folder)
    if given.get("kubeconfig") or os.environ.get("KUBECONFIG"):
        raise ClusterError(
            "no_cluster", f"there is no kubeconfig {kubeconfig}; give the path of one (cluster.kubeconfig)"
        )
    if "host" in given:
        return "", "option host", ()
    try:
        config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException:
        raise ClusterError(
            "no_cluster",
            f"there is no kubeconfig ({HOME}); give one (cluster.kubeconfig or KUBECONFIG), or host and api_key",
        ) from None
    namespace = Path(_IN_CLUSTER, "namespace").read_text(encoding="utf-8").strip()
    return namespace, "this pod's service account", ()


def _read(paths: list[str], config: Any) -> Any:
    import yaml

    try:
        merged = config.kube_config.KubeConfigMerger(os.pathsep.join(paths)).config
    except (
        OSError,
        UnicodeDecodeError,
        yaml.YAMLError,
        config.ConfigException,
        AttributeError,
        TypeError,
    ) as error:
        raise ClusterError(
            "no_cluster", f"the kubeconfig {os.pathsep.join(paths)} cannot be read: {_line(error)}"
        ) from None
    if not isinstance(merged.value, Mapping):
        raise ClusterError("no_cluster", f"{os.pathsep.join(paths)} is no kubeconfig")
    return merged


def _load_kubeconfig(
    kubeconfig: Any, origin: str, given: Mapping[str, Any], configuration: Any, config: Any, folder: str
) -> tuple[str, str, Pairs]:
    plain = kubeconfig if isinstance(kubeconfig, Mapping) else kubeconfig.value
    contexts = sorted(
        str(one["name"])
        for one in plain.get("contexts") or ()
        if isinstance(_plain(one), Mapping) and "name" in one
    )
    wanted = given.get("context") or plain.get("current-context")
    if not wanted:
        raise ClusterError(
            "no_cluster", f"{origin} has no current context; give one (cluster.context): {_or(contexts)}"
        )
    if wanted not in contexts:
        raise ClusterError(
            "no_cluster", f"{origin} has no context {wanted}; it has {_or(contexts)} (cluster.context)"
        )
    said: list[str] = []
    try:
        with _heard(said):
            loader = config.kube_config.KubeConfigLoader(
                config_dict=kubeconfig, active_context=wanted, temp_file_path=folder, config_base_path=None
            )
            loader.load_and_set(configuration)
    except (OSError, KeyError, TypeError, ValueError, AttributeError, config.ConfigException) as error:
        raise ClusterError(
            "no_cluster", f"context {wanted} of {origin} cannot be used: {_line(error)}"
        ) from None
    if said and not configuration.api_key and not configuration.cert_file:
        # The loader logs what its exec plugin said, and goes on without credentials.
        raise ClusterError(
            "unauthorized", f"the login command of context {wanted} of {origin} failed: {said[0]}"
        )
    context = loader.current_context["context"]
    users = {one.get("name"): one.get("user") for one in map(_plain, plain.get("users") or ())}
    return (
        str(context.get("namespace") or ""),
        f"context {wanted} of {origin}",
        _impersonation(users.get(context.get("user")) or {}),
    )


def _override(given: Mapping[str, Any], configuration: Any) -> None:
    """What is given counts more than what a kubeconfig says."""
    if "host" in given:
        host = str(given["host"])
        configuration.host = (host if "://" in host else f"https://{host}").rstrip("/")
    if "api_key" in given or ("username" in given and "password" in given):
        configuration.refresh_api_key_hook = None
        configuration.username, configuration.password = given.get("username"), given.get("password")
        token = f"Bearer {given['api_key']}" if "api_key" in given else configuration.get_basic_auth_token()
        configuration.api_key = {"authorization": token}
    for key, name in (("ca_cert", "ssl_ca_cert"), ("client_cert", "cert_file"), ("client_key", "key_file")):
        if key in given:
            setattr(configuration, name, os.path.expanduser(str(given[key])))
    if "validate_certs" in given:
        configuration.verify_ssl = bool(given["validate_certs"])
    if "proxy" in given:
        configuration.proxy = given["proxy"]


def _context(configuration: Any) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=configuration.ssl_ca_cert or None)
        if not configuration.verify_ssl:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if configuration.cert_file:
            context.load_cert_chain(configuration.cert_file, configuration.key_file or None)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise ClusterError(
            "no_cluster", f"the cluster's certificates or keys cannot be used: {_line(error)}"
        ) from None
    return context


def _proxy(configuration: Any, server: str) -> str:
    proxy = str(configuration.proxy or "")
    without = getattr(configuration, "no_proxy", None)
    if proxy and without and proxy_bypass_environment(urlsplit(server).netloc, {"no": str(without)}):
        return ""
    return proxy


@contextmanager
def _heard(words: list[str]) -> Iterator[None]:
    """What is logged meanwhile, in place of standard error."""

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            words.append(_line(record.getMessage()))

    listener, root = Listener(logging.ERROR), logging.getLogger()
    root.addHandler(listener)
    try:
        yield
    finally:
        root.removeHandler(listener)


def _plain(node: Any) -> Any:
    return getattr(node, "value", node)


def _or(names: list[str]) -> str:
    return ", ".join(names[:20]) or "none"


def _line(error: object) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
