# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The desired state, compared with responses of the admin."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._admin import desired_state
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError

NOW = {"admin": "info", "http": "info", "upstream": "error"}


def test_arguments_become_a_desired_state() -> None:
    params = {
        "logging": {"level": "info", "loggers": None},
        "runtime_modify": {"a": 1, "b": True, "c": None, "d": 0.5},
        "drain_listeners": {"graceful": True, "inboundonly": False, "skip_exit": True},
    }
    state = desired_state.desired_state_from(params)
    assert state.level == "info"
    assert state.runtime == {"a": "1", "b": "true", "c": "", "d": "0.5"}
    assert state.drain is not None
    assert state.drain.path == "/drain_listeners?graceful&skip_exit"
    assert desired_state.Drain().path == "/drain_listeners"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "envoy_admin: no change is requested. Set at least one option"),
        ({"logging": {"loggers": {}}}, "envoy_admin: no change is requested. Set at least one option"),
        ({"runtime_modify": {}}, "envoy_admin: no change is requested. Set at least one option"),
        (
            {"logging": {"loggers": {"a": "warn"}}},
            "logging.loggers.a: unknown level 'warn'. Did you mean 'warning'",
        ),
        ({"logging": {"loggers": {"a:b,c": "info"}}}, "is not the name of a logger"),
        ({"runtime_modify": {"a": {"b": 1}}}, "runtime_modify.a: expected text, a number or a boolean"),
        (
            {"drain_listeners": {"graceful": False, "skip_exit": True}},
            "drain_listeners.skip_exit: drain_listeners.graceful is missing",
        ),
    ],
)
def test_wrong_argument_is_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        desired_state.desired_state_from(params)


def test_levels_of_loggers_are_read() -> None:
    assert desired_state.read_loggers(b"active loggers:\n  admin: info\n  http: off\n\n") == {
        "admin": "info",
        "http": "off",
    }
    with pytest.raises(ScrapeError, match="has no logger"):
        desired_state.read_loggers(b"<html>no: thing</html>")


@pytest.mark.parametrize(
    ("level", "loggers", "paths"),
    [
        ("info", {}, ["/logging?level=info"]),
        ("info", {"upstream": "error"}, []),
        ("", {"http": "info"}, []),
        ("", {"http": "off", "admin": "info"}, ["/logging?paths=http:off"]),
        # The path for all loggers changes the named ones too, so all of them are set after it.
        (
            "error",
            {"http": "off", "upstream": "error"},
            ["/logging?level=error", "/logging?paths=http:off,upstream:error"],
        ),
        ("info", {"upstream": "off"}, ["/logging?paths=upstream:off"]),
    ],
)
def test_paths_that_change_levels(level: str, loggers: dict[str, str], paths: list[str]) -> None:
    changes = desired_state.level_changes(NOW, level, loggers)
    assert desired_state.logging_paths(changes, level, loggers) == paths


def test_overrides_are_those_of_the_admin_layer() -> None:
    layers = [{"name": "a", "static_layer": {}}, {"name": "b", "admin_layer": {}}]
    dump = {"configs": [{"bootstrap": {"layered_runtime": {"layers": layers}}}]}
    assert desired_state.admin_layer(dump) == "b"
    assert desired_state.admin_layer({"configs": [{"bootstrap": {}}]}) is None
    runtime = {
        "layers": ["a", "b"],
        "entries": {
            "x": {"layer_values": ["1", ""], "final_value": "1"},
            "y": {"layer_values": ["", "2"], "final_value": "2"},
        },
    }
    now = desired_state.read_overrides(runtime, "b")
    assert now == {"y": "2"}
    assert desired_state.read_overrides({}, "b") == {}
    assert desired_state.runtime_changes(now, {"x": "1", "y": "2", "z": ""}) == {"x": "1"}
    assert desired_state.runtime_changes(now, {"y": ""}) == {"y": ""}
    assert desired_state.runtime_path({"a b": "c&d", "y": ""}) == "/runtime_modify?a%20b=c%26d&y="


def test_counters_of_the_admin_are_left_out() -> None:
    stats = [
        {"name": "http.admin.downstream_rq_total", "value": 3},
        {"name": "listener.admin.downstream_cx_total", "value": 3},
        {"name": "cluster.web.upstream_rq_total", "value": 2},
        {"name": "cluster.web.upstream_rq_5xx", "value": 0},
    ]
    assert desired_state.used_counters(json.dumps({"stats": stats}).encode()) == 1
    for broken in (b"", b"[]", b'{"stats": [{"value": 1}]}', b'{"stats": [{"name": "a", "value": "x"}]}'):
        with pytest.raises(ScrapeError, match="cannot be parsed"):
            desired_state.used_counters(broken)


def test_unknown_logger_is_refused() -> None:
    with pytest.raises(
        ScrapeError, match=r"^unknown logger 'upstraem'. Did you mean 'upstream'\?$"
    ) as raised:
        desired_state.level_changes(NOW, "", {"upstraem": "info"})
    assert raised.value.kind == "absent"
