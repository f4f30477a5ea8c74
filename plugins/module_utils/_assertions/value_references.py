# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of assertions that refer to traffic: `value: {traffic: NAME, status: "503"}` is its number of answers with status 503.

`{traffic: NAME}` is the number of its answers, `{traffic: NAME, of: bytes}` the number of bytes of their bodies. The numbers of
several names, as a list, are added up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion import is_stat_value
from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import choice, mapping
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.suggestions import unknown_name

if TYPE_CHECKING:
    from typing import TypeGuard  # Python 3.10

KEYS = ("traffic", "status", "of")
OF = ("answers", "bytes")

Entry = Mapping[str, Any]


def check_references(assertions: Sequence[Entry], traffic: Sequence[Entry]) -> None:
    """Raise ArgumentError for a reference to traffic that does not exist, or whose name several traffics have."""
    names = [entry["name"] for entry in traffic]
    for position, assertion in enumerate(assertions):
        value = assertion.get("value")
        if not is_reference(value):
            continue
        where = f"expectations[{position}].value"
        reference = mapping(value, where, KEYS)
        if "traffic" not in reference:
            raise ArgumentError(f"{where}.traffic", "a value is missing. Set the name of a traffic.")
        choice(reference, "of", where, OF, OF[0])
        if "of" in reference and "status" in reference:
            raise ArgumentError(where, "status and of exclude each other. Set only one of them.")
        for name in _traffic_names(reference):
            if name not in names:
                raise ArgumentError(f"{where}.traffic", unknown_name("traffic", name, names))
            if names.count(name) > 1:
                raise ArgumentError(
                    f"{where}.traffic",
                    f"{names.count(name)} traffics have the name '{name}'. Set a different name for each of them"
                    " (the default name is the target).",
                )


def is_reference(value: Any) -> TypeGuard[Entry]:
    """Return whether the value of an assertion refers to traffic."""
    return isinstance(value, Mapping) and not is_stat_value(value)


def with_placeholder(assertion: Entry) -> dict[str, Any]:
    """Return the assertion with 0 in place of a reference, to check it before any request is sent."""
    return {**assertion, "value": 0} if is_reference(assertion.get("value")) else dict(assertion)


def reference_text(reference: Entry) -> str:
    """Return the number that a reference stands for: `the answers of "kept" with status 200`."""
    number = reference.get("of", OF[0])
    status = f" with status {reference['status']}" if "status" in reference else ""
    names = " and ".join(f'"{name}"' for name in _traffic_names(reference))
    return f"the {number} of {names}{status}"


def resolve_references(assertions: Sequence[Entry], results: Sequence[Entry]) -> list[dict[str, Any]]:
    """Return the assertions with the numbers of the traffic's results in place of references."""
    by_name = {result["name"]: result for result in results}
    return [
        {**assertion, "value": _number(assertion["value"], by_name)}
        if is_reference(assertion.get("value"))
        else dict(assertion)
        for assertion in assertions
    ]


def _traffic_names(reference: Entry) -> list[Any]:
    names = reference["traffic"]
    return list(names) if isinstance(names, (list, tuple)) else [names]


def _number(reference: Entry, by_name: Mapping[str, Entry]) -> int:
    return sum(_number_of(by_name[name], reference) for name in _traffic_names(reference))


def _number_of(result: Entry, reference: Entry) -> int:
    if "status" in reference:
        return int(result["statuses"].get(str(reference["status"]), 0))
    return int(result["bytes_received" if reference.get("of") == "bytes" else "answered"])
