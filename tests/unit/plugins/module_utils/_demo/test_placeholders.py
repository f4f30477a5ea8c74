# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of placeholders in texts."""

from __future__ import annotations

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.placeholders import (
    address_name,
    address_values,
    check_placeholders,
    fill,
    placeholder_names,
)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("${edge/http} and ${web/app.port}", ["edge/http", "web/app.port"]),
        ("${edge/www.example.com} ${edge/SERVICE|8080}", ["edge/www.example.com", "edge/SERVICE|8080"]),
        ("$HOME ${HOME} ${env:X} $${edge/http}", []),
    ],
)
def test_names_exclude_shell_variables_and_escapes(text: str, names: list[str]) -> None:
    assert placeholder_names(text) == names


def test_fill_replaces_values_and_removes_escapes() -> None:
    values = address_values("edge/http", "http", "[::1]:80", "::1", 80)
    text = "${edge/http} ${edge/http.host} ${edge/http.port} $${edge/http}"
    assert fill(text, values) == "http://[::1]:80 ::1 80 ${edge/http}"


@pytest.mark.parametrize("name", ["edge/http", "edge/http.host", "edge/http.port"])
def test_address_name_has_no_part(name: str) -> None:
    assert address_name(name) == "edge/http"


def test_unknown_placeholder_lists_the_known_ones() -> None:
    check_placeholders("${port} ${web/app.host}", ["web/app"], ["port"], "shop.yml", "notes[0]")
    with pytest.raises(DemoError) as caught:
        check_placeholders("${prt}", ["web/app"], ["port"], "shop.yml", "notes[0]")
    assert str(caught.value) == (
        "shop.yml: notes[0]: unknown placeholder '${prt}'. Use one of: port, web/app; or write $${prt} for that text itself."
    )
