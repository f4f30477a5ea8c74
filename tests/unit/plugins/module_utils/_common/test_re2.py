# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns as RE2 reads them: what differs is refused, what does not is read as Python does, and nothing hangs."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import SpecError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.re2 import compile_pattern
from ansible_collections.meshlab.envoy.plugins.module_utils._common.re2_automaton import Automaton


@pytest.mark.parametrize(
    "source",
    [
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
    ],
)
def test_what_python_and_re2_read_differently_is_refused(source: str) -> None:
    with pytest.raises(SpecError, match=r"^match: .*RE2"):
        compile_pattern(source, "match")


@pytest.mark.parametrize("source", ["(", "a{2,1}", "[z-a]", "*a", "(?P<a>x)(?P<a>y)", "x(?i)a"])
def test_what_is_no_pattern_is_said(source: str) -> None:
    with pytest.raises(SpecError, match=r"match"):
        compile_pattern(source, "match")


@pytest.mark.parametrize(
    ("source", "name", "expected"),
    [
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
    ],
)
def test_matches_whole_names(source: str, name: str, expected: bool) -> None:
    assert compile_pattern(source, "match").matches(name) is expected
    assert Automaton(source).fullmatch(name) is expected


@pytest.mark.parametrize(
    "source",
    ["(a+)+b", "(a|aa)+b", "(a*)*b", "(.*)(.*)(.*)(.*)(.*)b", r"(\w+\.?)+!", "a?" * 30 + "a" * 30 + "b"],
)
def test_no_pattern_hangs(source: str) -> None:
    pattern = compile_pattern(source, "match")
    began = time.monotonic()
    assert pattern.matches("a" * 10_000) is False
    assert time.monotonic() - began < 5  # Python's engine takes longer than the universe has


@pytest.mark.parametrize("source", [".*.*b", ".*a.*b", r"\w+[^.]+!", "a?.*a.*b"])
def test_no_long_name_takes_long(source: str) -> None:
    pattern = compile_pattern(source, "match")
    began = time.monotonic()
    assert pattern.matches("a" * 100_000) is False
    assert time.monotonic() - began < 5  # Python's engine takes a minute


def test_a_pattern_that_grows_too_large_is_refused() -> None:
    with pytest.raises(SpecError, match="too large"):
        compile_pattern("((a{100}){100}){100}", "match")


PIECES = st.sampled_from(
    ["a", "b", ".", "[ab]", "[^a]", r"\d", r"\.", "(a|b)", "(?:ab)", r"\b", "^", "$", "[a-c]"]
)
PATTERNS = st.lists(
    st.tuples(PIECES, st.sampled_from(["", "*", "+", "?", "{2}", "{1,3}", "*?"])), max_size=6
).map(
    lambda pieces: "".join(
        piece + (repeat if piece not in (r"\b", "^", "$") else "") for piece, repeat in pieces
    )
)


@given(PATTERNS, st.text(alphabet="abc.1 \n", max_size=12))
def test_the_automaton_agrees_with_python(source: str, name: str) -> None:
    pythons = re.fullmatch(source.replace("$", r"\Z"), name, re.ASCII)
    assert Automaton(source).fullmatch(name) is (pythons is not None)


@given(PATTERNS, st.text(alphabet="abc.1 \n", max_size=12))
def test_whichever_engine_reads_it_a_pattern_means_the_same(source: str, name: str) -> None:
    assert compile_pattern(source, "match").matches(name) is Automaton(source).fullmatch(name)


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
    ],
)
def test_what_a_match_cannot_do_without(source: str, literal: str) -> None:
    assert compile_pattern(source, "match").literal == literal


@given(PATTERNS, st.text(alphabet="abc.1 \n", max_size=12))
def test_what_matches_has_it(source: str, name: str) -> None:
    pattern = compile_pattern(source, "match")
    if pattern.matches(name):
        assert pattern.literal in name
