# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the YAML writer: types, quotes, blocks and order."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._common.yaml_text import plain, to_yaml


class Text(str):
    """A subclass of str, as Ansible passes it."""

    __slots__ = ()


class Data(dict[str, Any]):
    """A subclass of dict, as Ansible passes it."""


def test_keys_keep_their_order() -> None:
    assert to_yaml({"b": 1, "a": [2]}) == "b: 1\na:\n- 2\n"


@pytest.mark.parametrize("text", ["y", "N", "yes", "on", "true", "null", "1", "1.0", "0644"])
def test_text_that_envoy_parses_as_another_type_is_quoted(text: str) -> None:
    assert to_yaml({"a": text}) == f"a: '{text}'\n"


def test_text_of_several_lines_is_a_literal_block() -> None:
    assert to_yaml({"a": "one\ntwo\n"}) == "a: |\n  one\n  two\n"


def test_text_that_begins_with_a_space_is_quoted() -> None:
    text = to_yaml({"a": "  one\ntwo\n"})
    assert "|" not in text
    assert yaml.safe_load(text) == {"a": "  one\ntwo\n"}


def test_long_text_is_not_folded() -> None:
    assert to_yaml({"a": "word " * 200}).count("\n") == 1


def test_repeated_data_has_no_aliases() -> None:
    shared = {"x": [1]}
    assert "&" not in to_yaml([shared, shared])


def test_plain_has_only_the_types_of_json() -> None:
    data = Data({Text("a"): (Text("b"), True, 1, 1.5, None), "c": dt.date(2026, 1, 1)})
    result = plain(data)
    assert result == {"a": ["b", True, 1, 1.5, None], "c": "2026-01-01"}
    assert [type(value) for value in (result, result["a"], result["a"][0], result["a"][1])] == [
        dict,
        list,
        str,
        bool,
    ]


@pytest.mark.parametrize(
    "text", ["y", "n", "Y", "N", "yes", "off", "null", "~", "1", "0x1", "1.0", "", "a: b", "- a"]
)
def test_text_stays_text_in_yaml(text: str) -> None:
    assert to_yaml({"a": text}).strip() in (f"a: '{text}'", f'a: "{text}"')
    assert yaml.safe_load(to_yaml({text: [text]})) == {text: [text]}
