# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the lines of paths and tokens in YAML text."""

from __future__ import annotations

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation import yaml_position


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a[0].b[1].c", "c: 3"),
        ("a[1]", "- b: []"),
        ("a[0].d.e", "e: 4"),
        ("a[0].b[0]", "- c: 1"),
        ("a[0].missing.c", "- b:"),
    ],
)
def test_path_is_followed_as_far_as_the_text_has_it(path: str, line: str) -> None:
    text = "# a:\na:\n- b:\n  - c: 1\n    # c: 2\n  - x: 2\n    c: 3\n  d:\n    e: 4\n- b: []\n".splitlines()
    span, _followed = yaml_position.follow_path(text, yaml_position.parse_path(path))
    assert text[span.start].strip() == line


LINES = ["# web: a comment", "name: web", "clusters:", "- name: web-2", "  web: x", "- {name: web}"]


@pytest.mark.parametrize(
    ("token", "occurrence", "line"),
    [("web", 0, 4), ("web-2", 0, 3), ("x", 0, 4), ("name", 1, 3), ("name", 9, 5), ("none", 0, None)],
)
def test_token_is_found_as_a_key_first(token: str, occurrence: int, line: int | None) -> None:
    assert yaml_position.find_token(LINES, token, None, occurrence) == line


def test_resource_name_is_the_name_of_its_mapping() -> None:
    lines = ["resources:", "- '@type': x", '  name: "web" # the web', "  other:", "    name: not this"]
    span, followed = yaml_position.follow_path(lines, ["resources", 0])
    assert followed == 2
    assert yaml_position.resource_name(lines, span) == "web"
