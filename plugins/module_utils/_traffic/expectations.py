# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be expected of a traffic's result: typed numbers, no language of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.meshlab.envoy.plugins.module_utils._common.tolerance import (
    BINOMIAL,
    EXACT,
    Tolerance,
    check_binomial,
    parse_tolerance,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic import client_tls
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.reading import (
    TrafficError,
    as_number,
    choice,
    dictionary,
    header_name,
    number,
    pattern,
    plain,
    text,
)

OPERATORS = ("eq", "ne", "lt", "le", "gt", "ge", "between", "in")
ERRORS = ("connect", "timeout", "tls", "reset", "protocol", "reply")
SUBJECTS = ("status", "header", "hosts", "latency", "error", "bytes", "body", "tls")

_STATUS = re.compile(r"[1-9][0-9]{2}|[1-9]xx|any")


class HeaderMatch(NamedTuple):
    """A header of an answer: that it is there, that it has a value, or that its value matches."""

    name: str
    value: str | None = None
    matches: re.Pattern[str] | None = None

    def holds(self, seen: str | None) -> bool:
        if seen is None:
            return False
        if self.value is not None:
            return seen == self.value
        return self.matches is None or self.matches.search(seen) is not None


class Expectation(NamedTuple):
    """One number of a result, and what it has to be."""

    subject: str  # one of SUBJECTS
    op: str
    value: float | tuple[float, ...]
    of: str = "count"
    name: str = ""
    selector: str = ""  # status, error, bytes: as written; hosts: count, spread or a name
    quantile: float = 0.0
    header: HeaderMatch | None = None
    body: re.Pattern[str] | None = None
    tls: client_tls.SessionMatch | None = None
    among: tuple[str, ...] = ()
    tolerance: Tolerance = EXACT


def parse_expectations(data: Mapping[str, Any], where: str) -> tuple[Expectation, ...]:
    entries = data.get("expect", ())
    if isinstance(entries, (str, bytes, Mapping)) or not isinstance(entries, Sequence):
        raise TrafficError(f"{where}.expect has to be a list of expectations")
    return tuple(_expectation(entry, f"{where}.expect[{position}]") for position, entry in enumerate(entries))


def _expectation(entry: Any, where: str) -> Expectation:
    data = dictionary(entry, where, ("name", "op", "value", "of", "tolerance", "among", *SUBJECTS))
    subjects = [subject for subject in SUBJECTS if subject in data]
    if len(subjects) != 1:
        seen = " and ".join(subjects) or "none"
        raise TrafficError(f"{where} needs exactly one of {', '.join(SUBJECTS)}; it has {seen}")
    subject = subjects[0]
    op = choice(data, "op", where, OPERATORS, None)
    selector, quantile = "", 0.0
    header: HeaderMatch | None = None
    body: re.Pattern[str] | None = None
    session: client_tls.SessionMatch | None = None
    if subject == "status":
        selector = plain(data["status"]).lower()
        if not _STATUS.fullmatch(selector):
            raise TrafficError(
                f"{where}.status: {selector!r} is no status; use a code (200), a class (2xx) or any"
            )
    elif subject == "header":
        header = _header_match(data["header"], f"{where}.header")
    elif subject == "hosts":
        selector = text(data, "hosts", where) or "count"
    elif subject == "latency":
        quantile = number(data, "latency", where, above=0, most=1) or 0.0
    elif subject == "error":
        selector = choice(data, "error", where, ("any", *ERRORS), None)
    elif subject == "bytes":
        selector = choice(data, "bytes", where, ("total", "mean"), None)
    elif subject == "tls":
        session = client_tls.parse_match(data["tls"], f"{where}.tls")
    else:
        body = pattern(data, "body", where)
    of = choice(data, "of", where, ("count", "share"), "count")
    counts = subject in ("status", "header", "error", "body", "tls") or (
        subject == "hosts" and selector not in ("count", "spread")
    )
    if of == "share" and not counts:
        raise TrafficError(
            f"{where}.of: {subject} is no number of answers, so it has no share; leave `of` out"
        )
    among = data.get("among", ())
    if among and (subject != "hosts" or selector != "spread"):
        raise TrafficError(
            f"{where}.among is for `hosts: spread` only; it names the hosts that have to share the answers"
        )
    if isinstance(among, (str, bytes, Mapping)) or not isinstance(among, Sequence):
        raise TrafficError(f"{where}.among has to be a list of host names")
    value = _expected(data, op, where)
    return Expectation(
        subject=subject,
        op=op,
        value=value,
        of=of,
        name=text(data, "name", where) or "",
        selector=selector,
        quantile=quantile,
        header=header,
        body=body,
        tls=session,
        among=tuple(plain(host) for host in among),
        tolerance=_tolerance(data, op, value, of, where),
    )


def _tolerance(data: Mapping[str, Any], op: str, value: object, of: str, where: str) -> Tolerance:
    if "tolerance" not in data:
        return EXACT
    where = f"{where}.tolerance"
    tolerance = parse_tolerance(data["tolerance"], where)
    if tolerance.binomial:
        check_binomial(op, value, where)
    if tolerance.binomial and of != "share":
        raise TrafficError(f"{where}: {BINOMIAL} is about how many of all requests; it goes with `of: share`")
    return tolerance


def _header_match(entry: Any, where: str) -> HeaderMatch:
    data = dictionary(entry, where, ("name", "value", "matches"))
    name = header_name(text(data, "name", where), f"{where}.name")
    if "value" in data and "matches" in data:
        raise TrafficError(f"{where}: give either value or matches, not both")
    return HeaderMatch(
        name, text(data, "value", where), pattern(data, "matches", where) if "matches" in data else None
    )


def _expected(data: Mapping[str, Any], op: str, where: str) -> float | tuple[float, ...]:
    where = f"{where}.value"
    if "value" not in data:
        raise TrafficError(f"{where} is missing: say which number is expected")
    value = data["value"]
    if op not in ("between", "in"):
        return as_number(value, where)
    if isinstance(value, str):  # `2,5`, as it comes from a command line
        value = value.strip("[] ").split(",")
    if isinstance(value, (bytes, Mapping)) or not isinstance(value, Sequence) or not value:
        raise TrafficError(f"{where} has to be a list of numbers, since op is {op}")
    numbers = tuple(as_number(number, where) for number in value)
    if op == "between" and (len(numbers) != 2 or numbers[0] > numbers[1]):
        raise TrafficError(f"{where} has to be [lowest, highest], since op is between")
    return numbers
