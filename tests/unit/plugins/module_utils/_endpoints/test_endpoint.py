# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Endpoints: their texts, and their selection by name."""

from __future__ import annotations

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import (
    Endpoint,
    pick,
    unmatched_patterns,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_parser import parse_endpoints

ENVOYS = parse_endpoints([{"name": name, "url": f"http://{name}"} for name in ("web-1", "web-2", "edge")])
EXPORTER = parse_endpoints([{"name": "exporter", "url": "http://x", "format": "prometheus"}])
ALL = [*ENVOYS, *EXPORTER]
PODS = parse_endpoints([{"name": "pods", "selector": "app=web"}])


@pytest.mark.parametrize(
    ("endpoints", "patterns", "names"),
    [
        (ALL, (), ["web-1", "web-2", "edge"]),
        (EXPORTER, (), ["exporter"]),
        (ALL, ("web-*", "exporter"), ["web-1", "web-2", "exporter"]),
        (ALL, ("edge", "edge"), ["edge"]),
        ([*ALL, *PODS], ("web-3",), ["pods"]),  # a pod can have that name
    ],
)
def test_pick_by_name(endpoints: list[Endpoint], patterns: tuple[str, ...], names: list[str]) -> None:
    assert [endpoint.name for endpoint in pick(endpoints, patterns)] == names


def test_pick_refuses_an_unknown_name() -> None:
    with pytest.raises(
        ArgumentError, match=r"^why: no endpoint has the name 'wob'. Use one of: web-1, web-2, edge,"
    ):
        pick(ALL, ("wob",), "why")


def test_patterns_that_match_no_endpoint() -> None:
    assert unmatched_patterns(ALL, ["web-*", "db-*", "edge"]) == ["db-*"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("web1", True), ("web1/edge", True), ("web?/*", True), ("*", True), ("web2/*", False), ("web", False)],
)
def test_whole_host_matches_each_of_its_endpoints(pattern: str, expected: bool) -> None:
    assert Endpoint("web1", "http", whole_host=True).matches(pattern) is expected


@pytest.mark.parametrize(
    ("endpoint", "where", "authority"),
    [
        (Endpoint("a", "http", "h", 80), "http://h", "h"),
        (Endpoint("a", "https", "h", 8443), "https://h:8443", "h:8443"),
        (Endpoint("a", "http", "::1", 81), "http://[::1]:81", "[::1]:81"),
        (Endpoint("a", "unix", socket="/s"), "unix:///s", "localhost"),
        (Endpoint("a", "http", "h", 1, container="c"), "http://h:1 in container c", "h:1"),
        (Endpoint("a", "http", "h", 1, pod="p"), "http://h:1 in pod p", "h:1"),
    ],
)
def test_texts_of_an_endpoint(endpoint: Endpoint, where: str, authority: str) -> None:
    assert (endpoint.where, endpoint.authority) == (where, authority)
