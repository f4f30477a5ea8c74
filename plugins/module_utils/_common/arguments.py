# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Convert plain data (the arguments of a task) into typed values, with one wording for every error.

Each function takes the name of the key (`where`) for its error, for example `traffic[0].timeout`. A key whose value is None
counts as left out, because Ansible passes options without a value as None.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar, Union

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.suggestions import unknown_name

# Aliases are evaluated at import, and Python 3.9 cannot evaluate `int | float`.
Number = Union[int, float]
Scalar = Union[int, float, str]
Value = TypeVar("Value")

HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token of RFC 9110, section 5.6.2
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_PORT_NAME = re.compile(
    r"[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?"
)  # of a container port, as Kubernetes defines it
_LONGEST_SHOWN = 100  # characters


def mapping(value: Any, where: str, keys: Iterable[str] | None = None) -> dict[str, Any]:
    """Return the keys that have a value.

    Args:
        value: The argument.
        where: The name of the argument, for the error.
        keys: The keys that are allowed; None allows all.

    Raises:
        ArgumentError: The value is no dictionary, or has a key that is not allowed.

    Example:
        >>> mapping({"url": "http://a", "name": None}, "traffic[0]", ["name", "url"])
        {'url': 'http://a'}
    """
    if not isinstance(value, Mapping):
        raise expected(where, "a dictionary", value)
    allowed = None if keys is None else list(keys)
    for key in value:
        if allowed is not None and key not in allowed:
            raise ArgumentError(where, unknown_name("key", key, allowed))
    return {key: entry for key, entry in value.items() if entry is not None}


def sequence(value: Any, where: str, of: str) -> Sequence[Any]:
    """Return a list as it is; `of` names its elements in the error, for example `dictionaries`."""
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Sequence):
        raise expected(where, f"a list of {of}", value)
    return value


def optional(
    data: Mapping[str, Any], key: str, where: str, read: Callable[..., Value], **limits: Any
) -> Value | None:
    """Return a key's value as `read(value, where, **limits)` converts it; None where the key was left out."""
    value = data.get(key)
    return None if value is None else read(value, f"{where}.{key}", **limits)


def text(data: Mapping[str, Any], key: str, where: str, default: str = "") -> str:
    """Return a key's text. Numbers and booleans become text as YAML writes them (`true`)."""
    value = data.get(key)
    return default if value is None else scalar_text(value, f"{where}.{key}")


def scalar_text(value: Any, where: str) -> str:
    """Return one value as text, as YAML writes it: `true`, `20`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, (str, int, float)):
        raise expected(where, "text", value)
    return str(value)


def choice(
    data: Mapping[str, Any], key: str, where: str, choices: Iterable[str], default: str | None = None
) -> str:
    """Return a key's value, which is one of `choices`; without a `default` the key is required."""
    names = list(choices)
    value = data.get(key)
    if value is None or value == "":
        if default is None:
            raise ArgumentError(f"{where}.{key}", f"a value is missing. Use one of: {', '.join(names)}.")
        return default
    if value not in names:
        raise ArgumentError(f"{where}.{key}", unknown_name("value", value, names))
    return str(value)


def to_number(value: Any) -> Number | None:
    """Return a number, also where YAML or Jinja made it text; None for anything else, and for NaN."""
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            pass
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return None if isinstance(value, float) and math.isnan(value) else value


def number(
    value: Any,
    where: str,
    *,
    above: float | None = None,
    least: float | None = None,
    most: float | None = None,
    finite: bool = False,
) -> Number:
    """Return a number, also where YAML or Jinja made it text.

    Args:
        value: The argument.
        where: The name of the argument, for the error.
        above: Exclusive lower limit.
        least: Inclusive lower limit.
        most: Inclusive upper limit.
        finite: Whether to refuse infinity.

    Raises:
        ArgumentError: The value is no number or outside of the limits.

    Example:
        >>> number("2.5", "traffic[0].timeout", above=0, most=3600)
        2.5
    """
    found = to_number(value)
    if (
        found is None
        or (finite and found in (math.inf, -math.inf))
        or (above is not None and found <= above)
        or (least is not None and found < least)
        or (most is not None and found > most)
    ):
        raise expected(where, _limits("a number", above, least, most), value)
    return found


def integer(value: Any, where: str, *, least: int, most: int) -> int:
    """Return a whole number from `least` to `most`."""
    found = to_number(value)
    if found is None or not least <= found <= most or found != int(found):
        raise expected(where, _limits("a whole number", None, least, most), value)
    return int(found)


def seconds(value: Any, where: str, *, zero: bool = False) -> float:
    """Return a finite number of seconds above 0; `zero` allows 0."""
    limits: dict[str, Any] = {"least": 0} if zero else {"above": 0}
    return float(number(value, where, finite=True, **limits))


def names(value: Any, where: str) -> tuple[str, ...]:
    """Return one name or a list of names as a tuple; None is no name."""
    if value is None:
        return ()
    entries = [value] if isinstance(value, str) else value
    if not isinstance(entries, (list, tuple)) or not all(
        isinstance(entry, str) and entry for entry in entries
    ):
        raise expected(where, "a name or a list of names", value)
    return tuple(entries)


def pattern(value: Any, where: str) -> re.Pattern[str]:
    """Return a compiled regular expression of Python in which `^` and `$` match at each line."""
    source = scalar_text(value, where)
    try:
        return re.compile(source, re.MULTILINE)
    except (re.error, OverflowError, RecursionError) as error:
        raise ArgumentError(where, f"{shown(source)} is not a regular expression: {error}.") from None


def bytes_pattern(value: Any, where: str) -> re.Pattern[bytes]:
    """Return a compiled regular expression for bytes; its text is encoded as UTF-8."""
    return re.compile(pattern(value, where).pattern.encode(), re.MULTILINE)


def header_name(value: Any, where: str) -> str:
    """Return the name of an HTTP header in lower case."""
    if not isinstance(value, str) or not HEADER_NAME.fullmatch(value):
        raise expected(where, "the name of a header, such as x-request-id", value)
    return value.lower()


def header_value(value: Any, where: str) -> str:
    """Return the value of an HTTP header, which has no control character (RFC 9110, section 5.5)."""
    found = scalar_text(value, where)
    if _CONTROL_CHARACTERS.search(found):
        raise ArgumentError(where, "a header cannot contain a line break or another control character.")
    return found


def pod_port(value: Any, where: str) -> int | str:
    """Return the number of a pod's port, or its name."""
    found = scalar_text(value, where)
    if not (0 < int(found) < 65_536 if found.isdigit() else _PORT_NAME.fullmatch(found)):
        raise expected(where, "the number or the name of a pod's port", value)
    return int(found) if found.isdigit() else found


def expected(where: str, what: str, value: object) -> ArgumentError:
    """Return the error for a value of the wrong kind: `x: expected a number, got 'soon'`."""
    return ArgumentError(where, f"expected {what}, got {shown(value)}.")


def shown(value: object) -> str:
    """Return a value for an error, as its author wrote it and at most 100 characters long."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) >= 10**30:
        return f"a number of {value.bit_length()} bits"
    found = repr(value)
    return found if len(found) <= _LONGEST_SHOWN else found[: _LONGEST_SHOWN - 1] + "…"


def _limits(what: str, above: float | None, least: float | None, most: float | None) -> str:
    """Return the kind of number with its limits, for example `a number above 0 and at most 3600`."""
    if least is not None and most is not None:
        return f"{what} from {_plain(least)} to {_plain(most)}"
    limits = []
    if above is not None:
        limits.append(f"above {_plain(above)}")
    if least is not None:
        limits.append(f"of {_plain(least)} or more")
    if most is not None:
        limits.append(f"at most {_plain(most)}")
    return " ".join([what, " and ".join(limits)]).rstrip()


def _plain(limit: float) -> str:
    return str(int(limit)) if float(limit).is_integer() else f"{limit:g}"
