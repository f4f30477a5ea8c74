# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns of options: their messages, their matches, and the text that each match contains."""

from __future__ import annotations

import doctest
import json
import re
import subprocess
import time
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpreters import interpreter

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions import re2
from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2 import (
    MAX_PATTERN,
    compile_pattern,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2_automaton import (
    Automaton,
)

REFUSED = [
    r"(?=a)",
    r"(?<!a)b",
    r"(a)\1",
    r"a++",
    r"a*+",
    r"\pN",
    r"[[:alpha:]]",
    r"(?P<x>a)(?P=x)",
    "a{,3}",
    r"a\z",
    r"a\Z",
    r"\Qa.b\E",
    r"[a&&b]",
    r"(?x)a b",
    r"(?#no)a",
    r"(?>a)",
    "a{1001}",
    r"\u0041",
    r"[\b]",
    "a{2}+",
]
WRONG = [
    "(",
    "a{2,1}",
    "[z-a]",
    "*a",
    "(?P<a>x)(?P<a>y)",
    "x(?i)a",
    ")",
    "[a",
    "a**",
    "^*",
    "\\",
    r"[\d-z]",
    "(" * 2_000,
]
MATCHES = [
    (r"cluster\..*\.upstream_rq_5xx", "cluster.a.b.upstream_rq_5xx", True),
    (r"cluster\..*\.upstream_rq_5xx", "cluster.a.upstream_rq_5xxx", False),
    (r"upstream", "cluster.upstream", False),  # the whole name, not a part of it
    (r"\d+", "٣", False),  # RE2's digits are ASCII
    (r"\w", "é", False),
    (r"a.b", "a\nb", False),
    (r"(?s)a.b", "a\nb", True),
    (r"(?i)LIVE", "live", True),
    (r"a|b", "ab", False),
    (r"a{3}", "aaa", True),
    (r"[^]a]", "]", False),
    (r"", "", True),
    (r"a$", "a", True),
    ("a$\n", "a\n", False),
    ("a$.*", "a\n", False),
    (r"(?s)a$.", "a\n", False),
    ("(?m)a$\n", "a\n", True),
    (r"a\sb", "a b", True),
    (r"a\sb", "a\vb", False),
    (r"a[\s]b", "a\vb", False),
    (r"a\Sb", "a\vb", True),
    (r"a[^\S]b", "a b", True),
    (r"[\D]+", "ab", True),
    (r"[\D5]+", "a5", True),
    (r"[\D5]+", "a4", False),
    (r"(?i:a)b", "Ab", True),
    (r"(?i:a)b", "AB", False),
    (r"(?i)[a-c]", "B", True),
    (r"(?i)[^a-c]", "B", False),
    (r"\x41\t\.", "A\t.", True),
    (r"[a-]", "-", True),
    (r"[[a]", "[", True),
    (r"a{,", "a{,", True),
    (r"\bab\b", "ab", True),
    (r"a\Bb", "ab", True),
    (r"(?:a|b)*c", "abac", True),
    (r"(a?){3}", "aa", True),
]


@pytest.mark.parametrize("source", REFUSED)
def test_syntax_that_python_and_re2_read_differently_is_refused(source: str) -> None:
    with pytest.raises(ArgumentError, match=r"^match: .*RE2"):
        compile_pattern(source, "match")


@pytest.mark.parametrize("source", WRONG)
def test_wrong_pattern_is_refused(source: str) -> None:
    with pytest.raises(ArgumentError, match=r"^match: .*\.$"):
        compile_pattern(source, "match")


def test_pattern_that_is_too_long_is_refused() -> None:
    compile_pattern("a" * MAX_PATTERN, "match")
    with pytest.raises(ArgumentError, match="match: expected at most 2000 characters, got 2001"):
        compile_pattern("a" * (MAX_PATTERN + 1), "match")


def test_pattern_that_needs_too_many_states_is_refused() -> None:
    with pytest.raises(ArgumentError, match="needs more than 20000 states"):
        compile_pattern("((a{100}){100}){100}", "match")


@pytest.mark.parametrize(("source", "name", "expected"), MATCHES)
def test_whole_names_match(source: str, name: str, expected: bool) -> None:
    assert compile_pattern(source, "match").matches(name) is expected
    assert Automaton(source).fullmatch(name) is expected


def test_pattern_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compile_pattern("[[a]b", "match")


@pytest.mark.parametrize(
    "source",
    ["(a+)+b", "(a|aa)+b", "(a*)*b", "(.*)(.*)(.*)(.*)(.*)b", r"(\w+\.?)+!", "a?" * 30 + "a" * 30 + "b"],
)
def test_no_pattern_backtracks(source: str) -> None:
    pattern = compile_pattern(source, "match")
    began = time.monotonic()
    assert pattern.matches("a" * 10_000) is False
    assert time.monotonic() - began < 5  # `re` takes longer than the age of the universe


@pytest.mark.parametrize("source", [".*.*b", ".*a.*b", r"\w+[^.]+!", "a?.*a.*b"])
def test_long_names_take_linear_time(source: str) -> None:
    pattern = compile_pattern(source, "match")
    began = time.monotonic()
    assert pattern.matches("a" * 100_000) is False
    assert time.monotonic() - began < 5  # `re` takes a minute


@pytest.mark.parametrize(
    ("source", "literal"),
    [
        (r"cluster\..*\.upstream_rq_5xx", ".upstream_rq_5xx"),
        (r"http\.[^.]+\.downstream_cx_active", ".downstream_cx_active"),
        (r"ab?cd+ef{2}", "a"),
        (r"(long_text)?ab", "ab"),
        (r"[]long_text]ab[\]more]", "ab"),
        (r"one|another", ""),
        (r"(?i)live", ""),
        (r".*", ""),
        (r'"quoted"', "quoted"),
    ],
)
def test_literal_of_a_pattern(source: str, literal: str) -> None:
    assert compile_pattern(source, "match").literal == literal


PIECES = st.sampled_from(
    ["a", "b", ".", "[ab]", "[^a]", r"\d", r"\.", "(a|b)", "(?:ab)", r"\b", "^", "$", "[a-c]", r"\s"]
)
PATTERNS = st.lists(
    st.tuples(PIECES, st.sampled_from(["", "*", "+", "?", "{2}", "{1,3}", "*?"])), max_size=6
).map(
    lambda pieces: "".join(
        piece + (repeat if piece not in (r"\b", "^", "$") else "") for piece, repeat in pieces
    )
)


@given(PATTERNS, st.text(alphabet="abc.1 \n\v", max_size=12))
def test_both_engines_agree(source: str, name: str) -> None:
    assert compile_pattern(source, "match").matches(name) is Automaton(source).fullmatch(name)


@given(PATTERNS, st.text(alphabet="abc.1 \n", max_size=12))
def test_each_match_contains_the_literal(source: str, name: str) -> None:
    pattern = compile_pattern(source, "match")
    if pattern.matches(name):
        assert pattern.literal in name


def test_examples() -> None:
    assert doctest.testmod(re2).failed == 0


PROGRAM = r"""
import json, sys
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2 import compile_pattern
from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2_automaton import Automaton

refused, matches = json.load(sys.stdin)
for source in refused:
    try:
        compile_pattern(source, "match")
    except ArgumentError:
        continue
    sys.exit("accepted: " + repr(source))
for source, name, expected in matches:
    for engine in (compile_pattern(source, "match").matches, Automaton(source).fullmatch):
        if engine(name) is not expected:
            sys.exit("%r and %r: expected %r" % (source, name, expected))
print(sys.version_info[:2])
"""


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.11", "3.13"])
def test_patterns_on_each_interpreter(version: str) -> None:
    # The file is <root>/ansible_collections/meshlab/envoy/plugins/module_utils/_common/regular_expressions/re2.py.
    root = Path(re2.__file__).parents[7]
    ran = subprocess.run(
        [interpreter(version), "-W", "error", "-c", PROGRAM],
        input=json.dumps([REFUSED + WRONG, MATCHES]),
        env={"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.stdout.strip(), ran.stderr) == (f"({version.replace('.', ', ')})", "")


def test_python_compiles_each_accepted_pattern() -> None:
    for source, _name, _expected in MATCHES:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            re.compile(source, re.ASCII)
