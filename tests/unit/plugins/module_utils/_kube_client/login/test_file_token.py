# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens in files, which change while a task runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.connection_settings import (
    load_settings,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.login import file_token


class Clock:
    """A clock that a test moves."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(file_token, "time", clock)
    return clock


@pytest.fixture
def kubeconfig(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "token").write_text("old\n")
    return {
        "clusters": [{"name": "c", "cluster": {"server": "http://c"}}],
        "users": [{"name": "u", "user": {"tokenFile": str(tmp_path / "token")}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }


def test_token_is_read_again_after_a_minute(kubeconfig: Any, clock: Clock, tmp_path: Path) -> None:
    settings = load_settings({"kubeconfig": kubeconfig})
    assert settings.headers() == {"authorization": "Bearer old"}
    (tmp_path / "token").write_text("new")
    clock.now = 59.9
    assert settings.headers() == {"authorization": "Bearer old"}
    clock.now = 60.0
    assert settings.headers() == {"authorization": "Bearer new"}


@pytest.mark.parametrize("text", ["", None, "\n"])
def test_token_that_cannot_be_read_again(
    kubeconfig: Any, clock: Clock, tmp_path: Path, text: str | None
) -> None:
    settings = load_settings({"kubeconfig": kubeconfig})
    if text is None:
        (tmp_path / "token").unlink()
    else:
        (tmp_path / "token").write_text(text)
    clock.now = 60.0
    with pytest.raises(
        ClusterError, match=r"the login of context x of .* cannot be renewed: .*token"
    ) as error:
        settings.headers()
    assert error.value.reason == "unauthorized"


def test_option_replaces_the_token_of_a_file(kubeconfig: Any) -> None:
    settings = load_settings({"kubeconfig": kubeconfig, "api_key": "mine"})
    assert settings.headers() == {"authorization": "Bearer mine"}
