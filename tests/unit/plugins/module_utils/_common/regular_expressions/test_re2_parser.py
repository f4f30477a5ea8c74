# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The syntax trees and the messages of the parser of RE2 patterns."""

from __future__ import annotations

import doctest

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions import re2_parser
from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2_parser import (
    PatternError,
    parse,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2_tree import (
    DIGIT,
    SPACE,
    WORD,
    Alternation,
    Characters,
    Concatenation,
    Node,
    Position,
    Repeat,
)

A, B = Characters(((97, 97),)), Characters(((98, 98),))
NOT_LINE_FEED, EVERY = Characters(((10, 10),), negated=True), Characters((), negated=True)


def sequence(*parts: Node) -> Concatenation:
    return Concatenation(parts)


@pytest.mark.parametrize(
    ("source", "tree"),
    [
        ("", sequence()),
        ("ab", sequence(A, B)),
        ("a|b|", Alternation((sequence(A), sequence(B), sequence()))),
        ("(a)(?:b)(?P<n>a)", sequence(sequence(sequence(A)), sequence(sequence(B)), sequence(sequence(A)))),
        ("(a|b)", sequence(Alternation((sequence(A), sequence(B))))),
        ("a*b+?", sequence(Repeat(A, 0, None), Repeat(B, 1, None))),
        ("a?b??", sequence(Repeat(A, 0, 1), Repeat(B, 0, 1))),
        ("a{2}b{1,}a{0,3}", sequence(Repeat(A, 2, 2), Repeat(B, 1, None), Repeat(A, 0, 3))),
        (r"\x61\x62", sequence(A, B)),
        (".", sequence(NOT_LINE_FEED)),
        ("(?s).", sequence(EVERY)),
        ("(?s:.).", sequence(sequence(sequence(EVERY)), NOT_LINE_FEED)),
        ("^$", sequence(Position("text_start"), Position("text_end"))),
        ("(?m)^$", sequence(Position("line_start"), Position("line_end"))),
        (
            r"\A\b\B",
            sequence(Position("text_start"), Position("word_boundary"), Position("no_word_boundary")),
        ),
        (r"\d\W\s", sequence(Characters(DIGIT), Characters(WORD, negated=True), Characters(SPACE))),
        ("(?i)a", sequence(Characters(((97, 97),), ignore_case=True))),
        ("(?i)1", sequence(Characters(((49, 49),)))),
        ("[ab]", sequence(Characters(((97, 97), (98, 98))))),
        ("[^a-b]", sequence(Characters(((97, 98),), negated=True))),
        (r"[\d\Wa]", sequence(Characters((*DIGIT, (97, 97)), (WORD,)))),
        ("[]a-]", sequence(Characters(((93, 93), (97, 97), (45, 45))))),
        ("a{", sequence(A, Characters(((123, 123),)))),
    ],
)
def test_tree_of_a_pattern(source: str, tree: Node) -> None:
    assert parse(source) == tree


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("(?=a)", "(?=a is not supported by RE2 or by Python. Use ( ) or (?: )"),
        (
            r"a\1",
            r"RE2 and Python read \1 differently, or do not support it. Write the characters themselves",
        ),
        (r"\xg", r"RE2 and Python read \x differently"),
        ("a++", "RE2 has no possessive repetition"),
        ("a**", "RE2 has no repetition of a repetition (*). Put the first one in (?: )"),
        ("a{2}{3}", "RE2 has no repetition of a repetition ({3})"),
        ("a{,3}", "RE2 reads {,n} as text. Write {0,n}"),
        ("a{1001}", "RE2 repeats at most 1000 times"),
        ("a{1,1001}", "RE2 repeats at most 1000 times"),
        ("a{3,2}", "{3,2} has a lower limit above its upper limit"),
        ("*a", r"there is nothing that * repeats. Write \* for the character"),
        ("^+", r"there is nothing that + repeats"),
        ("x(?i)a", "(?i) is only supported at the beginning. Write (?i:…) here"),
        ("(?P<a>x)(?P<a>y)", "two groups have the name a. Rename one"),
        ("(a", r"a ( has no ). Write \( for the character"),
        ("a)", r"a ) has no (. Write \) for the character"),
        ("[a", r"a [ has no ]. Write \[ for the character"),
        ("a\\", "the pattern ends with a backslash"),
        ("[a\\", "the pattern ends with a backslash"),
        ("[z-a]", "the range z-a ends before it begins. Exchange its ends"),
        (r"[\d-z]", r"a class such as \d cannot begin a range"),
        (r"[a-\d]", r"a class such as \d cannot end a range"),
        ("[[:alpha:]]", "[:name:] is RE2's only. Write the characters out, such as [A-Za-z]"),
        ("[a&&b]", "RE2 and Python read && inside [ ] differently. Write a backslash before it"),
        ("[!--]", "RE2 and Python read -- inside [ ] differently"),
        (r"[\b]", r"RE2 and Python read \b differently"),
    ],
)
def test_message_of_a_wrong_pattern(source: str, message: str) -> None:
    with pytest.raises(PatternError) as raised:
        parse(source)
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(
    ("characters", "literal"),
    [
        (A, "a"),
        (Characters(((97, 98),)), ""),
        (Characters(((97, 97),), negated=True), ""),
        (Characters(((97, 97),), ignore_case=True), ""),
        (Characters(((97, 97), (98, 98))), ""),
    ],
)
def test_literal_of_a_set(characters: Characters, literal: str) -> None:
    assert characters.literal == literal


def test_examples() -> None:
    assert doctest.testmod(re2_parser).failed == 0
