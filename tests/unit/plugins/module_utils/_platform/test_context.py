# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the planning context."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.context import read_context
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.registry import PLANNERS


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({"platforms": "local"}, "context: unknown key 'platforms'. Did you mean 'platform'?"),
        (
            {"platform": "podman"},
            "context: platform: unknown platform 'podman'. Use one of: docker, kubernetes, local, openshift.",
        ),
        ({"platform": None}, "context: platform: missing. Add the key."),
        ({"folder": ""}, "context: folder: missing. Add the key."),
        (
            {"envoy": {"path": "x"}},
            "context.envoy: unknown key 'path'. Use one of: executable, image, version.",
        ),
        ({"python": {"imgae": "x"}}, "context.python: unknown key 'imgae'. Did you mean 'image'?"),
        ({"envoy": "envoy"}, "context.envoy: expected a mapping, got 'envoy'."),
        ({"replicas": 3}, "context.replicas: expected a mapping, got '3'."),
        (
            {"bind": "localhost"},
            "context.bind: expected an IP address, such as 127.0.0.1 or 0.0.0.0, got 'localhost'.",
        ),
        ({"bind": 1}, "context.bind: expected text, got '1'."),
        ({"change": ["x"]}, "context.change: expected text, got '['x']'."),
    ],
)
def test_wrong_context_is_refused(context: dict[str, Any], message: str) -> None:
    with pytest.raises(DemoError) as caught:
        read_context({"platform": "local", "folder": "/state", **context}, PLANNERS)
    assert str(caught.value) == message


def test_missing_keys_of_a_context_have_defaults() -> None:
    context = read_context(
        {"platform": "docker", "folder": "/s", "bind": None, "envoy": {"version": None}}, PLANNERS
    )
    assert (context.bind, context.envoy.version) == ("127.0.0.1", "")
