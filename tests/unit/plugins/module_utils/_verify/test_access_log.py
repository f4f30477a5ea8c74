# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The requests in lines of an access log, and what Envoy did with them."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.filters import ACCESS_LOG_FIELDS
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.access_log import (
    MAX_DETAILS,
    parse_lines,
)

# The lines of Envoy 1.40 for a cluster without hosts, and for TLS to a server without TLS.
NO_HOST: dict[str, Any] = {
    "start_time": "2026-11-30T03:00:00.250Z",
    "path": "/idle?a=1",
    "response_code": 503,
    "response_flags": "UH",
    "response_code_details": "no_healthy_upstream",
    "upstream_cluster": "idle",
    "upstream_transport_failure_reason": None,
}
NO_TLS = {
    **NO_HOST,
    "response_flags": "UF",
    "response_code_details": (
        "upstream_reset_before_response_started{remote_connection_failure"
        "|TLS_error:|268435703:SSL_routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end}"
    ),
    "upstream_transport_failure_reason": (
        "TLS_error:|268435703:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end"
    ),
}


def reason(**changes: Any) -> str:
    [request] = parse_lines("edge", [json.dumps({**NO_HOST, **changes})])
    return request.reason


def test_line_is_a_request() -> None:
    [request] = parse_lines("edge", [json.dumps(NO_HOST)])
    assert (request.proxy, request.path, request.status, request.cluster) == (
        "edge",
        "/idle?a=1",
        503,
        "idle",
    )
    assert request.started == 1796007600.25


@pytest.mark.parametrize("line", ["[warning] no", "", "{cut", "[1]", '{"a": 1}', '{"response_code": "503"}'])
def test_other_lines_are_ignored(line: str) -> None:
    assert parse_lines("edge", [line]) == []


def test_generated_log_has_each_key_that_is_read() -> None:
    values = {"start_time": "2026-11-30T03:00:00.250Z", "response_code": 503}
    line = json.dumps({key: values.get(key, key) for key in ACCESS_LOG_FIELDS})
    [request] = parse_lines("edge", [line])
    unread = [one.name for one in fields(request) if not getattr(request, one.name)]
    assert unread == []


def test_request_without_a_valid_time_has_none() -> None:
    [request] = parse_lines("edge", ['{"response_code": 200, "start_time": 5}'])
    assert request.started is None


def test_reason_has_flags_details_and_cluster() -> None:
    assert reason() == (
        "response flags UH (the cluster has no healthy upstream host), details no_healthy_upstream, cluster idle"
    )


def test_transport_failure_is_shown_once() -> None:
    assert reason(**NO_TLS).count("WRONG_VERSION_NUMBER") == 1
    assert "transport failure TLS_error:" in reason(**{**NO_TLS, "response_code_details": "x"})


def test_response_of_the_upstream_is_a_reason_only_as_an_error() -> None:
    forwarded = {"response_flags": "-", "response_code_details": "via_upstream"}
    assert reason(**forwarded, response_code=200) == ""
    assert reason(**forwarded, response_code=404) == (
        "details via_upstream (the response of the upstream), cluster idle"
    )


def test_unknown_flag_is_shown_without_a_meaning() -> None:
    assert reason(response_flags="UH,XX").startswith(
        "response flags UH (the cluster has no healthy upstream host), XX, details"
    )


def test_text_is_printable_and_limited() -> None:
    assert "\x1b" not in reason(response_code_details="\x1b[31m")
    assert f"details {'x' * MAX_DETAILS}…," in reason(response_code_details="x" * 9999)
