# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test that the writer returns the text of PyYAML."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common import yaml_text
from ansible_collections.meshlab.envoy.plugins.module_utils._common.yaml_text import plain, to_yaml
from ansible_collections.meshlab.envoy.plugins.module_utils._common.yaml_writer import Unusual, YamlWriter

CHARACTERS = "abcXYZ019 :#-_/.%'\"{}[],&*!|>@`~\n\té…\u2028=?()+nytfo\\$"
WORDS = [
    *(
        "yes",
        "no",
        "on",
        "y",
        "N",
        "null",
        "~",
        "1",
        "0x1",
        "1.0",
        "1e3",
        "0644",
        "2026-01-01",
        "=",
        "<<",
        "5s",
        "",
    ),
    *(
        "a: b",
        "- a",
        "a:b",
        "a:",
        "[::]:80",
        "%REQ(:PATH)%",
        "---",
        "...",
        "a ---",
        " a",
        "a ",
        "a\tb",
        "a #b",
        "a#b",
    ),
    *(
        "one\ntwo",
        "one\ntwo\n",
        "one\n",
        "a\n\n b\n\n\nc\n",
        "a\n\n\n\nb",
        "a\n\n",
        "\na",
        "a\n b",
        "a \nb",
        "é\nü",
        "\n",
    ),
    *("é", "\x07", "a\n\x07", "\U0001f600", "\ufeffa\nb", "a\u2028b", "x" * 3000, "word " * 2000),
    *(
        "k" * 100,
        "k" * 140,
        "ü" * 100,
        "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "true",
        "a, b",
        "a = b",
    ),
]
VALUES = [1, -5, 0.0, -0.0, 1e17, 1.5, float("nan"), 10**20, True, False, None, (1, "a"), (), {}, []]


def random_text(source: random.Random) -> str:
    if source.random() < 0.8:
        return source.choice(WORDS)
    return "".join(source.choice(CHARACTERS) for _number in range(source.randint(0, 12)))


def random_data(source: random.Random, depth: int = 0) -> Any:
    kind = source.random()
    if depth == 0 or (depth < 5 and kind > 0.45):
        size = range(source.randint(0, 4))
        if kind < 0.75:
            return {random_text(source): random_data(source, depth + 1) for _number in size}
        items = [random_data(source, depth + 1) for _number in size]
        return items if kind < 0.95 else tuple(items)
    return source.choice([random_text(source), random_text(source), source.choice(VALUES)])


def text_of_pyyaml(data: Any) -> str:
    return yaml_text._dumped(plain(data))


@pytest.mark.parametrize("seed", range(8))
def test_random_data_is_written_as_by_pyyaml(seed: int) -> None:
    source = random.Random(seed)
    for _number in range(100):
        data = random_data(source)
        assert to_yaml(data) == text_of_pyyaml(data)


@pytest.mark.parametrize("word", WORDS)
def test_each_word_is_written_as_by_pyyaml(word: str) -> None:
    for data in ({"a": word}, [word], {word: 1}, {"a": [{"b": word, "c": [[word]]}]}):
        assert to_yaml(data) == text_of_pyyaml(data)


def pyyaml_is_not_needed(_value: Any) -> str:
    raise AssertionError("PyYAML was called")


def test_plain_words_need_no_pyyaml() -> None:
    data = {
        "name": "outbound|x".replace("|", "_"),
        "address": ["127.0.0.1".join(["a", "b"]), "a:80", 5, True, {}],
    }
    assert YamlWriter(pyyaml_is_not_needed, plain).write(data) == text_of_pyyaml(data)


@pytest.mark.parametrize(
    "data", ["a", None, {}, {"k" * 140: 1}, {"a\nb": 1}, ["x" * 3000 + " y"], ["a\n\nb\n\n"]]
)
def test_unusual_data_is_left_to_pyyaml(data: Any) -> None:
    with pytest.raises(Unusual):
        yaml_text._WRITER.write(data)
