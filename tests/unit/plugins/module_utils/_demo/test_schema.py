# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the schema of a demo file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.schema import DEMO, Schema


def schemas(schema: Schema, path: str = "demo") -> Iterator[tuple[str, Schema]]:
    """Yield (path, schema) of each mapping of a demo."""
    yield path, schema
    for key, inner in {**schema.nested, **schema.entries}.items():
        yield from schemas(inner, f"{path}.{key}")


ALL = dict(schemas(DEMO))


@pytest.mark.parametrize("path", ALL)
def test_nested_keys_are_mappings(path: str) -> None:
    schema = ALL[path]
    assert {*schema.nested, *schema.entries} <= schema.options.keys()
    assert all(schema.options[key]["type"] == "dict" for key in (*schema.nested, *schema.entries))


@pytest.mark.parametrize("path", ALL)
def test_required_keys_have_no_default(path: str) -> None:
    for option in ALL[path].options.values():
        assert not (option.get("required") and "default" in option)


def test_schema_with_a_required_key_is_required() -> None:
    assert DEMO.required
    assert not ALL["demo.services"].required
