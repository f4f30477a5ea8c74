# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the scripts that shellcheck reads."""

from __future__ import annotations

import pytest
from shell import SHEBANG


@pytest.mark.parametrize("line", [b"#!/bin/sh\n", b"#!/usr/bin/env bash\n", b"#! /bin/dash -e\n"])
def test_shebang_of_a_shell_is_found(line: bytes) -> None:
    assert SHEBANG.match(line)


@pytest.mark.parametrize("line", [b"#!/usr/bin/env python3\n", b"# /bin/sh\n", b"#!/bin/fish\n"])
def test_shebang_of_another_program_is_ignored(line: bytes) -> None:
    assert not SHEBANG.match(line)
