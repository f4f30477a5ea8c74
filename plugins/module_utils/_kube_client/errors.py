# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can go wrong between this host and a cluster, told apart, each in one sentence that says what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

REASONS = (
    "no_cluster",  # no kubeconfig, a context that there is not, nobody who answers
    "unauthorized",
    "forbidden",
    "not_found",
    "conflict",
    "invalid",  # the API server, or an admission controller, refuses the object
    "timeout",
    "server",
    "refused",  # of a port-forward: nothing listens on that port in the pod
    "broken",  # of a port-forward: it was cut
)
_BY_STATUS = {
    400: "invalid",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    408: "timeout",
    409: "conflict",
    413: "invalid",
    422: "invalid",
    504: "timeout",
}
# How the RBAC authorizer words it; an admission controller (Pod Security, a quota) words its 403 otherwise.
_MAY_NOT = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]*)" in API group "[^"]*"'
    r'(?: in the namespace "(?P<namespace>[^"]*)")?'
)
_ADMISSION = re.compile(r'^[^"]* "[^"]*" is forbidden: ')
_NAMESPACE = re.compile(r'^namespaces "([^"]*)" not found$')
_LONGEST = 1_000


class ClusterError(Exception):
    """`reason` is one of REASONS; `words` are for a person."""

    def __init__(self, reason: str, words: str) -> None:
        super().__init__(words)
        self.reason = reason
        self.words = words


def refusal(status: int, body: bytes, what: str) -> ClusterError:
    """An answer other than 2xx, whose body is a Status object as a rule. `what` was asked for: 'Pod web-1 in namespace demo'."""
    said = _said(body)
    reason = _BY_STATUS.get(status, "server" if status >= 500 else "invalid")
    if reason == "unauthorized":
        return ClusterError(
            reason,
            "the cluster does not accept these credentials; log in again, or give others (option cluster)",
        )
    if reason == "forbidden":
        return _forbidden(said, what)
    namespace = _NAMESPACE.match(said)
    if namespace:
        return ClusterError(
            "not_found",
            f"there is no namespace {namespace[1]}; create it, or give another (cluster.namespace)",
        )
    return ClusterError(reason, f"{what}: {said or f'the API server answered {status}'}")


def _forbidden(said: str, what: str) -> ClusterError:
    found = _MAY_NOT.search(said)
    if found is None:
        # Pod Security, a quota or a webhook refuses the object itself.
        return ClusterError(
            "invalid" if said else "forbidden", f"{what}: {_ADMISSION.sub('', said) or 'forbidden'}"
        )
    user, verb, resource = found["user"], found["verb"], found["resource"]
    if user == "system:anonymous":
        return ClusterError(
            "unauthorized",
            "the cluster was asked without credentials; give a kubeconfig, or api_key (option cluster)",
        )
    where = f" in namespace {found['namespace']}" if found["namespace"] else ""
    kind = "Role" if found["namespace"] else "ClusterRole"
    return ClusterError(
        "forbidden",
        f"{user} is forbidden to {verb} {resource}{where}; bind it to a {kind} with verb {verb} on {resource}",
    )


def _said(body: bytes) -> str:
    try:
        status: Any = json.loads(body)
    except ValueError:
        status = None
    if isinstance(status, Mapping):
        words = str(status.get("message") or "")
    else:
        words = " ".join(body.decode("utf-8", "replace").split())
    return words[:_LONGEST]
