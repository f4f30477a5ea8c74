# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Near names in errors of Envoy about fields and types, added on the controller, which has the table of Envoy's messages.

Private to this collection: it can change at any time.
"""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.api.any_types import type_fault
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.api.field_names import unknown_field

FIELD = re.compile(
    r"(?P<error>no such field: '(?P<name>[^']+)'[^\n]*?)Correct the name of the field of (?P<type>[\w.]+), or move it to the"
    r" message that has it\."
)
TYPE = re.compile(r"(?P<error>could not find @type '(?P<url>[^']+)'[^\n]*?)Correct '@type',")
SUGGESTION = re.compile(r"Did you mean '[^']+'\?|It is a field of '[^']+': move it there\.")


def with_suggestions(result: dict[str, Any]) -> dict[str, Any]:
    """Return the result of a module with near names in its message and in its errors."""
    if not result.get("failed"):
        return result
    errors = [
        {**one, "message": suggested(str(one.get("message", "")))} for one in result.get("errors") or ()
    ]
    return {**result, "msg": suggested(str(result.get("msg", ""))), **({"errors": errors} if errors else {})}


def suggested(text: str) -> str:
    """Return a message with the nearest field or type as the remedy.

    Example:
        >>> suggested(
        ...     "no such field: 'domain' (in listener 'http'). Correct the name of the field of envoy.config.route.v3.VirtualHost,"
        ...     " or move it to the message that has it."
        ... )
        "no such field: 'domain' (in listener 'http'). Did you mean 'domains'?"
    """

    def field(found: re.Match[str]) -> str:
        suggestion = SUGGESTION.search(unknown_field(found["name"], found["type"], {}, ()))
        return found["error"] + suggestion[0] if suggestion else found[0]

    def kind(found: re.Match[str]) -> str:
        suggestion = SUGGESTION.search(type_fault(found["url"]))
        return f"{found['error']}{suggestion[0]} Correct '@type'," if suggestion else found[0]

    return TYPE.sub(kind, FIELD.sub(field, text))
