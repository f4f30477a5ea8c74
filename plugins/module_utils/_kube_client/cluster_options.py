# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option `cluster`: the cluster to use and the user. Keys and environment variables are those of kubernetes.core."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, cast

from ansible_collections.meshlab.envoy.plugins.module_utils._common.suggestions import unknown_name
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError


class ClusterOptions(TypedDict, total=False):
    """The option `cluster`; plugins/doc_fragments/cluster.py documents the keys. A missing key and None mean the same."""

    kubeconfig: str | Mapping[str, Any] | None  # paths with ":" between them, or the content of a kubeconfig
    context: str | None
    namespace: str | None
    host: str | None  # https://host:port
    api_key: str | None
    username: str | None
    password: str | None
    ca_cert: str | None  # a path, as client_cert and client_key
    client_cert: str | None
    client_key: str | None
    validate_certs: bool | None
    proxy: str | None
    impersonate_user: str | None
    impersonate_groups: Sequence[str] | None


CLUSTER_OPTIONS: dict[str, Any] = {
    # As data it holds keys and tokens; for a path see `kubeconfig_path`.
    "kubeconfig": {"type": "raw", "no_log": True},
    "context": {"type": "str"},
    "namespace": {"type": "str"},
    "host": {"type": "str"},
    "api_key": {"type": "str", "no_log": True},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "ca_cert": {"type": "path"},
    "client_cert": {"type": "path"},
    "client_key": {"type": "path", "no_log": False},
    "validate_certs": {"type": "bool"},
    "proxy": {"type": "str"},
    "impersonate_user": {"type": "str"},
    "impersonate_groups": {"type": "list", "elements": "str"},
}
CLUSTER_ARGS: dict[str, Any] = {"cluster": {"type": "dict", "options": CLUSTER_OPTIONS}}

# kubernetes.core reads the variables K8S_AUTH_<key> and K8S_AUTH_<alias>.
_ALIASES = {
    "ca_cert": "SSL_CA_CERT",
    "client_cert": "CERT_FILE",
    "client_key": "KEY_FILE",
    "validate_certs": "VERIFY_SSL",
}
_FALSE = ("0", "false", "no")


def allow_kubeconfig_path_in_output(module: Any) -> None:
    """Let an AnsibleModule print the path of a kubeconfig: only the content of a kubeconfig is a secret."""
    module.no_log_values.discard(kubeconfig_path(module.params))


def kubeconfig_path(options: Mapping[str, Any]) -> str | None:
    """Return the path in the option `cluster.kubeconfig` of a module; None if the option is not set or has the content of a file."""
    given = (options.get("cluster") or {}).get("kubeconfig")
    # Data may have become text on its way to the module.
    return given if isinstance(given, str) and not {"{", "\n"} & {*given} else None


def with_environment(
    options: ClusterOptions | Mapping[str, Any] | None, environment: Mapping[str, str] | None = None
) -> ClusterOptions:
    """Return the options that have a value, set or from K8S_AUTH_*, in their types.

    Args:
        options: The option `cluster`.
        environment: The environment variables; those of this process by default.

    Raises:
        ClusterError: A key is unknown; the reason is `invalid`.
    """
    environment = os.environ if environment is None else environment
    given = {key: value for key, value in (options or {}).items() if value is not None and value != ""}
    for key in given:
        if key not in CLUSTER_OPTIONS:
            raise ClusterError("invalid", f"cluster: {unknown_name('key', key, CLUSTER_OPTIONS)}")
    found: dict[str, Any] = {}
    for key in CLUSTER_OPTIONS:
        value = given.get(key)
        if value is None:
            value = environment.get(f"K8S_AUTH_{key.upper()}") or (
                environment.get(f"K8S_AUTH_{_ALIASES[key]}") if key in _ALIASES else None
            )
        if value or value is False:
            found[key] = value
    if isinstance(found.get("impersonate_groups"), str):
        found["impersonate_groups"] = [group for group in found["impersonate_groups"].split(",") if group]
    if isinstance(found.get("validate_certs"), str):
        found["validate_certs"] = found["validate_certs"].lower() not in _FALSE
    return cast("ClusterOptions", found)
