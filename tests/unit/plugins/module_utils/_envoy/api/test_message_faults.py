# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The faults of an author's message: unknown, misplaced and missing fields, types, oneofs and values."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.api.message_faults import message_faults

ROUTE = "envoy.config.route.v3.Route"
CLUSTER = "envoy.config.cluster.v3.Cluster"
FILTER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter"
MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
TLS = "envoy.extensions.transport_sockets.tls.v3"
BUFFER = "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer"
GOOD_ROUTE = {"match": {"prefix": "/"}, "route": {"cluster": "web"}}


def faults(value: Any, kind: str, complete: bool = True) -> list[tuple[str, str]]:
    """Return path and problem of each fault."""
    return [
        (".".join(map(str, fault.path)), fault.problem) for fault in message_faults(value, kind, complete)
    ]


def filter_with(**config: Any) -> dict[str, Any]:
    """Return an HTTP filter with this configuration."""
    return {"name": "envoy.filters.http.buffer", "typed_config": config}


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (GOOD_ROUTE, ROUTE),
        ({"match": {"path": "/"}, "directResponse": {"status": 200}}, ROUTE),  # lowerCamelCase
        (filter_with(**{"@type": BUFFER, "max_request_bytes": 5}), FILTER),
        (filter_with(**{"@type": BUFFER, "max_request_bytes": "5"}), FILTER),  # JSON numbers can be text
        (filter_with(**{"@type": "type.googleapis.com/example.MyFilter", "any": "thing"}), FILTER),
        (filter_with(**{"@type": "type.googleapis.com/envoy.extensions.filters.http.golang.v3alpha.Config"}), FILTER),
        (filter_with(), FILTER),  # Envoy decides
        ({**GOOD_ROUTE, "metadata": {"filter_metadata": {"x": {"any": ["thing"]}}}}, ROUTE),
        ({**GOOD_ROUTE, "redirect": None}, ROUTE),
        ({"outlierDetection": {"consecutive5xx": 3}}, CLUSTER),
        ({"type": 2}, CLUSTER),
        ({"type": "strict_dns"}, CLUSTER),
        ({"connect_timeout": "${web/app.port}s"}, CLUSTER),  # a placeholder
        ({"tls_minimum_protocol_version": "TLSv1_3"}, f"{TLS}.TlsParameters"),
        ({"connect_timeout": {"seconds": 1}, "per_connection_buffer_limit_bytes": {"value": 5}}, CLUSTER),
        ({"respect_dns_ttl": "yes"}, CLUSTER),
        ({**GOOD_ROUTE, "request_headers_to_remove": "x-debug"}, ROUTE),  # one value is a list of one item
    ],
    ids=str,
)  # fmt: skip
def test_valid_message_has_no_fault(value: Any, kind: str) -> None:
    assert faults(value, kind, complete=kind != CLUSTER) == []


@pytest.mark.parametrize(
    ("value", "kind", "path", "problem"),
    [
        (
            filter_with(**{"@type": BUFFER, "max_request_byte": 5}),
            FILTER,
            "typed_config.max_request_byte",
            "unknown field 'max_request_byte' of a Buffer. Did you mean 'max_request_bytes'?",
        ),
        (
            filter_with(max_request_bytes=5),
            FILTER,
            "typed_config",
            f"'@type' is missing. Add '\"@type\": {BUFFER}'.",
        ),
        (
            filter_with(**{"@type": BUFFER[:-2] + "r", "max_request_bytes": 5}),
            FILTER,
            "typed_config.@type",
            f"unknown type '{BUFFER.rpartition('/')[2][:-2]}r'. Did you mean '{BUFFER.rpartition('/')[2]}'?",
        ),
        (
            filter_with(**{"@type": BUFFER.rpartition("/")[2], "max_request_bytes": 5}),
            FILTER,
            "typed_config.@type",
            f"'envoy.extensions.filters.http.buffer.v3.…' is no type URL. Write {BUFFER}.",
        ),
        (
            {**GOOD_ROUTE, "retry_policy": {"retry_on": "5xx"}},
            ROUTE,
            "retry_policy",
            "unknown field 'retry_policy' of a Route. It is a field of 'route': move it there.",
        ),
        (
            {**GOOD_ROUTE, "prefix": "/"},
            ROUTE,
            "prefix",
            "unknown field 'prefix' of a Route. It is a field of 'match': move it there.",
        ),
        (
            {"match": {"prefix": "/", "redirect": {"host_redirect": "x"}}, "route": {"cluster": "web"}},
            ROUTE,
            "match.redirect",
            "unknown field 'redirect' of a RouteMatch. It is a key one level up: move it there.",
        ),
        (
            {"match": {"prefix": "/", "path": "/a"}, "route": {"cluster": "web"}},
            ROUTE,
            "match.path",
            "'prefix' and 'path' exclude each other in a RouteMatch. Keep one of them.",
        ),
        ({"route": {"cluster": "web"}}, ROUTE, "", "A Route needs the field 'match'. Add it."),
        (
            {"match": "/", "route": {"cluster": "web"}},
            ROUTE,
            "match",
            (
                "expected a mapping with the fields of a RouteMatch, got '/'."
                " Write its fields as keys, such as 'prefix', 'path' and 'safe_regex'."
            ),
        ),
        (
            {**GOOD_ROUTE, "name": 5},
            ROUTE,
            "name",
            "expected text, got '5'. Put it in quotes.",
        ),
        (
            filter_with(**{"@type": BUFFER, "max_request_bytes": "lots"}),
            FILTER,
            "typed_config.max_request_bytes",
            "expected a whole number, got 'lots'. Write a number without a unit.",
        ),
    ],
)  # fmt: skip
def test_fault_names_field_and_remedy(value: Any, kind: str, path: str, problem: str) -> None:
    assert faults(value, kind) == [(path, problem)]


@pytest.mark.parametrize(
    ("value", "path", "problem"),
    [
        ({"connect_timeout": "250ms"}, "connect_timeout", "'250ms' is not a duration. Write it in seconds, with the unit: 0.25s."),
        ({"connect_timeout": 5}, "connect_timeout", "'5' is not a duration. Write it in seconds, with the unit: 5s."),
        ({"type": "STRICT_DSN"}, "type", "unknown value 'STRICT_DSN'. Did you mean STRICT_DNS?"),
        ({"respect_dns_ttl": 1}, "respect_dns_ttl", "expected true or false, got '1'. Write one of them."),
    ],
)  # fmt: skip
def test_fault_of_a_value_shows_its_form(value: Any, path: str, problem: str) -> None:
    assert faults(value, CLUSTER, complete=False) == [(path, problem)]


def test_overlay_lacks_no_field() -> None:
    assert faults({"merge_slashes": False}, MANAGER, complete=False) == []
    assert ("", "An HttpConnectionManager needs one of 'rds', 'route_config' or 'scoped_routes'. Add it.") in faults(
        {"merge_slashes": False}, MANAGER
    )  # fmt: skip


def test_dash_that_splits_an_item_is_named() -> None:
    [fault] = list(message_faults([{"match": {"prefix": "/"}}, GOOD_ROUTE], ROUTE))
    assert fault.path == (0,)
    assert "The next item begins with" not in fault.problem  # the next item is whole
    split = list(message_faults([{"match": {"prefix": "/"}}, {"route": {"cluster": "web"}}], ROUTE))
    assert split[0].problem.endswith(
        "The next item begins with 'route': replace the '-' before it by a blank if both are one item."
    )


def test_misplaced_field_of_the_demo_is_named() -> None:
    outer = [("of 'proxies.edge.clusters.web'", ["to", "tls"])]
    [fault] = list(message_faults({"to": "web"}, CLUSTER, False, outer))
    assert fault.problem == (
        "unknown field 'to' of a Cluster. It is a key of 'proxies.edge.clusters.web': move it there."
    )
