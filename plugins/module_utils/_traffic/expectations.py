# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Expectations about the answers to a traffic, as typed values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Union

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import (
    Number,
    choice,
    header_name,
    mapping,
    number,
    optional,
    pattern,
    scalar_text,
    sequence,
    text,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.http_head import field_values
from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.tolerance import (
    BINOMIAL,
    EXACT,
    Tolerance,
    check_binomial,
    parse_tolerance,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_tls import (
    SessionMatch,
    parse_session_match,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.series.grpc_status import (
    NAMES,
    status_name,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.series.response_flags import (
    NONE,
    RESPONSE_FLAGS,
)

OPERATORS = ("eq", "ne", "lt", "le", "gt", "ge", "between", "in")
ERRORS = ("connect", "timeout", "tls", "reset", "protocol", "reply", "redirect", "save")
SUBJECTS = (
    "status",
    "header",
    "hosts",
    "latency",
    "error",
    "bytes",
    "body",
    "tls",
    "trailer",
    "grpc_status",
    "messages",
    "redirects",
    "connections",
    "response_flag",
)
COUNT_OR_SHARE = ("count", "share")
BYTES = ("total", "mean")
CONNECTIONS_COUNTED = ("opened", "retried")
KEYS = ("name", "op", "value", "of", "tolerance", "among", *SUBJECTS)

ExpectedNumber = Union[Number, tuple[Number, ...]]

_STATUS = re.compile(r"[1-9][0-9]{2}|[1-9]xx|any")


class HeaderMatch(NamedTuple):
    """The header of an answer that an expectation counts: any value, one value, or the values that match."""

    name: str
    value: str | None = None
    pattern: re.Pattern[str] | None = None

    def matches(self, value: str | None) -> bool:
        """Return whether an answer with this value, or with this among several, counts. None: the answer has no such header."""
        if value is None:
            return False
        values = (value, *field_values(value))
        if self.value is not None:
            return self.value in values
        return self.pattern is None or any(self.pattern.search(one) for one in values)


class Expectation(NamedTuple):
    """A number of a result, and its expected value."""

    subject: str  # one of SUBJECTS
    op: str  # one of OPERATORS
    value: ExpectedNumber
    of: str = "count"  # one of COUNT_OR_SHARE
    name: str = ""
    selector: str = ""  # status, error and bytes: the value of that key; hosts: count, spread or a name
    quantile: float = 0.0  # of the latency, from 0 to 1
    header: HeaderMatch | None = None
    body: re.Pattern[str] | None = None
    tls: SessionMatch | None = None
    trailer: HeaderMatch | None = None
    among: tuple[str, ...] = ()  # the hosts of a spread
    tolerance: Tolerance = EXACT

    @property
    def counts_answers(self) -> bool:
        """Whether the number is one of answers or errors, so that it has a share of all requests."""
        if self.subject == "hosts":
            return self.selector not in ("count", "spread")
        return self.subject not in ("latency", "bytes", "messages", "redirects", "connections")

    @property
    def counts_matches(self) -> bool:
        """Whether the number is one of answers that match, which are counted as they arrive."""
        return self.subject in ("header", "body", "tls", "trailer")


def parse_expectations(entries: Any, where: str) -> tuple[Expectation, ...]:
    """Return the expectations of a traffic. Raises ArgumentError."""
    return tuple(
        _expectation(entry, f"{where}[{position}]")
        for position, entry in enumerate(sequence(entries, where, "expectations"))
    )


def _expectation(entry: Any, where: str) -> Expectation:
    data = mapping(entry, where, KEYS)
    subjects = [subject for subject in SUBJECTS if subject in data]
    if len(subjects) != 1:
        found = " and ".join(subjects) or "none"
        raise ArgumentError(where, f"exactly one of {', '.join(SUBJECTS)} is needed, got {found}.")
    op = choice(data, "op", where, OPERATORS)
    value = _expected_number(data, op, f"{where}.value")
    expectation = _with_subject(
        Expectation(
            subjects[0],
            op,
            value,
            of=choice(data, "of", where, COUNT_OR_SHARE, "count"),
            name=text(data, "name", where),
            among=_among(data, where),
        ),
        data,
        where,
    )
    if expectation.of == "share" and not expectation.counts_answers:
        raise ArgumentError(
            f"{where}.of", f"{expectation.subject} counts no answers, so it has no share. Remove of."
        )
    if expectation.among and (expectation.subject, expectation.selector) != ("hosts", "spread"):
        raise ArgumentError(
            f"{where}.among", "it is only for hosts: spread. Remove it, or set hosts: spread."
        )
    return expectation._replace(tolerance=_tolerance(data, expectation, f"{where}.tolerance"))


def _with_subject(expectation: Expectation, data: Mapping[str, Any], where: str) -> Expectation:
    """Return the expectation with the value of its subject's key."""
    subject = expectation.subject
    if subject == "status":
        status = scalar_text(data["status"], f"{where}.status").lower()
        if not _STATUS.fullmatch(status):
            raise ArgumentError(
                f"{where}.status", f"{status!r} is not a status. Use a code (200), a class (2xx) or any."
            )
        return expectation._replace(selector=status)
    if subject == "header":
        return expectation._replace(header=_header_match(data["header"], f"{where}.header"))
    if subject == "hosts":
        return expectation._replace(selector=text(data, "hosts", where) or "count")
    if subject == "latency":
        quantile = number(data["latency"], f"{where}.latency", above=0, most=1)
        return expectation._replace(quantile=float(quantile))
    if subject == "error":
        return expectation._replace(selector=choice(data, "error", where, ("any", *ERRORS)))
    if subject in ("bytes", "messages", "redirects"):
        return expectation._replace(selector=choice(data, subject, where, BYTES))
    if subject == "connections":
        return expectation._replace(selector=choice(data, "connections", where, CONNECTIONS_COUNTED))
    if subject == "trailer":
        return expectation._replace(trailer=_header_match(data["trailer"], f"{where}.trailer"))
    if subject == "response_flag":
        return expectation._replace(selector=choice(data, "response_flag", where, (NONE, *RESPONSE_FLAGS)))
    if subject == "grpc_status":
        return expectation._replace(selector=_grpc_status(data["grpc_status"], f"{where}.grpc_status"))
    if subject == "tls":
        return expectation._replace(tls=parse_session_match(data["tls"], f"{where}.tls"))
    return expectation._replace(body=pattern(data["body"], f"{where}.body"))


def _grpc_status(value: Any, where: str) -> str:
    """Return the name of a gRPC status, which an author can write as a number. Raises ArgumentError."""
    text = scalar_text(value, where)
    name = status_name(text) if text.isdecimal() and int(text) < len(NAMES) else text.upper()
    if name not in NAMES:
        raise ArgumentError(where, f"{text!r} is no gRPC status. Use one of: {', '.join(NAMES)}.")
    return name


def _among(data: Mapping[str, Any], where: str) -> tuple[str, ...]:
    where = f"{where}.among"
    return tuple(scalar_text(host, where) for host in sequence(data.get("among", ()), where, "host names"))


def _tolerance(data: Mapping[str, Any], expectation: Expectation, where: str) -> Tolerance:
    if "tolerance" not in data:
        return EXACT
    tolerance = parse_tolerance(data["tolerance"], where)
    if tolerance.binomial:
        check_binomial(expectation.op, expectation.value, where)
        if expectation.of != "share":
            raise ArgumentError(where, f"{BINOMIAL} is only for a share of all requests. Set of: share.")
    return tolerance


def _header_match(entry: Any, where: str) -> HeaderMatch:
    data = mapping(entry, where, ("name", "value", "matches"))
    name = header_name(data.get("name"), f"{where}.name")
    if "value" in data and "matches" in data:
        raise ArgumentError(where, "value and matches exclude each other. Set only one of them.")
    return HeaderMatch(
        name,
        optional(data, "value", where, scalar_text),
        optional(data, "matches", where, pattern),
    )


def _expected_number(data: Mapping[str, Any], op: str, where: str) -> ExpectedNumber:
    if "value" not in data:
        raise ArgumentError(where, "a value is missing. Set the number that is expected.")
    value = data["value"]
    if op not in ("between", "in"):
        return number(value, where, finite=True)
    if isinstance(value, str):  # `2,5`, as it comes from a command line
        value = value.strip("[] ").split(",")
    entries = sequence(value, where, f"numbers for op {op}")
    numbers = tuple(number(entry, where, finite=True) for entry in entries)
    if not numbers:
        raise ArgumentError(
            where, f"op {op} needs a list of numbers, and the list is empty. Add the numbers."
        )
    if op == "between" and (len(numbers) != 2 or numbers[0] > numbers[1]):
        raise ArgumentError(where, "op between needs two numbers, the lowest and the highest: [2, 5].")
    return numbers
