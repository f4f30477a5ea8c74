# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the types, the addresses and the merge rule of Envoy messages."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.any_message import (
    any_message,
    discovery_response,
    overlay,
)


def test_equal_resources_have_equal_version_infos() -> None:
    first, same, other = (discovery_response([{"name": name}]) for name in ("web", "web", "edge"))
    assert first == same
    assert first["resources"] == [{"name": "web"}]
    assert first["version_info"].startswith("sha256:")
    assert first["version_info"] != other["version_info"]


@pytest.mark.parametrize(
    ("overrides", "merged"),
    [
        (None, {"a": {"b": 1}, "l": [1]}),
        ({"c": 2}, {"a": {"b": 1}, "l": [1], "c": 2}),
        ({"a": {"c": 2}}, {"a": {"b": 1, "c": 2}, "l": [1]}),
        ({"a": {"b": 3}}, {"a": {"b": 3}, "l": [1]}),
        ({"l": [2]}, {"a": {"b": 1}, "l": [1, 2]}),
        ({"l": None}, {"a": {"b": 1}}),
        ({"a": {"b": None}}, {"a": {}, "l": [1]}),
        ({"a": 5, "l": {"x": 1}}, {"a": 5, "l": {"x": 1}}),
    ],
)
def test_overlay_merges_messages_and_appends_lists(overrides: Any, merged: Any) -> None:
    message = {"a": {"b": 1}, "l": [1]}
    assert overlay(message, overrides) == merged
    assert message == {"a": {"b": 1}, "l": [1]}


def test_overlay_replaces_an_any_of_another_type() -> None:
    message = {"typed_config": any_message("a.A", x=1)}
    other = {"typed_config": any_message("b.B", y=2)}
    assert overlay(message, other) == other


@pytest.mark.parametrize("override", [any_message("a.A", y=2), {"y": 2}], ids=["with its type", "without"])
def test_overlay_merges_an_any_of_the_same_type(override: dict[str, Any]) -> None:
    message = {"typed_config": any_message("a.A", x=1)}
    assert overlay(message, {"typed_config": override}) == {"typed_config": any_message("a.A", x=1, y=2)}
