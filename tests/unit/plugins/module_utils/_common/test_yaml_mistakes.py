# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The line of a mistake in a text that is not YAML, the remedy, and the lines around it."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._common.yaml_mistakes import (
    YamlMistake,
    yaml_mistake,
)


def mistake_of(text: str, secret: bool = False) -> YamlMistake:
    """Return the mistake of a text that is not YAML."""
    with pytest.raises(yaml.YAMLError) as caught:
        yaml.load(text, Loader=yaml.CSafeLoader)
    return yaml_mistake(text, caught.value, secret)


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a: 1\nb: {c: 1\nd: 2\n", 2, "the '{' in this line is not closed. Add '}'."),
        ("a: 1\nb: [1, 2\nd: 2\n", 2, "the '[' in this line is not closed. Add ']'."),
        ("a:\n\tb: 1\n", 2, "a tab indents this line. YAML needs blanks: replace the tab."),
        (
            "a:\n  b:\n    c: 1\n  d: 2\n    e:\n      f: 3\n",
            4,
            "'d: 2' has a value, so line 5 cannot be indented below it. Indent both lines alike.",
        ),
        ("a: 1\nb: see: this\n", 2, "a value contains ': '. Put the value in quotes."),
        (
            "a:\n  - b: 1\n   c: 2\n",
            3,
            "the indentation of this line fits none of the lines above. Indent it like its neighbors.",
        ),
        ('a: 1\nb: "text\nc: 2\n', 2, "the quote that begins in this line is not closed. Add the closing quote."),
        ("a: 1\nb: @x\n", 2, "a value cannot begin with '@'. Put it in quotes."),
        ("a: [*]\n", 1, "'*' and '&' begin an alias or an anchor. Put the text in quotes."),
        ("a: *x\n", 1, "an alias (*name) has no anchor (&name). Put the text in quotes, or define the anchor."),
        ('a: "\\d"\n', 1, "a backslash in double quotes begins an escape sequence. Use single quotes."),
        (
            "a: 1\nb 2\nc: 3\n",
            2,
            "this line has no ':' after its key. Add it, or indent the line as part of the value above.",
        ),
    ],
)  # fmt: skip
def test_mistake_has_line_and_remedy(text: str, line: int, problem: str) -> None:
    found = mistake_of(text)
    assert (found.line, found.problem.splitlines()[0]) == (line, problem)


def test_lines_around_the_mistake_are_shown() -> None:
    assert mistake_of("a: 1\nb: 2\nc: {d: 1\ne: 2\nf: 3\ng: 4\n").problem.splitlines()[1:] == [
        "  1 | a: 1",
        "  2 | b: 2",
        "> 3 | c: {d: 1",
        "  4 | e: 2",
        "  5 | f: 3",
    ]


def test_lines_of_an_encrypted_file_are_not_shown() -> None:
    assert "hunter2" not in mistake_of("password: hunter2\nb: {c: 1\nd: 2\n", secret=True).problem
