# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Expectations may refer to what was sent: `value: {traffic: NAME, status: "503"}` is how many 503 that traffic saw.

`{traffic: NAME}` alone is the number of its answers, `{traffic: NAME, of: bytes}` that of the bytes of their bodies. Several
names, as a list, are added up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion import is_read

KEYS = ("traffic", "status", "of")
OF = ("answers", "bytes")


class UnknownTraffic(ValueError):
    """A reference to traffic that there is not, or not only once."""


def check(assertions: Sequence[Mapping[str, Any]], traffic: Sequence[Mapping[str, Any]]) -> None:
    """Raise UnknownTraffic where an assertion refers to traffic that is not there, or of which nobody knows which is meant."""
    names = [one["name"] for one in traffic]
    for position, assertion in enumerate(assertions):
        value = assertion.get("value")
        if not is_reference(value):
            continue
        where = f"expectations[{position}].value"
        if not set(value) <= set(KEYS) or "traffic" not in value:
            raise UnknownTraffic(
                f"{where}: a reference has the keys {', '.join(KEYS)}, not {', '.join(value)}"
            )
        if value.get("of", OF[0]) not in OF:
            raise UnknownTraffic(f"{where}.of: '{value['of']}' is not one of {', '.join(OF)}")
        if "of" in value and "status" in value:
            raise UnknownTraffic(f"{where}: give either status or of, not both")
        for name in _names(value):
            if name not in names:
                raise UnknownTraffic(
                    f"{where}.traffic: there is no traffic '{name}'; there is: {', '.join(names)}"
                )
            if names.count(name) > 1:
                raise UnknownTraffic(
                    f"{where}.traffic: {names.count(name)} of the traffic are called '{name}'; give each a name of its own"
                    " (one without is called after where it goes)"
                )


def is_reference(value: Any) -> TypeGuard[Mapping[str, Any]]:
    """Whether an assertion's value stands for a number of some traffic."""
    return isinstance(value, Mapping) and not is_read(value)


def placeholder(assertion: Mapping[str, Any]) -> dict[str, Any]:
    """Return `assertion` with a number in place of a reference, so that it can be checked before anything is sent."""
    return {**assertion, "value": 0} if is_reference(assertion.get("value")) else dict(assertion)


def in_words(reference: Mapping[str, Any]) -> str:
    """Return what a reference stands for, in words: `the answers of "kept" with status 200`."""
    what = reference.get("of", OF[0])
    status = f" with status {reference['status']}" if "status" in reference else ""
    names = " and ".join(f'"{name}"' for name in _names(reference))
    return f"the {what} of {names}{status}"


def resolve(
    assertions: Sequence[Mapping[str, Any]], results: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return `assertions` with the numbers of the traffic `results` in place of references."""
    by_name = {one["name"]: one for one in results}
    return [
        {**one, "value": _number(one["value"], by_name)} if is_reference(one.get("value")) else dict(one)
        for one in assertions
    ]


def _names(reference: Mapping[str, Any]) -> list[Any]:
    """Return the names of the traffic that a reference is about."""
    named = reference["traffic"]
    return list(named) if isinstance(named, (list, tuple)) else [named]


def _number(reference: Mapping[str, Any], by_name: Mapping[str, Mapping[str, Any]]) -> int:
    return sum(_number_of(by_name[name], reference) for name in _names(reference))


def _number_of(result: Mapping[str, Any], reference: Mapping[str, Any]) -> int:
    if "status" in reference:
        return int(result["statuses"].get(str(reference["status"]), 0))
    return int(result["bytes_received" if reference.get("of") == "bytes" else "answered"])
