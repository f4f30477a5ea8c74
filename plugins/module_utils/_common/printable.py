# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts from a demo, a server or a program, without characters that control a terminal or hide text."""

from __future__ import annotations

import re
from typing import Any

# Escape sequences begin with ESC (ECMA-48) or a C1 control; OSC 8 makes a link with any text. Line feed and tab stay.
# Further: bidirectional controls (Unicode TR 9), which show text in another order; line and paragraph separators; characters without
# width; surrogates, which no stream can encode; tags, which are invisible.
_CONTROLS = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
# The keys of a task's result that Ansible prints as text. Other keys are data.
_PRINTED = ("msg", "warnings", "deprecations", "diff", "reasons", "exception")


def printable(text: str) -> str:
    r"""Return a text in which each control character is replaced by its escape.

    Example:
        >>> printable("a\x1b[2Jb\u202e")
        'a\\x1b[2Jb\\u202e'
    """
    return _CONTROLS.sub(_escape, text)


def printable_result(**result: Any) -> dict[str, Any]:
    """Return a task's result in which all texts that Ansible prints are printable."""
    return {key: _printable(value) if key in _PRINTED else value for key, value in result.items()}


def end_module(module: Any, result: dict[str, Any]) -> None:
    """End an AnsibleModule with a printable result: as a failure if its `failed` is true, with a warning for each of its `warnings`."""
    for warning in result.pop("warnings", ()):
        module.warn(printable(warning))
    end = module.fail_json if result.pop("failed", False) else module.exit_json
    end(**printable_result(**result))


def printable_data(value: Any) -> Any:
    """Return data in which all texts, also those of keys, are printable."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {printable_data(key): printable_data(one) for key, one in value.items()}
    return [printable_data(one) for one in value] if isinstance(value, (list, tuple)) else value


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        # A text without control characters stays the same object, with the tags of Ansible.
        return printable(value) if _CONTROLS.search(value) else value
    if isinstance(value, (list, tuple)):
        return [_printable(one) for one in value]
    if isinstance(value, dict):
        return {key: _printable(one) for key, one in value.items()}
    return value


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
