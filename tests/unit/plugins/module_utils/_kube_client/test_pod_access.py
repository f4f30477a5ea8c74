# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The access of a task to pods."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fake_api_server import FakeApiServer, fake_api_server, pod

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_access import PodAccess

NAMESPACE = "GET /api/v1/namespaces/demo"


@pytest.fixture
def api_server() -> Iterator[FakeApiServer]:
    with fake_api_server() as server:
        yield server


@pytest.fixture
def access(api_server: FakeApiServer) -> Iterator[PodAccess]:
    access = PodAccess(api_server.options())
    yield access
    access.close()


def test_cluster_is_connected_to_once(access: PodAccess) -> None:
    assert access.cluster() is access.cluster()


def test_ready_pods_are_returned_with_the_unready(api_server: FakeApiServer, access: PodAccess) -> None:
    api_server.set_pods("demo", pod("a"), pod("b", ready=False))
    found = access.pods("app=web")
    assert [one["metadata"]["name"] for one in found.ready] == ["a"]
    assert [name for name, _reason in found.unready] == ["b"]


def test_no_ready_pod_is_not_found(api_server: FakeApiServer, access: PodAccess) -> None:
    api_server.set_pods("demo", pod("b", ready=False))
    with pytest.raises(ClusterError, match="no pod of app=web in namespace demo is ready") as error:
        access.pods("app=web")
    assert error.value.reason == "not_found"


def test_missing_namespace_is_named(api_server: FakeApiServer, access: PodAccess) -> None:
    api_server.set_pods("demo")
    with pytest.raises(ClusterError, match=r"there is no namespace demo\. Check that http://127"):
        access.pods("app=web")


@pytest.mark.parametrize("status", [200, 403])
def test_empty_namespace_is_not_reported_as_missing(
    api_server: FakeApiServer, access: PodAccess, status: int
) -> None:
    api_server.set_pods("demo")
    api_server.respond(NAMESPACE, {"kind": "Namespace"}, status)
    with pytest.raises(ClusterError, match="The namespace has no pods"):
        access.pods("app=web")


def test_missing_reason_of_replaced_and_deleted_pods(api_server: FakeApiServer, access: PodAccess) -> None:
    terminating = pod("c", deletionTimestamp="2026-01-01T00:00:00Z")
    api_server.set_pods("demo", pod("a", uid="1"), terminating)
    assert access.missing_reason("a", "demo", "1") == ""
    assert access.missing_reason("a", "demo", "2") == "pod a no longer exists, and a new pod has its name"
    assert access.missing_reason("b", "demo") == "pod b no longer exists"
    assert access.missing_reason("c", "demo") == "pod c no longer exists (it is being deleted)"


def test_missing_reason_is_empty_without_an_api_server() -> None:
    access = PodAccess({"host": "http://127.0.0.1:1", "api_key": "x"})
    assert access.missing_reason("a", "demo") == ""
    access.close()
