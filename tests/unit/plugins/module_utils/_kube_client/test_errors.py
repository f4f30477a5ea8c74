# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors of an API server's responses."""

from __future__ import annotations

import json

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import response_error

DENIED = 'pods is forbidden: User "ci" cannot list resource "pods" in API group "" in the namespace "demo"'
ANONYMOUS = DENIED.replace('"ci"', '"system:anonymous"')
CLUSTER_WIDE = (
    'nodes is forbidden: User "ci" cannot list resource "nodes" in API group "" at the cluster scope'
)
POD_SECURITY = 'pods "a" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true'


@pytest.mark.parametrize(
    ("status", "message", "reason", "expected"),
    [
        (401, "Unauthorized", "unauthorized", "the cluster rejects these credentials. Log in again"),
        (
            403,
            DENIED,
            "forbidden",
            "ci is forbidden to list pods in namespace demo. Bind it to a Role with verb list on pods.",
        ),
        (
            403,
            CLUSTER_WIDE,
            "forbidden",
            "ci is forbidden to list nodes. Bind it to a ClusterRole with verb list on nodes.",
        ),
        (403, ANONYMOUS, "unauthorized", "the request has no credentials. Set cluster.kubeconfig or"),
        (403, POD_SECURITY, "invalid", "pods in namespace demo: violates PodSecurity"),
        (403, "", "forbidden", "pods in namespace demo: forbidden"),
        (404, 'namespaces "demo" not found', "not_found", "there is no namespace demo. Create it, or set"),
        (409, "object is being deleted", "conflict", "pods in namespace demo: object is being deleted"),
        (422, "spec.x: Invalid value", "invalid", "pods in namespace demo: spec.x: Invalid value"),
        (500, "etcdserver: no leader", "server", "pods in namespace demo: etcdserver: no leader"),
        (504, "", "timeout", "pods in namespace demo: the API server returned status 504"),
    ],
)
def test_response_has_a_reason_and_a_message(status: int, message: str, reason: str, expected: str) -> None:
    body = json.dumps({"kind": "Status", "message": message}).encode()
    error = response_error(status, body, "pods in namespace demo")
    assert error.reason == reason
    assert error.message.startswith(expected)


def test_body_of_a_proxy_is_plain_text() -> None:
    error = response_error(502, b"Bad\nGateway", "pods")
    assert (error.reason, error.message) == ("server", "pods: Bad Gateway")
