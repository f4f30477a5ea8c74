# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds a result against what was expected: pure, and in words that a person needs."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.comparison import compare
from ansible_collections.meshlab.envoy.plugins.module_utils._common.tolerance import BinomialRange
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.counters import Result
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.expectations import Expectation
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic


def judge(traffic: Traffic, result: Result) -> list[dict[str, Any]]:
    """One verdict for each expectation of the traffic, in the same order."""
    return [_verdict(expectation, position, result) for position, expectation in enumerate(traffic.expect)]


def _verdict(expectation: Expectation, position: int, result: Result) -> dict[str, Any]:
    counted = observe(expectation, position, result)
    observed: float | None = counted
    if counted is not None and expectation.of == "share":
        observed = counted / result.sent if result.sent else None
    where = f"{result.name}: {expectation.name}: " if expectation.name else f"{result.name}: "
    unit = _unit(expectation)
    if expectation.tolerance.binomial and counted is not None and result.sent:
        chance = BinomialRange.of(expectation.op, expectation.value, expectation.tolerance, result.sent)
        ok, expected = chance.contains(counted), chance.expected
        seen, unseen = _shown(counted), chance.observed(counted)
    else:
        ok = observed is not None and compare(
            expectation.op, observed, expectation.value, expectation.tolerance
        )
        expected = bound(expectation)
        seen = unseen = "" if observed is None else _shown(observed)
    if observed is None:
        message = f"expected {_numbered(unit, expected)}, saw no answer{_errors(result)}"
    elif ok:
        message = _numbered(unit, seen) + ("" if expected == seen else f" (expected {expected})")
    else:
        message = f"expected {_numbered(unit, expected)}, saw {unseen}{_others(expectation, result)}"
    return {
        "ok": ok,
        "name": expectation.name,
        "expected": expected,
        "observed": round(observed, 6) if isinstance(observed, float) else observed,
        "message": where + message,
    }


def in_words(expectation: Expectation, trials: int | None) -> str:
    """Return what is expected, before anything is sent: `24 answers with status 200`; `trials` requests will be, where that is known."""
    name = f"{expectation.name}: " if expectation.name else ""
    if expectation.tolerance.binomial and trials:
        chance = BinomialRange.of(expectation.op, expectation.value, expectation.tolerance, trials)
        return name + _numbered(_unit(expectation), chance.expected)
    return name + _numbered(_unit(expectation, of_many=True), bound(expectation))


def observe(expectation: Expectation, position: int, result: Result) -> float | None:
    """The number that an expectation is about; None where there was no answer to take it from."""
    subject, selector = expectation.subject, expectation.selector
    if subject == "status":
        return result.answered if selector == "any" else _sum_of_statuses(selector, result)
    if subject in ("header", "body", "tls"):
        return result.matched[position]
    if subject == "error":
        return sum(result.errors.values()) if selector == "any" else result.errors.get(selector, 0)
    if subject == "latency":
        return result.quantile(expectation.quantile)
    if subject == "bytes":
        if selector == "total":
            return result.bytes_received
        return result.bytes_received / result.answered if result.answered else None
    if selector == "count":
        return len(result.hosts)
    if selector == "spread":
        return spread(result.hosts, expectation.among)
    return result.hosts.get(selector, 0)


def spread(hosts: dict[str, int], among: tuple[str, ...] = ()) -> float | None:
    """How unevenly the answers are spread over the hosts: the difference of most and fewest, by the mean."""
    numbers = list({**dict.fromkeys(among, 0), **hosts}.values())
    if not sum(numbers):
        return None
    return (max(numbers) - min(numbers)) / (sum(numbers) / len(numbers))


def bound(expectation: Expectation) -> str:
    """What is expected, in words: `20`, `at least 18`, `18 to 22`."""
    op, value = expectation.op, expectation.value
    around = str(expectation.tolerance)
    if isinstance(value, tuple):
        numbers = [_shown(one) for one in value]
        if op == "between":
            return " to ".join(numbers) + around
        return (numbers[0] if len(numbers) == 1 else f"{', '.join(numbers[:-1])} or {numbers[-1]}") + around
    words = {
        "eq": "",
        "ne": "other than ",
        "lt": "less than ",
        "le": "at most ",
        "gt": "more than ",
        "ge": "at least ",
    }
    return words[op] + _shown(value) + around


def _sum_of_statuses(selector: str, result: Result) -> int:
    return sum(number for status, number in result.statuses.items() if _selected(selector, status))


def _selected(selector: str, status: str) -> bool:
    return status[0] == selector[0] if selector.endswith("xx") else selector in ("any", status)


def _unit(expectation: Expectation, of_many: bool = False) -> str:
    """What is counted, with {} for the number; what is left to chance has `of_many` where nobody knows of how many."""
    subject, selector = expectation.subject, expectation.selector
    if subject == "latency":
        return f"a latency p{_shown(expectation.quantile * 100)} of {{}} ms"
    if subject == "bytes":
        return "{} bytes in all bodies" if selector == "total" else "{} bytes for each body"
    if selector == "count" and subject == "hosts":
        return "answers from {} hosts"
    if selector == "spread" and subject == "hosts":
        return "a spread over the hosts of {}"
    if subject == "status":
        what = "answers" if selector == "any" else f"answers with status {selector}"
    elif subject == "error":
        what = "errors" if selector == "any" else f"{selector} errors"
    elif subject == "hosts":
        what = f"answers from {selector}"
    elif expectation.header is not None:
        header = expectation.header
        value = f": {header.value}" if header.value is not None else ""
        pattern = f" matching {header.matches.pattern!r}" if header.matches is not None else ""
        what = f"answers with header {header.name}{value}{pattern}"
    elif expectation.tls is not None:
        what = f"answers over TLS with {expectation.tls.words}"
    else:
        pattern = expectation.body.pattern if expectation.body is not None else ""
        what = f"answers with a body matching {pattern!r}"
    what = what.replace("{", "{{").replace("}", "}}")
    of_all = expectation.of == "share" and (of_many or not expectation.tolerance.binomial)
    return f"a share of {{}} of {what}" if of_all else f"{{}} {what}"


def _numbered(unit: str, number: str) -> str:
    """What is counted, with its number, which may be one."""
    text = unit.format(number)
    if not re.search(r"(?<![\d.])1$", number):
        return text
    return re.sub(r"\b1 (?!of )(\w+ )?(answer|error|host|byte)s\b", r"1 \1\2", text, count=1)


def _others(expectation: Expectation, result: Result) -> str:
    """What was seen instead, in brackets, most frequent first."""
    seen: dict[str, int] = {}
    if expectation.subject == "status":
        seen = {
            status: number
            for status, number in result.statuses.items()
            if not _selected(expectation.selector, status)
        }
    elif expectation.subject == "header" and expectation.header is not None:
        values = result.headers.get(expectation.header.name, {})
        seen = {f"{expectation.header.name}: {value}": number for value, number in values.items()}
        absent = result.answered - sum(values.values())
        if absent:
            seen[f"no {expectation.header.name}"] = absent
    elif expectation.subject == "hosts":
        seen = result.hosts
    elif expectation.subject == "tls":
        seen = result.tls
    return _errors(result, seen)


def _errors(result: Result, seen: dict[str, int] | None = None) -> str:
    numbers = {**(seen or {}), **result.errors}
    if not numbers:
        return ""
    ordered = sorted(numbers.items(), key=lambda item: -item[1])
    parts = [f"{number} × {word}" for word, number in ordered[:8]]
    if len(ordered) > 8:
        parts.append(f"{len(ordered) - 8} more")
    if result.errors and result.last_error:
        parts[-1] += f"; last error: {result.last_error}"
    return f" ({', '.join(parts)})"


def _shown(number: float) -> str:
    return (
        str(number) if isinstance(number, int) else f"{number:.4g}" if abs(number) < 1000 else f"{number:.0f}"
    )
