# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the walk through messages with their types."""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.references.typed_messages import (
    typed_messages,
)

ROUTE = "envoy.config.route.v3.Route"


def test_any_in_map_has_the_type_of_its_url() -> None:
    per_route = {"@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy"}
    found = list(typed_messages({"typedPerFilterConfig": {"cors": per_route}}, ROUTE))
    assert [(one.path, one.type.rpartition(".")[2]) for one in found] == [
        ((), "Route"),
        (("typedPerFilterConfig", "cors"), "CorsPolicy"),
    ]
    assert found[1].is_in(ROUTE)


def test_unknown_types_and_wrong_values_are_left_out() -> None:
    value = {"match": 5, "route": {"retry_policy": [None, 1]}, "zzz": {}, "metadata": "x"}
    assert [one.type for one in typed_messages(value, ROUTE)] == [ROUTE, "envoy.config.route.v3.RouteAction"]
    assert list(typed_messages([{"@type": "type.googleapis.com/x.Y"}], "google.protobuf.Any")) == []
    assert list(typed_messages([5, None], ROUTE)) == []


def test_field_is_found_by_both_spellings() -> None:
    [message] = typed_messages({"requestHeadersToRemove": ["x"]}, ROUTE)
    assert message.get("request_headers_to_remove") == (("requestHeadersToRemove",), ["x"])
    assert message.get("name") == ((), None)
