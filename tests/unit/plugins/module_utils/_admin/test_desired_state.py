# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wanted against what the admin answers, without an Envoy."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._admin import desired_state
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError

NOW = {"admin": "info", "http": "info", "upstream": "error"}


def test_arguments_become_a_wish() -> None:
    given = {
        "logging": {"level": "info", "loggers": None},
        "runtime_modify": {"a": 1, "b": True, "c": None, "d": 0.5},
        "drain_listeners": {"graceful": True, "inboundonly": False, "skip_exit": True},
    }
    wanted = desired_state.wish_from(given)
    assert wanted.level == "info"
    assert wanted.runtime == {"a": "1", "b": "true", "c": "", "d": "0.5"}
    assert wanted.drain is not None
    assert wanted.drain.path == "/drain_listeners?graceful&skip_exit"
    assert desired_state.Drain().path == "/drain_listeners"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "nothing is wanted"),
        ({"logging": {"loggers": {}}}, "nothing is wanted"),
        ({"runtime_modify": {}}, "nothing is wanted"),
        ({"logging": {"loggers": {"a": "warn"}}}, "'warn' is no level"),
        ({"logging": {"loggers": {"a:b,c": "info"}}}, "cannot be the name of a logger"),
        ({"runtime_modify": {"a": {"b": 1}}}, "runtime_modify.a has to be text"),
        ({"drain_listeners": {"graceful": False, "skip_exit": True}}, "goes with"),
    ],
)
def test_what_cannot_be_meant(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        desired_state.wish_from(given)


def test_loggers_are_read() -> None:
    assert desired_state.read_loggers(b"active loggers:\n  admin: info\n  http: off\n\n") == {
        "admin": "info",
        "http": "off",
    }
    with pytest.raises(ScrapeError, match="names no logger"):
        desired_state.read_loggers(b"<html>no: thing</html>")


@pytest.mark.parametrize(
    ("level", "loggers", "paths"),
    [
        ("info", {}, ["/logging?level=info"]),
        ("info", {"upstream": "error"}, []),
        ("", {"http": "info"}, []),
        ("", {"http": "off", "admin": "info"}, ["/logging?paths=http:off"]),
        # What is for all hits those that are named, too: all of them are set after it.
        (
            "error",
            {"http": "off", "upstream": "error"},
            ["/logging?level=error", "/logging?paths=http:off,upstream:error"],
        ),
        ("info", {"upstream": "off"}, ["/logging?paths=upstream:off"]),
    ],
)
def test_what_is_posted_for_levels(level: str, loggers: dict[str, str], paths: list[str]) -> None:
    changes = desired_state.wanted_levels(NOW, level, loggers)
    assert desired_state.logging_paths(changes, level, loggers) == paths


def test_the_admin_layer_alone_is_looked_at() -> None:
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
    assert desired_state.wanted_runtime(now, {"x": "1", "y": "2", "z": ""}) == {"x": "1"}
    assert desired_state.wanted_runtime(now, {"y": ""}) == {"y": ""}
    assert desired_state.runtime_path({"a b": "c&d", "y": ""}) == "/runtime_modify?a%20b=c%26d&y="


def test_counters_that_asking_counts_are_left_out() -> None:
    stats = [
        {"name": "http.admin.downstream_rq_total", "value": 3},
        {"name": "listener.admin.downstream_cx_total", "value": 3},
        {"name": "cluster.web.upstream_rq_total", "value": 2},
        {"name": "cluster.web.upstream_rq_5xx", "value": 0},
    ]
    assert desired_state.counted(json.dumps({"stats": stats}).encode()) == 1
    for broken in (b"", b"[]", b'{"stats": [{"value": 1}]}', b'{"stats": [{"name": "a", "value": "x"}]}'):
        with pytest.raises(ScrapeError, match="cannot be read"):
            desired_state.counted(broken)
