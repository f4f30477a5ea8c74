# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the faults and paths in messages of Envoy 1.40."""

from __future__ import annotations

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.envoy_errors import (
    EnvoyError,
    last_rejection,
    parse_error,
)

# Log lines of Envoy 1.40 and 1.36, and other lines of the same log.
UPDATE = "[2026-11-26 12:22:01.568][1][warning][config] [source/extensions/x.cc:81] Filesystem config update rejected: "
OTHER_LINES = (
    "[2026-11-26 12:21:58.863][1][warning][main] [source/server/server.cc:1059] There is no configured limit.\n"
    '{"method": "GET", "path": "/"}\n'
)
FIRST = f"{UPDATE}Error adding/updating cluster(s) a: Invalid path: /no/ca.crt\n"
EMPTY = "Proto constraint validation failed (ClusterValidationError.Name: value length must be at least 1 characters)\n"
SECOND = f'{UPDATE}goo.gle/debugonly  \n{{"method": "GET", "path": "/"}}\n: {EMPTY}'
OLDER = f"{UPDATE}: {EMPTY}"
NAMELESS = "name of a Cluster: value length must be at least 1 characters"


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (OTHER_LINES, ""),
        ("", ""),
        (OTHER_LINES + FIRST + OTHER_LINES, "Error adding/updating cluster(s) a: Invalid path: /no/ca.crt"),
        (FIRST + OTHER_LINES + SECOND, NAMELESS),
        (FIRST + OLDER, NAMELESS),
    ],
)
def test_last_rejection_of_a_log_is_returned(log: str, reason: str) -> None:
    assert last_rejection(log) == reason


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("usage: x\nerror: mapping.yaml: no such label\n", EnvoyError("error: mapping.yaml: no such label")),
        ("", EnvoyError("")),
        (
            (
                "[2026-11-22 05:14:03.750][1][critical][main] [x.cc:76] error initializing configuration 'c.yaml':"
                " Protobuf message (type envoy.config.bootstrap.v3.Bootstrap reason INVALID_ARGUMENT: invalid JSON in"
                " envoy.config.bootstrap.v3.Bootstrap @ static_resources.listeners[0]: message"
                " envoy.config.listener.v3.Listener, near 1:6 (offset 5): no such field: 'nam') has unknown fields\n"
                "[2026-11-22 05:14:03.751][1][info][main] exiting\n"
            ),
            EnvoyError(
                "no such field: 'nam'", "static_resources.listeners[0]", "envoy.config.listener.v3.Listener"
            ),
        ),
        (
            "Proto constraint validation failed (ClusterValidationError.ConnectTimeout: value must be greater than 0s)",
            EnvoyError("connect_timeout of a Cluster: value must be greater than 0s", "connect_timeout"),
        ),
    ],
    ids=["another program", "no output", "unknown field in a log", "constraint without the bootstrap"],
)
def test_error_has_the_fault_and_the_path(output: str, expected: EnvoyError) -> None:
    assert parse_error(output) == expected


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("no such field: 'domain'", ["domain", "domain"]),
        ("route: unknown cluster 'nix'", ["nix"]),
        ("malformed IP address: statsd", ["statsd"]),
        ("Expected positive duration: seconds: -1", ["-1", "-1s"]),
    ],
)
def test_tokens_begin_with_the_most_specific_word(text: str, tokens: list[str]) -> None:
    assert EnvoyError(text).tokens == tokens
