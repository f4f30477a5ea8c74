# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parser and the automaton compared with Python's `re`, on the syntax that both read alike."""

from __future__ import annotations

import re
import warnings

from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2_automaton import (
    Automaton,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2_parser import (
    PatternError,
    parse,
)

NAMES = st.text(alphabet="abAB1_. -]\n\t\v\\é", max_size=10)

POSITIONS = ["^", r"\A", r"\b", r"\B"]
CHARACTERS = st.sampled_from(
    [
        *("a", "b", "A", "1", "_", r"\.", "-", "]", "}", "{", ".", "é"),
        *(r"\d", r"\D", r"\w", r"\W", r"\n", r"\t", r"\x41", r"\\"),
        *(
            "[ab]",
            "[^ab]",
            "[a-c1]",
            "[]a]",
            "[^]a]",
            r"[\d_]",
            r"[^\w.]",
            r"[\D1]",
            r"[a\-b]",
            "[a-]",
            r"[\x41-B]",
        ),
        "[.*+?(){}|^$]",
    ]
)
REPEATS = st.sampled_from(["*", "+", "?", "{2}", "{0,2}", "{1,}", "{2,3}", "*?", "+?", "??", "{1,2}?", "{0}"])


def patterns(flags: list[str], positions: list[str]) -> st.SearchStrategy[str]:
    """Return patterns whose groups have these flags."""

    def combine(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        group = st.tuples(st.sampled_from(["(", "(?:", *(f"(?{flag}:" for flag in flags)]), parts).map(
            lambda pair: f"{pair[0]}{pair[1]})"
        )
        alternation = st.lists(parts, min_size=2, max_size=3).map("|".join)
        sequence = st.lists(parts.filter(lambda text: "|" not in text), max_size=3).map("".join)
        return st.one_of(group, st.tuples(group, REPEATS).map("".join), alternation, sequence)

    single = st.one_of(CHARACTERS, st.sampled_from(positions), st.tuples(CHARACTERS, REPEATS).map("".join))
    beginnings = st.sampled_from(["", *(f"(?{flag})" for flag in flags)])
    return st.tuples(beginnings, st.recursive(single, combine, max_leaves=8)).map("".join)


@given(patterns(["i", "s", "m", "ims"], POSITIONS), NAMES)
def test_automaton_agrees_with_python(source: str, name: str) -> None:
    assume(name or r"\B" not in source)  # Python's \B does not match an empty text before 3.14
    assert Automaton(source).fullmatch(name) is (re.fullmatch(source, name, re.ASCII) is not None)


@given(patterns(["i", "s"], [*POSITIONS, r"\Z", r"\Z"]), NAMES)
def test_end_of_text_is_pythons_z(source: str, name: str) -> None:
    assume(name or r"\B" not in source)
    expected = re.fullmatch(source, name, re.ASCII) is not None
    assert Automaton(source.replace(r"\Z", "$")).fullmatch(name) is expected


@given(st.text(alphabet=r"ab1-^$.|()[]{}?*+,\\dDwWbBAntx:Pims<>=!&~", max_size=12))
def test_python_accepts_what_the_parser_accepts(source: str) -> None:
    try:
        parse(source)
    except PatternError:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of nested sets, which no version has so far
        re.compile(source, re.ASCII)


@given(st.text(alphabet=r"ab1-^.|()[]{}?*+\\dDwWbBAn", max_size=10), NAMES)
def test_random_patterns_agree_with_python(source: str, name: str) -> None:
    try:
        automaton = Automaton(source)
    except PatternError:
        return
    assume(name or r"\B" not in source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        expected = re.fullmatch(source, name, re.ASCII) is not None
    assert automaton.fullmatch(name) is expected
