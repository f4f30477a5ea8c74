# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the folders of a user."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.user_folder import (
    expanded_path,
    user_folder,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("/state", "/state"), ("relative", "/home/me/.local/state"), ("", "/home/me/.local/state")],
)
def test_absolute_path_of_the_variable_is_used(
    monkeypatch: pytest.MonkeyPatch, value: str, expected: str
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("XDG_STATE_HOME", value)
    assert user_folder("XDG_STATE_HOME", ".local/state") == Path(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("~/state", "/home/me/state"), ("$HOME/state", "/home/me/state"), ("./envoy", "./envoy"), ("", "")],
)
def test_path_is_expanded_from_home(monkeypatch: pytest.MonkeyPatch, text: str, expected: str) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert expanded_path(text) == expected
