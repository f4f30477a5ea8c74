# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors between this host and a cluster: one class, with a reason for programs and a message for people."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

REASONS = (
    "no_cluster",  # no kubeconfig, an unknown context, or an API server that does not answer
    "unauthorized",
    "forbidden",
    "not_found",
    "conflict",
    "invalid",  # the API server or an admission controller rejects the object
    "timeout",
    "server",
    "refused",  # of a port-forward: nothing listens on the port in the pod
    "broken",  # of a port-forward: the connection was cut
)
_REASON_BY_STATUS = {
    400: "invalid",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    408: "timeout",
    409: "conflict",
    413: "invalid",
    422: "invalid",
    429: "server",
    504: "timeout",
}
# The wording of the RBAC authorizer. Admission controllers (Pod Security, quotas) word their 403 differently.
_RBAC_DENIAL = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]*)" in API group "[^"]*"'
    r'(?: in the namespace "(?P<namespace>[^"]*)")?'
)
_ADMISSION_PREFIX = re.compile(r'^[^"]* "[^"]*" is forbidden: ')
_NO_NAMESPACE = re.compile(r'^namespaces "([^"]*)" not found$')
_MAX_MESSAGE = 1_000  # characters
_TOO_MANY_REQUESTS, _SERVER_ERROR = 429, 500
_MAX_RETRY_AFTER = 5.0  # seconds


class ClusterError(Exception):
    """A request to a cluster that failed.

    Attributes:
        reason: One of REASONS.
        message: What is wrong and what to do, in one line.
        transient: Whether the same request can succeed a moment later.
        retry_after: The number of seconds to wait that the API server states; 0 if it states none.
        is_response: Whether the API server sent a response.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        transient: bool = False,
        retry_after: float = 0.0,
        is_response: bool = False,
    ) -> None:
        """Create an error; `reason` is one of REASONS."""
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.transient, self.retry_after, self.is_response = transient, retry_after, is_response


def response_error(status: int, body: bytes, subject: str, retry_after: str = "") -> ClusterError:
    """Return the error of a response whose status is not 2xx.

    Args:
        status: The HTTP status.
        body: The response's body: a Status object as a rule, plain text from a proxy.
        subject: What the request was about, such as `Pod web-1 in namespace demo`.
        retry_after: The header `retry-after`.
    """
    error = _response_error(status, body, subject)
    error.transient = status == _TOO_MANY_REQUESTS or status >= _SERVER_ERROR
    error.is_response = True
    if error.transient and retry_after.isdigit():
        error.retry_after = min(float(retry_after), _MAX_RETRY_AFTER)
    return error


def _response_error(status: int, body: bytes, subject: str) -> ClusterError:
    message = _message_of(body)
    reason = _REASON_BY_STATUS.get(status, "server" if status >= 500 else "invalid")
    if reason == "unauthorized":
        return ClusterError(
            reason,
            "the cluster rejects these credentials. Log in again, or set other credentials in option cluster.",
        )
    if reason == "forbidden":
        return _forbidden(message, subject)
    namespace = _NO_NAMESPACE.match(message)
    if namespace:
        return ClusterError(
            "not_found",
            f"there is no namespace {namespace[1]}. Create it, or set cluster.namespace to another one.",
        )
    return ClusterError(reason, f"{subject}: {message or f'the API server returned status {status}'}")


def _forbidden(message: str, subject: str) -> ClusterError:
    denial = _RBAC_DENIAL.search(message)
    if denial is None:
        # Pod Security, a quota or a webhook rejects the object itself.
        reason = "invalid" if message else "forbidden"
        return ClusterError(reason, f"{subject}: {_ADMISSION_PREFIX.sub('', message) or 'forbidden'}")
    user, verb, resource = denial["user"], denial["verb"], denial["resource"]
    if user == "system:anonymous":
        return ClusterError(
            "unauthorized", "the request has no credentials. Set cluster.kubeconfig or cluster.api_key."
        )
    namespace = f" in namespace {denial['namespace']}" if denial["namespace"] else ""
    kind = "Role" if denial["namespace"] else "ClusterRole"
    return ClusterError(
        "forbidden",
        f"{user} is forbidden to {verb} {resource}{namespace}."
        f" Bind it to a {kind} with verb {verb} on {resource}.",
    )


def _message_of(body: bytes) -> str:
    try:
        status: Any = json.loads(body)
    except ValueError:
        status = None
    if isinstance(status, Mapping):
        message = str(status.get("message") or "")
    else:
        message = " ".join(body.decode("utf-8", "replace").split())
    return message[:_MAX_MESSAGE]
