# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Near names in errors of Envoy."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.remedies import remedy
from ansible_collections.meshlab.envoy.plugins.plugin_utils._envoy_suggestions import (
    suggested,
    with_suggestions,
)

BUFFER = "envoy.extensions.filters.http.buffer.v3.Buffer"


def field_error(name: str, kind: str) -> str:
    """Return the message about an unknown field, as a host reports it."""
    error = f"no such field: '{name}'"
    return f"{error}. {remedy(error, (), message_type=kind)}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            field_error("domain", "envoy.config.route.v3.VirtualHost"),
            "no such field: 'domain'. Did you mean 'domains'?",
        ),
        (
            field_error("retry_policy", "envoy.config.route.v3.Route"),
            "no such field: 'retry_policy'. It is a field of 'route': move it there.",
        ),
        (
            field_error("zzz", "envoy.config.route.v3.VirtualHost"),
            field_error("zzz", "envoy.config.route.v3.VirtualHost"),
        ),
        (field_error("zzz", "example.Unknown"), field_error("zzz", "example.Unknown")),
        (
            f"could not find @type 'type.googleapis.com/{BUFFER[:-1]}'. Correct '@type', or use another build.",
            (
                f"could not find @type 'type.googleapis.com/{BUFFER[:-1]}'. Did you mean '{BUFFER}'?"
                " Correct '@type', or use another build."
            ),
        ),
        ("another error", "another error"),
    ],
)
def test_nearest_name_is_the_remedy(text: str, expected: str) -> None:
    assert suggested(text) == expected


def test_errors_of_a_result_have_suggestions_too() -> None:
    text = field_error("domain", "envoy.config.route.v3.VirtualHost")
    result: dict[str, Any] = {"failed": True, "msg": text, "errors": [{"message": text, "line": 3}]}
    found = with_suggestions(result)
    assert found["msg"] == found["errors"][0]["message"] == "no such field: 'domain'. Did you mean 'domains'?"
    assert with_suggestions({"changed": True}) == {"changed": True}
