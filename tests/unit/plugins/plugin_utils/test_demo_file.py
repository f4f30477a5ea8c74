# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the reader of demo files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.demo_source import DemoSource, with_line
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo
from ansible_collections.meshlab.envoy.plugins.plugin_utils._demo_file import MAX_DEPTH, read_demo_file

TOPOLOGY = "summary: One\nports: 20000\nservices:\n  web:\n    server:\n      image: x\n      command: [x]\n"


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    return tmp_path / "shop.yml"


def error(demo: Path, text: str) -> str:
    demo.write_text(text)
    with pytest.raises(DemoError) as caught:
        read_demo_file(demo)
    return str(caught.value)


def server(demo: Path, text: str) -> Any:
    demo.write_text(TOPOLOGY + text)
    data, source = read_demo_file(demo)
    return read_demo("shop", data, source=source)["services"]["web"]["server"]


def refused(demo: Path, text: str) -> str:
    demo.write_text(TOPOLOGY + text)
    data, source = read_demo_file(demo)
    with pytest.raises(DemoError) as caught:
        read_demo("shop", data, file="shop.yml", source=source)
    return with_line(caught.value, source)


@pytest.mark.parametrize(
    "text",
    ["yes", "off", "true", "0644", "1.10", "12:30:45", "10000000000000000000000", "1e3", "2024-01-02", "0x1F", "1_000", "''", "a b"],
)  # fmt: skip
def test_environment_has_the_text_of_the_file(demo: Path, text: str) -> None:
    found = server(demo, f"      environment: {{VALUE: {text}, ON: x}}\n")
    assert found["environment"] == {"VALUE": "" if text == "''" else text, "ON": "x"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a, b]", "shop.yml, line 9: services.web.server.environment.VALUE: expected text, got '['a', 'b']'."),
        ("", "shop.yml, line 9: services.web.server.environment.VALUE: expected text, got null. Write '' for an empty text"),
        ("~", "shop.yml, line 9: services.web.server.environment.VALUE: expected text, got null. Write '' for an empty text"),
        ("{a: 1}", "shop.yml, line 9: services.web.server.environment.VALUE: expected text, got '{'a': 1}'."),
    ],
)  # fmt: skip
def test_value_that_is_not_text_is_refused_with_its_line(demo: Path, text: str, message: str) -> None:
    assert refused(demo, f"      environment:\n        VALUE: {text}\n").startswith(message)


def test_source_is_relative_to_the_demo(demo: Path) -> None:
    (demo.parent / "sub").mkdir()
    (demo.parent / "sub" / "a.wasm").write_bytes(b"\0asm\xff")
    found = server(demo, "      files: {a: {source: sub/a.wasm}}\n")
    assert found["files"]["a"].content == b"\0asm\xff"


def test_missing_file_is_refused_with_file_key_and_line(demo: Path) -> None:
    assert refused(demo, "      files:\n        a:\n          source: b.txt\n").startswith(
        "shop.yml, line 10: services.web.server.files.a.source: cannot read 'b.txt': no such file or directory."
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ports: 1\nsummary: a\nports: 2\n", "shop.yml, line 3: the key 'ports' is already in line 1. Keep one of the two."),
        ("a:\n  - {yes: 1, yes: 2}\n", "shop.yml, line 2: the key 'yes' is already in line 2."),
        ("? [a]\n: b\n", "shop.yml, line 1: a key is a list or a mapping. Write text as the key."),
        ("a: &a\n  b: *a\n", "shop.yml, line 1: this value contains an alias of itself. Write out the value."),
        ("a: [\n", "shop.yml, line 1: the '[' in this line is not closed. Add ']'."),
        ("a: !custom b\n", "shop.yml, line 1: invalid YAML: could not determine a constructor"),
        ("[" * 2000 + "]" * 2000, "shop.yml"),
        ("a: " + "[" * 200 + "]" * 200, f"shop.yml, line 1: the demo has more than {MAX_DEPTH} levels of lists and mappings."),
    ],
)  # fmt: skip
def test_wrong_yaml_is_refused_with_its_line(demo: Path, text: str, message: str) -> None:
    assert error(demo, text).startswith(message)


def test_exponential_aliases_are_refused(demo: Path) -> None:
    levels = [f"l{one}: &l{one} [{', '.join([f'*l{one - 1}'] * 9)}]" for one in range(1, 30)]
    text = "\n".join(["l0: &l0 [lol]", *levels])
    assert "the demo has more than 1,000,000 values, with aliases written out" in error(demo, text)


def test_aliases_and_merge_keys_keep_lines(demo: Path) -> None:
    demo.write_text("base: &base\n  a: 010\nuse:\n  <<: *base\n  b: [*base]\n")
    data, source = read_demo_file(demo)
    assert data["use"] == {"a": 8, "b": [{"a": 8}]}
    assert [source.line(path) for path in ("use.a", "use.b[0].a", "use.c")] == [2, 2, 3]
    assert source.written_text("use.a") == "010"


def test_empty_file_has_no_data(demo: Path) -> None:
    demo.write_text("# nothing\n")
    assert read_demo_file(demo) == (None, DemoSource())


def test_missing_demo_is_refused_with_the_nearest_name(demo: Path) -> None:
    demo.write_text("summary: a\n")
    with pytest.raises(DemoError, match="unknown demo 'shp'"):
        read_demo_file(demo.parent / "shp.yml")
