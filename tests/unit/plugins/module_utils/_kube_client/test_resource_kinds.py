# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of objects and their paths."""

from __future__ import annotations

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.resource_kinds import (
    kind_of,
    kind_of_object,
)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("Pod", "/api/v1/namespaces/demo/pods/a%20b"),
        ("Deployment", "/apis/apps/v1/namespaces/demo/deployments/a%20b"),
        ("Namespace", "/api/v1/namespaces/a%20b"),
    ],
)
def test_path_has_group_namespace_and_quoted_name(kind: str, path: str) -> None:
    assert kind_of(kind).path("demo", "a b") == path


def test_title_has_a_namespace_where_the_kind_has_one() -> None:
    assert kind_of("Pod").title("web-1", "demo") == "Pod web-1 in namespace demo"
    assert kind_of("Node").title("n", "demo") == "Node n"


def test_kind_of_two_groups_is_found_by_group() -> None:
    assert kind_of("Gateway").version == "gateway.networking.k8s.io/v1"
    assert kind_of("Gateway.networking.istio.io").version == "networking.istio.io/v1"


def test_unknown_kinds_are_invalid() -> None:
    with pytest.raises(ClusterError, match="unknown kind 'Widget'") as error:
        kind_of("Widget")
    assert error.value.reason == "invalid"
    with pytest.raises(ClusterError, match="unknown kind 'None None'"):
        kind_of_object({})
