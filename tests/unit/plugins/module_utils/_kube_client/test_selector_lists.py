# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requests for the objects of several label selectors."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.selector_lists import (
    list_by_selector,
)


def pod(**labels: str) -> dict[str, Any]:
    return {"metadata": {"labels": labels}}


class FakeLists:
    """A cluster whose lists have fixed objects, whatever their selector."""

    def __init__(self, *objects: dict[str, Any]) -> None:
        self.objects = objects
        self.requests: list[tuple[str, str]] = []

    def list(self, kind: str, selector: str = "", *, namespace: str = "") -> list[dict[str, Any]]:
        assert kind == "Pod"
        self.requests.append((selector, namespace))
        if "broken" in selector:
            raise ClusterError("forbidden", "ci is forbidden to list pods.")
        return [*self.objects]


def lists(cluster: Any, *selectors: str, namespace: str = "") -> dict[str, list[dict[str, Any]]]:
    return list_by_selector(cluster, "Pod", selectors, namespace)


def test_selectors_with_one_differing_label_share_a_request() -> None:
    web, api = pod(demo="shop", name="web", more="1"), pod(demo="shop", name="api")
    cluster = FakeLists(web, api)
    found = lists(cluster, "demo=shop,name=web", "demo=shop,name=api", "demo=shop,name=db", namespace="n")
    assert found == {"demo=shop,name=web": [web], "demo=shop,name=api": [api], "demo=shop,name=db": []}
    assert cluster.requests == [("demo=shop,name in (web,api,db)", "n")]


def test_equal_selectors_share_a_request() -> None:
    cluster = FakeLists(pod(demo="shop"))
    assert lists(cluster, "demo=shop", "demo=shop") == {"demo=shop": [*cluster.objects]}
    assert cluster.requests == [("demo=shop", "")]


@pytest.mark.parametrize(
    "selectors",
    [
        ("demo=shop,name=web", "demo=bank,name=api"),
        ("demo=shop", "demo=shop,name=api"),
        ("demo in (shop,bank)", "name!=web"),
        ("", "name"),
        ("name=web,name=api", "name=web"),
    ],
)
def test_other_selectors_have_requests_of_their_own(selectors: tuple[str, ...]) -> None:
    cluster = FakeLists(pod(name="web"))
    assert lists(cluster, *selectors) == {one: [*cluster.objects] for one in selectors}
    assert sorted(cluster.requests) == sorted((one, "") for one in selectors)


def test_long_selectors_are_divided() -> None:
    cluster = FakeLists()
    assert len(lists(cluster, *(f"name=web-{number}" for number in range(120)))) == 120
    assert len(cluster.requests) == 3
    assert max(len(selector) for selector, _namespace in cluster.requests) < 500


def test_failed_request_is_raised() -> None:
    with pytest.raises(ClusterError, match="forbidden to list pods"):
        lists(FakeLists(), "name=web", "broken=1,name=api")
