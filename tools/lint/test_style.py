# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the language check: it fails on text that the style guide refuses, and passes on text that follows it."""

from __future__ import annotations

from pathlib import Path

import pytest
import style

RULES = style.load()


def found(path: str, text: str) -> list[str]:
    return [str(one) for one in style.check(path, text, RULES)]


def test_finding_names_path_line_word_and_guide() -> None:
    assert found("docs/a.md", "# Title\n\nThe host to whom it talks.\n") == [
        "docs/a.md:3: 'whom' is for people: name the subject. See docs/style.md."
    ]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.md", "Nobody listens on this port."),
        ("a.md", "```sh\nmake demo  # as you are told\n```"),
        ("a.py", '"""Return what the server said."""\n'),
        ("a.py", "x = 1  # the proxy knows it\n"),
        ("a.py", "raise ValueError(f'{name} is told of {place}')\n"),
        ("a.py", 'raise ValueError("the place of " "one\'s own images")\n'),
        ("a.yml", "- name: Ask the server for its version\n"),
        ("a.yml", "# What\n# there is of it\n"),
        ("a.yml", "msg: '{{ name }} has habits'\n"),
        ("Makefile", "## PORT: the port that somebody listens on\n"),
        ("a.go", "// The server believes it.\n"),
        ("a.sh", "#!/bin/sh\nexit 1  # asks for a port\n"),
        ("images/a/Dockerfile", "# The image of one's own\n"),
    ],
)
def test_refused_word_is_found_in_prose(path: str, text: str) -> None:
    assert len(found(path, text)) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.md", "Users who write a demo name `whom` they like.\n\n```py\ntold = asked(whom)\n```\n"),
        ("a.md", "See [the issue](https://example.org/whom/told)."),
        ("a.py", "told = asked['whom'](f'{said} {asked} in time')  # the port is in use\n"),
        ("a.py", "x = ('in', 'words', 'told')\n"),
        ("a.yml", "msg: '{{ told }} {{ asked }} listens'\n"),
        ("a.sh", "#!/bin/sh\nask localhost  # sends a request\n"),
        ("images/a/Dockerfile", "USER nobody\n"),
        ("a.yml", "__told: '{% if asked %}yes{% endif %}'\n"),
    ],
)
def test_code_and_plain_english_pass(path: str, text: str) -> None:
    assert found(path, text) == []


def test_phrase_over_two_comment_lines_is_found_once() -> None:
    assert found("a.py", "# Deletes what\n# there is here.\n") == [
        "a.py:1: 'what there is' is not plain English: name the objects. See docs/style.md."
    ]


def test_line_of_finding_in_long_docstring_is_its_own() -> None:
    [one] = style.check("a.py", '"""Return a port.\n\nNothing else.\nNobody listens on it.\n"""\n', RULES)
    assert one.line == 4


def test_strings_with_code_between_are_not_one_sentence() -> None:
    assert found("a.py", "x = ['a text in', word, 'words of text']\n") == []


def test_long_test_name_is_refused() -> None:
    name = "test_" + "a" * 56
    [one] = found("tests/test_a.py", f"def {name}():\n    pass\n")
    assert one == (
        f"tests/test_a.py:1: the name of the test has 61 characters: shorten {name} to 60. See docs/style.md."
    )
    assert found("tests/test_a.py", f"def {name[:-1]}():\n    pass\n") == []


@pytest.mark.parametrize("name", ["test_whom_it_calls", "_asked", "WishList"])
def test_people_words_in_names_are_refused(name: str) -> None:
    keyword = "class" if name[0].isupper() else "def"
    brackets = "" if keyword == "class" else "()"
    assert len(found("a.py", f"{keyword} {name}{brackets}:\n    pass\n")) == 1


def test_people_word_in_a_file_name_is_refused() -> None:
    [one] = found("tests/test_server_told_of_others.py", "")
    assert one.startswith("tests/test_server_told_of_others.py:1: 'told' in the file name is for people")


def test_allowed_phrase_passes_in_its_file_only() -> None:
    rules = style.Rules(RULES.prose, RULES.names, (style.Allowed("docs/*.md", "visitors who told us"),))
    text = "For the visitors\nwho told us."
    assert style.check("docs/a.md", text, rules) == []
    assert len(style.check("README.md", text, rules)) == 2
    assert len(style.check("docs/a.md", "The server told us.", rules)) == 1


def test_main_fails_on_a_file_with_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "good.md").write_text("The server listens.\n")
    (tmp_path / "bad.md").write_text("The server asks.\n")
    monkeypatch.setattr(style, "ROOT", tmp_path)
    monkeypatch.setattr(style, "files", lambda: ["bad.md", "good.md"])
    assert style.main(["--only", str(tmp_path / "good.md")]) == 0
    assert style.main([]) == 1
    assert capsys.readouterr().out.startswith("bad.md:1: 'asks' is for people")
