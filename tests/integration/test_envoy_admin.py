# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""envoy_admin on the oldest and the newest Envoy: changes, idempotence, and messages for refused changes."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from real_envoy import Envoy, answering, run

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.versions import NEWEST, OLDEST
from ansible_collections.meshlab.envoy.plugins.modules import envoy_admin

LAYERS = [
    {"name": "fixed", "static_layer": {"fixed.key": 5}},
    {"name": "ours", "admin_layer": {}},
    {"name": "above", "static_layer": {"above.key": 1}},
]
READ_ONLY = {
    "routes": [
        {
            "match": {"prefix": "/", "headers": [{"name": ":method", "string_match": {"exact": "GET"}}]},
            "route": {"cluster": "admin"},
        },
        {"match": {"prefix": "/"}, "direct_response": {"status": 403}},
    ]
}
ADMIN = {
    "name": "admin",
    "type": "STATIC",
    "load_assignment": {
        "cluster_name": "admin",
        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"pipe": {"path": "admin.sock"}}}}]}],
    },
}


def config() -> dict[str, Any]:
    return {
        "layered_runtime": {"layers": LAYERS},
        "static_resources": {
            "listeners": [answering(), answering(name="read_only", **READ_ONLY)],
            "clusters": [ADMIN],
        },
    }


@pytest.fixture(scope="module", params=[OLDEST, NEWEST])
def envoy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Envoy]:
    started = Envoy(tmp_path_factory.mktemp("envoy"), config(), request.param)
    yield started.start()
    started.stop()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Envoy]:
    started = Envoy(tmp_path, config())
    yield started.start()
    started.stop()


def admin(envoy: Envoy, **arguments: Any) -> dict[str, Any]:
    return run(envoy_admin, url=envoy.url, **arguments)


def only(result: dict[str, Any]) -> dict[str, Any]:
    """Return the change of a result with one endpoint and one change."""
    [change] = result["endpoints"][0]["changes"]
    assert change["changed"] == result["changed"] == result["endpoints"][0]["changed"]
    return change


def closes(port: int) -> bool:
    """Return whether a listener closes: workers close it shortly after the response."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10).close()
        except OSError:
            return True
    return False


def test_health_check_is_failed_and_restored_once(envoy: Envoy) -> None:
    predicted = admin(envoy, healthcheck="fail", _ansible_check_mode=True, _ansible_diff=True)
    assert only(predicted) == {
        "action": "healthcheck",
        "changed": True,
        "before": "LIVE",
        "after": "DRAINING",
    }
    assert predicted["diff"][0]["after"] == {"healthcheck": "DRAINING"}
    assert b"LIVE" in envoy.response("/ready")
    assert only(admin(envoy, healthcheck="fail")) == only(predicted)
    assert b"DRAINING" in envoy.response("/ready")
    assert admin(envoy, healthcheck="fail", _ansible_check_mode=True)["changed"] is False
    assert admin(envoy, healthcheck="fail")["changed"] is False
    assert only(admin(envoy, healthcheck="ok"))["after"] == "LIVE"
    assert admin(envoy, healthcheck="ok")["changed"] is False


def test_levels_of_all_loggers_and_of_some(envoy: Envoy) -> None:
    changes = {"level": "warning", "loggers": {"upstream": "debug", "http": "off"}}
    predicted = only(admin(envoy, logging=changes, _ansible_check_mode=True))
    assert predicted["before"]["upstream"] == "error"
    assert (predicted["after"]["upstream"], predicted["after"]["http"], predicted["after"]["admin"]) == (
        "debug",
        "off",
        "warning",
    )
    assert b"upstream: error" in envoy.response("/logging", "POST")
    assert only(admin(envoy, logging=changes)) == predicted
    levels = envoy.response("/logging", "POST")
    assert all(line in levels for line in (b"upstream: debug", b"http: off", b"admin: warning"))
    assert admin(envoy, logging=changes)["changed"] is False
    # A change of one logger keeps the levels of the others.
    assert only(admin(envoy, logging={"loggers": {"http": "warning"}}))["before"] == {"http": "off"}
    assert only(admin(envoy, logging={"level": "error"}))["after"]["upstream"] == "error"
    assert admin(envoy, logging={"level": "error", "loggers": {"http": "error"}})["changed"] is False


def test_unknown_logger_is_reported_with_a_suggestion(envoy: Envoy) -> None:
    result = admin(envoy, logging={"level": "debug", "loggers": {"upstrem": "debug"}})
    assert (result["failed"], result["changed"], result["failure"]) == (True, False, "absent")
    assert "unknown logger 'upstrem'. Did you mean 'upstream'?" in result["msg"]
    assert b"admin: debug" not in envoy.response("/logging", "POST")


def test_runtime_keys_are_set_and_removed(envoy: Envoy) -> None:
    odd = "a key & more=%"
    changes = {"fixed.key": 7, odd: "v&w=x", "flag": True, "above.key": 9, "never.there": ""}
    predicted = only(admin(envoy, runtime_modify=changes, _ansible_check_mode=True))
    assert predicted["after"] == {"fixed.key": "7", odd: "v&w=x", "flag": "true", "above.key": "9"}
    assert only(admin(envoy, runtime_modify=changes)) == predicted
    # A key that a later layer overrides is set once, too.
    assert admin(envoy, runtime_modify=changes)["changed"] is False
    gone = only(admin(envoy, runtime_modify=dict.fromkeys(changes)))
    assert gone["before"]["fixed.key"] == "7"
    assert set(gone["after"].values()) == {""}
    assert admin(envoy, runtime_modify=dict.fromkeys(changes))["changed"] is False
    # An equal value in an earlier layer is not an override of the admin's layer.
    assert admin(envoy, runtime_modify={"fixed.key": 5})["changed"] is True
    assert admin(envoy, runtime_modify={"fixed.key": ""})["changed"] is True


def test_counters_are_reset_if_used(envoy: Envoy) -> None:
    urllib.request.urlopen(f"http://127.0.0.1:{envoy.port()}/", timeout=10).close()
    assert only(admin(envoy, reset_counters=True, _ansible_check_mode=True))["before"] > 0
    assert b"downstream_rq_2xx: 0" not in envoy.response("/stats?filter=^http.main.downstream_rq_2xx$")
    assert only(admin(envoy, reset_counters=True))["after"] == 0
    assert b"downstream_rq_2xx: 0" in envoy.response("/stats?filter=^http.main.downstream_rq_2xx$")
    assert admin(envoy, reset_counters=True)["changed"] is False


def test_read_only_listener_is_reported(envoy: Envoy) -> None:
    url = f"http://127.0.0.1:{envoy.port('read_only')}"
    for changes in (
        {"healthcheck": "fail"},
        {"logging": {"level": "debug"}},
        {"runtime_modify": {"a": 1}},
        {"drain_listeners": {}},
        {"quitquitquit": True},
    ):
        result = run(envoy_admin, url=url, **changes)
        assert (result["failed"], result["changed"], result["failure"]) == (True, False, "http_status")
        assert "returned status 403: this address allows no request that changes Envoy" in result["msg"]
    result = run(envoy_admin, url=f"http://127.0.0.1:{envoy.port()}", healthcheck="ok")
    assert result["failure"] == "unparsable"
    assert "is this an admin interface, and not a listener?" in result["msg"]


def test_missing_endpoint_does_not_affect_the_others(envoy: Envoy) -> None:
    gone = {"name": "gone", "url": "unix:///missing/admin.sock"}
    result = run(
        envoy_admin,
        endpoints=[gone, {"name": "there", "url": envoy.url}],
        healthcheck="fail",
        logging={"level": "error"},
    )
    assert result["failed"] is True
    assert result["msg"] == "gone: unix:///missing/admin.sock: the socket does not exist; is Envoy running?"
    assert result["changed"] is True  # there
    assert [(one["name"], one["ok"], one["changed"]) for one in result["endpoints"]] == [
        ("gone", False, False),
        ("there", True, True),
    ]
    assert [one["action"] for one in result["endpoints"][1]["changes"]] == ["logging", "healthcheck"]
    admin(envoy, healthcheck="ok")


def test_wrong_argument_is_refused_before_connecting(tmp_path: Path) -> None:
    url = "unix:///missing/admin.sock"
    for arguments, text in (
        ({}, "envoy_admin: no change is requested. Set at least one option"),
        (
            {"drain_listeners": {"skip_exit": True}},
            "drain_listeners.skip_exit: drain_listeners.graceful is missing",
        ),
        ({"logging": {"loggers": {"http": "loud"}}}, "logging.loggers.http: unknown level 'loud'"),
        ({"runtime_modify": {"a": [1]}}, "runtime_modify.a: expected text, a number or a boolean"),
    ):
        assert text in run(envoy_admin, url=url, **arguments)["msg"]
    page = {"url": "http://127.0.0.1:1/metrics", "format": "prometheus"}
    assert (
        "expected format envoy, got prometheus" in run(envoy_admin, endpoints=[page], healthcheck="ok")["msg"]
    )


def test_bootstrap_without_admin_layer_is_reported(tmp_path: Path) -> None:
    envoy = Envoy(tmp_path, {})
    try:
        result = admin(envoy.start(), runtime_modify={"a": 1})
        assert result["failure"] == "absent"
        assert "add {name: admin, admin_layer: {}} to layered_runtime.layers" in result["msg"]
    finally:
        envoy.stop()


def test_listeners_are_drained_and_envoy_quits(own: Envoy) -> None:
    port = own.port()
    assert only(admin(own, drain_listeners={}, _ansible_check_mode=True))["changed"] is True
    urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10).close()
    options = {"graceful": True, "skip_exit": True, "inboundonly": True}
    assert (
        only(admin(own, drain_listeners=options))["after"]
        == "/drain_listeners?graceful&inboundonly&skip_exit"
    )
    urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10).close()
    assert only(admin(own, drain_listeners={}))["changed"] is True
    assert closes(port)
    assert admin(own, quitquitquit=True, _ansible_check_mode=True)["changed"] is True
    assert b"LIVE" in own.response("/ready")
    assert admin(own, healthcheck="fail", quitquitquit=True)["changed"] is True
    assert own.process is not None
    assert own.process.wait(30) == 0
    again = admin(own, quitquitquit=True)
    assert (again["failed"], again["failure"], again["changed"]) == (True, "unreachable", False)


@pytest.fixture
def container() -> Iterator[str]:
    """Run an Envoy whose admin is on the loopback address of its container, and return the name of the container."""
    name = f"meshlab-test-{uuid.uuid4().hex[:12]}"
    admin = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 9901}}}
    command = ["docker", "run", "--detach", "--name", name, f"envoyproxy/envoy:v{NEWEST}", "envoy"]
    command += ["--config-yaml", json.dumps({"admin": admin}), "--log-level", "error"]
    try:
        started = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except FileNotFoundError:
        pytest.skip("there is no docker command: tests/lab/with brings one up")
    if started.returncode and re.search("connect to the Docker|find image", started.stderr):
        pytest.skip("no Docker daemon, or it has no image: tests/lab/with brings one up")
    try:
        assert started.returncode == 0, started.stderr
        yield name
    finally:
        subprocess.run(["docker", "rm", "--force", name], capture_output=True, timeout=60, check=False)


def test_envoy_in_a_container_is_changed(container: str) -> None:
    endpoints = [{"container": container}]
    until = time.monotonic() + 60
    while (done := run(envoy_admin, endpoints=endpoints, healthcheck="fail"))["failure"]:
        assert time.monotonic() < until, done["msg"]
        time.sleep(0.2)
    # While Envoy starts, its state does not show its health, so the health check is failed once more.
    assert done["changed"] is True
    assert run(envoy_admin, endpoints=endpoints, healthcheck="fail")["changed"] is False
    assert run(envoy_admin, endpoints=endpoints, logging={"level": "info"})["changed"] is True
    assert run(envoy_admin, endpoints=endpoints, quitquitquit=True)["changed"] is True
    ended = subprocess.run(
        ["docker", "wait", container], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout.strip() == "0"
    assert run(envoy_admin, endpoints=endpoints, quitquitquit=True)["failure"] == "unreachable"
