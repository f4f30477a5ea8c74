# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes of an Envoy: what is sent, and what is returned. The admin is a fake."""

from __future__ import annotations

from typing import Any

import pytest
from fake_streams import FakeStream

from ansible_collections.meshlab.envoy.plugins.module_utils._admin.apply import apply_state, diff_of
from ansible_collections.meshlab.envoy.plugins.module_utils._admin.desired_state import DesiredState, Drain
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.byte_stream import Stream
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_parser import parse_endpoints
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_pool import Limits
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.transport import Connector

ENDPOINTS = parse_endpoints([{"name": "edge", "url": "http://edge"}])


def response(body: str, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()


def apply(
    monkeypatch: pytest.MonkeyPatch, state: DesiredState, *responses: bytes, check: bool = False
) -> tuple[str, dict[str, Any], list[str]]:
    """Return the message, the result of the endpoint, and the requests."""
    stream = FakeStream(*responses)

    async def connect(_connector: Connector, _endpoint: Endpoint) -> Stream:
        return stream

    monkeypatch.setattr(Connector, "open", connect)
    message, result = apply_state(ENDPOINTS, state, check, 5, Limits())
    return (
        message,
        result["endpoints"][0],
        [b" ".join(request.split()[:2]).decode() for request in stream.requests],
    )


@pytest.mark.parametrize("check", [False, True])
def test_health_check_fails_once(monkeypatch: pytest.MonkeyPatch, check: bool) -> None:
    state = DesiredState(health="fail")
    live, draining = response("LIVE\n"), response("DRAINING\n", "503 x")
    _message, endpoint, requests = apply(monkeypatch, state, live, response("OK\n"), draining, check=check)
    assert endpoint["changes"] == [
        {"action": "healthcheck", "changed": True, "before": "LIVE", "after": "DRAINING"}
    ]
    assert requests == ["GET /ready", *([] if check else ["POST /healthcheck/fail", "GET /ready"])]
    _message, endpoint, requests = apply(monkeypatch, state, draining, check=check)
    assert (endpoint["changed"], requests) == (False, ["GET /ready"])


def test_drain_comes_before_quit(monkeypatch: pytest.MonkeyPatch) -> None:
    state = DesiredState(drain=Drain(graceful=True), quit=True)
    responses = [response("OK"), response("LIVE"), response("OK")]
    _message, endpoint, requests = apply(monkeypatch, state, *responses)
    assert requests == ["POST /drain_listeners?graceful", "GET /ready", "POST /quitquitquit"]
    assert [change["action"] for change in endpoint["changes"]] == ["drain_listeners", "quitquitquit"]


def test_counters_are_reset_if_used(monkeypatch: pytest.MonkeyPatch) -> None:
    used = response('{"stats": [{"name": "a", "value": 3}]}')
    _message, endpoint, requests = apply(monkeypatch, DesiredState(reset_counters=True), used, response("OK"))
    assert requests[1:] == ["POST /reset_counters"]
    assert endpoint["changes"][0]["before"] == 1
    _message, endpoint, requests = apply(
        monkeypatch, DesiredState(reset_counters=True), response('{"stats": []}')
    )
    assert (endpoint["changed"], len(requests)) == (False, 1)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (response("", "403 x"), "edge: http://edge: POST /logging returned status 403: this address allows no request that"),
        (response("", "405 x"), "edge: http://edge: POST /logging returned status 405: this address does not allow the method"),
        (response("", "404 x"), "edge: http://edge: POST /logging returned status 404; is this Envoy's admin interface"),
        (response("no\nway", "400 x"), "edge: http://edge: POST /logging returned status 400: no"),
    ],
)  # fmt: skip
def test_refused_change_is_reported(monkeypatch: pytest.MonkeyPatch, answer: bytes, message: str) -> None:
    found, endpoint, _requests = apply(monkeypatch, DesiredState(level="info"), answer)
    assert found.startswith(message)
    assert (endpoint["ok"], endpoint["failure"], endpoint["changes"]) == (False, "http_status", [])


def test_runtime_without_admin_layer_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    dump = response('{"configs": [{"bootstrap": {}}]}')
    message, endpoint, _requests = apply(monkeypatch, DesiredState(runtime={"a": "1"}), dump)
    assert "the bootstrap has no admin layer" in message
    assert endpoint["failure"] == "absent"


def test_diff_has_the_changes() -> None:
    changes = [
        {"action": "healthcheck", "changed": True, "before": "LIVE", "after": "DRAINING"},
        {"action": "reset_counters", "changed": False, "before": 0, "after": 0},
    ]
    endpoints = [
        {"name": "edge", "changed": True, "changes": changes},
        {"name": "other", "changed": False, "changes": []},
    ]
    assert diff_of(endpoints) == [
        {
            "before_header": "edge",
            "after_header": "edge",
            "before": {"healthcheck": "LIVE"},
            "after": {"healthcheck": "DRAINING"},
        }
    ]
