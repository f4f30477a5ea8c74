# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands whose standard output is a pseudo-terminal."""

from __future__ import annotations

import os

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.terminal_command import (
    run_on_terminal,
)


def run(script: str, timeout: float = 60) -> tuple[int, str, str]:
    parts: list[str] = []
    result = run_on_terminal(["sh", "-c", script], timeout, dict(os.environ), parts.append)
    return result.exit_code, "".join(parts), result.stderr


def test_command_prints_to_a_terminal() -> None:
    assert run("test -t 1 && test ! -t 2 && printf a && echo wrong >&2; exit 3") == (3, "a", "wrong\n")


def test_slow_command_is_killed() -> None:
    code, _output, errors = run("exec sleep 60", timeout=0.2)
    assert (code, errors) == (124, "did not end within 0.2 s")


def test_missing_command_leaves_no_descriptor_open() -> None:
    before = len(os.listdir("/dev/fd"))
    with pytest.raises(FileNotFoundError):
        run_on_terminal(["no-such-command"], 1, {}, lambda text: None)
    assert len(os.listdir("/dev/fd")) == before
