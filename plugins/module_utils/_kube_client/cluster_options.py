# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option `cluster`: which cluster, and as whom. Keys and environment variables are those of kubernetes.core."""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError

CLUSTER_OPTIONS: dict[str, Any] = {
    # As data it holds keys and tokens; of a path see `show_path`.
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

# kubernetes.core reads both names.
_ALSO = {
    "ca_cert": "SSL_CA_CERT",
    "client_cert": "CERT_FILE",
    "client_key": "KEY_FILE",
    "validate_certs": "VERIFY_SSL",
}
_NO = ("0", "false", "no")


def show_path(module: Any) -> None:
    """Let an AnsibleModule tell where a kubeconfig is: that is no secret, as what is in one is."""
    given = (module.params["cluster"] or {}).get("kubeconfig")
    # Data may have become text on its way.
    if isinstance(given, str) and not {"{", "\n"} & {*given}:
        module.no_log_values.discard(given)


def with_environment(
    options: Mapping[str, Any] | None, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The options that have a value, given or from K8S_AUTH_*, in their types. Raises ClusterError for a key that is none."""
    environment = os.environ if environment is None else environment
    given = {key: value for key, value in (options or {}).items() if value is not None and value != ""}
    for key in given:
        if key not in CLUSTER_OPTIONS:
            near = get_close_matches(key, CLUSTER_OPTIONS, 1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(CLUSTER_OPTIONS)}"
            raise ClusterError("invalid", f"cluster: {key!r} is no key of it; {hint}")
    answer = {}
    for key in CLUSTER_OPTIONS:
        value = given.get(key)
        if value is None:
            value = environment.get(f"K8S_AUTH_{key.upper()}") or (
                environment.get(f"K8S_AUTH_{_ALSO[key]}") if key in _ALSO else None
            )
        if value:
            answer[key] = value
        elif value is False:
            answer[key] = False
    if isinstance(answer.get("impersonate_groups"), str):
        answer["impersonate_groups"] = [one for one in answer["impersonate_groups"].split(",") if one]
    if isinstance(answer.get("validate_certs"), str):
        answer["validate_certs"] = answer["validate_certs"].lower() not in _NO
    return answer
