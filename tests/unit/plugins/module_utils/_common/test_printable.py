# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test that no text that is printed controls a terminal, and that each module and action prints through `printable`."""

from __future__ import annotations

import ast
import re
import unicodedata
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.printable import (
    printable,
    printable_data,
    printable_result,
)

PLUGINS = Path(__file__).resolve().parents[5] / "plugins"
ATTACKS = {
    "clear the screen": ("\x1b[2J", r"\x1b[2J"),
    "OSC 8 link": ("\x1b]8;;http://x\x1b\\text\x1b]8;;\x07", r"\x1b]8;;http://x\x1b\text\x1b]8;;\x07"),
    "C1 control sequence": ("\x9b31m", r"\x9b31m"),
    "C1 operating system command": ("\x9d0;title\x9c", r"\x9d0;title\x9c"),
    "overwrite the line": ("failed\rok    ", r"failed\x0dok    "),
    "backspace": ("abc\b\b\b", r"abc\x08\x08\x08"),
    "bell": ("\a", r"\x07"),
    "bidirectional override": ("a\u202egnp.exe", r"a\u202egnp.exe"),
    "bidirectional isolate": ("\u2066x\u2069", r"\u2066x\u2069"),
    "line separator": ("a\u2028b", r"a\u2028b"),
    "invisible": ("a\u200bb\ufeff", r"a\u200bb\ufeff"),
    "tag": ("\U000e0041", r"\U000e0041"),
    "surrogate": ("\ud800", r"\ud800"),
    "delete": ("\x7f", r"\x7f"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_control_characters_are_shown_as_escapes(attack: str) -> None:
    text, shown = ATTACKS[attack]
    assert printable(text) == shown


def test_usual_text_is_unchanged() -> None:
    text = "täßt 100 % → 日本語 👩\u200d💻 עברית\n\tindented \\x1b"
    assert printable(text) == text


def test_no_control_character_of_unicode_remains() -> None:
    every = "".join(map(chr, range(0x110000)))
    left = {one for one in printable(every) if unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp")}
    assert left == {"\n", "\t"}


def test_printed_keys_of_a_result_are_printable() -> None:
    odd = "\x1b[2J"
    result = printable_result(
        msg=odd,
        warnings=[odd],
        diff=[{"before": odd, "after_header": odd}],
        reasons=[odd],
        body=odd,
        changed=True,
    )
    assert result.pop("body") == odd  # data
    assert "\x1b" not in str(result.values()).replace("\\x1b", "")
    assert "\x1b" not in "".join(
        [result["msg"], *result["warnings"], *result["reasons"], *result["diff"][0].values()]
    )


def calls(path: Path, *names: str) -> list[str]:
    """Return the first argument of each call of a method with one of these names."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]
    return [
        ast.unparse(node.args[0] if node.args else node.keywords[0].value)
        for node in found
        if node.func.attr in names  # type: ignore[attr-defined]
    ]


@pytest.mark.parametrize(
    "path",
    [
        *(PLUGINS / "modules").glob("*.py"),
        *(PLUGINS / "action").glob("*.py"),
        *(PLUGINS / "plugin_utils").glob("*.py"),
        PLUGINS / "module_utils/_admin/admin_task.py",
    ],
    ids=lambda path: path.name,
)
def test_everything_is_printed_through_printable(path: Path) -> None:
    printed = calls(path, "exit_json", "fail_json", "warn", "display", "warning", "error")
    # UP_AND_ERASE is a constant; `replacing`, and `start` of demo_watch, add constants to a printable text.
    safe = r"(replacing\(|start \+ )?printable(_result)?\(|UP_AND_ERASE$"
    assert [one for one in printed if not re.match(safe, one)] == []


def test_data_is_printable_with_its_keys() -> None:
    assert printable_data({"a\x1b": ["\u202e", 1, None, {"b": "c\n"}]}) == {
        "a\\x1b": ["\\u202e", 1, None, {"b": "c\n"}]
    }
