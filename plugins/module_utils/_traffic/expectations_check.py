# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare the result of a traffic with its expectations, without any I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import Number
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.body_sample import sample_text
from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.accepted_range import (
    Range,
    accepted_range,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.comparison import (
    compare,
    expected_text,
    format_value,
    outcome_text,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.tolerance import BinomialRange
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.counters import Result
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.expectations import Expectation
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.series.response_flags import NONE
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic

_MOST_SHOWN = 8  # different answers in a message
_BODIES_SHOWN = 2  # bodies in a message


class ExpectationResult(TypedDict):
    """What came of one expectation, as the module returns it."""

    ok: bool
    name: str
    expected: str  # `20`, `at least 18`
    observed: Number | None  # None where no answer has the number
    accepted: Range | None  # the lowest and the highest number that holds; None where these are no range
    texts: dict[str, str]  # the parts of the message: subject, expected, observed
    message: str


def check_expectations(traffic: Traffic, result: Result) -> list[ExpectationResult]:
    """Return one entry for each expectation of the traffic, in the same order."""
    return [_check(expectation, position, result) for position, expectation in enumerate(traffic.expect)]


def outcome_summary(results: Sequence[Mapping[str, Any]]) -> tuple[bool, str]:
    """Return whether all expectations of the results of traffic hold, and a message."""
    outcomes = [outcome for result in results for outcome in result["expect"]]
    failed = [outcome["message"] for outcome in outcomes if not outcome["ok"]]
    if failed:
        return False, "\n".join([f"{len(failed)} of {len(outcomes)} expectations failed:", *failed])
    sent, answered = sum(result["sent"] for result in results), sum(result["answered"] for result in results)
    holding = "1 expectation holds" if len(outcomes) == 1 else f"All {len(outcomes)} expectations hold"
    return True, f"{holding if outcomes else 'No expectations'}: {sent} requests sent, {answered} answered."


def _check(expectation: Expectation, position: int, result: Result) -> ExpectationResult:
    count = observe(expectation, position, result)
    observed = count
    if count is not None and expectation.of == "share":
        observed = count / result.sent if result.sent else None
    if expectation.tolerance.binomial and count is not None and result.sent:
        accepted = BinomialRange.of(expectation.op, expectation.value, expectation.tolerance, result.sent)
        ok, expected, got = accepted.contains(count), accepted.expected, format_value(count)
    else:
        ok = observed is not None and compare(
            expectation.op, observed, expectation.value, expectation.tolerance
        )
        expected = expected_text(expectation.op, expectation.value, expectation.tolerance)
        got = "no answer" if observed is None else format_value(observed)
    name = f"{expectation.name}: " if expectation.name else ""
    subject = f"{subject_text(expectation)} of traffic {result.name}"
    outcome = outcome_text(expected, got, subject)
    return {
        "ok": ok,
        "name": expectation.name,
        "expected": expected,
        "observed": round(observed, 6) if isinstance(observed, float) else observed,
        "accepted": _accepted(expectation, result.sent),
        "texts": {"subject": subject, "expected": expected, "observed": got},
        "message": name + outcome + ("" if ok else _details(expectation, position, result)),
    }


def _accepted(expectation: Expectation, sent: int) -> Range | None:
    """Return the accepted range in the unit of `observed`: requests, or their share."""
    accepted = accepted_range(expectation.op, expectation.value, expectation.tolerance, sent)
    if accepted is None or not expectation.tolerance.binomial or expectation.of == "share":
        return accepted
    return [None if one is None else round(one * sent) for one in accepted]


def planned_text(expectation: Expectation, trials: int | None) -> str:
    """Return what is expected before any request is sent: `answers with status 200: 24`.

    Args:
        expectation: The expectation.
        trials: How many requests will be sent, from which a binomial tolerance follows; None where that is open.
    """
    name = f"{expectation.name}: " if expectation.name else ""
    if expectation.tolerance.binomial and trials:
        expected = BinomialRange.of(expectation.op, expectation.value, expectation.tolerance, trials).expected
    else:
        expected = expected_text(expectation.op, expectation.value, expectation.tolerance)
    return f"{name}{subject_text(expectation)}: {expected}"


def observe(expectation: Expectation, position: int, result: Result) -> Number | None:
    """Return the number that an expectation is about, None where no answer has it.

    Args:
        expectation: The expectation.
        position: The position of the expectation in its traffic.
        result: The result of the traffic.
    """
    subject, selector = expectation.subject, expectation.selector
    if subject == "status":
        return result.answered if selector == "any" else _answers_with(selector, result)
    if expectation.counts_matches:
        return result.matched[position]
    if subject == "error":
        return sum(result.errors.values()) if selector == "any" else result.errors.get(selector, 0)
    if subject == "latency":
        return result.quantile(expectation.quantile)
    if subject in ("bytes", "messages", "redirects"):
        totals = {"bytes": result.bytes_received, "messages": result.messages, "redirects": result.redirects}
        total = totals[subject]
        if selector == "total":
            return total
        return total / result.answered if result.answered else None
    if subject == "response_flag":
        flags = result.response_flags
        return None if flags is None else flags.get(selector, 0)
    if subject == "grpc_status":
        return result.grpc_statuses.get(selector, 0)
    if subject == "connections":
        return result.connections if selector == "opened" else result.retries
    if selector == "count":
        return len(result.hosts)
    if selector == "spread":
        return spread(result.hosts, expectation.among)
    return result.hosts.get(selector, 0)


def spread(hosts: dict[str, int], among: tuple[str, ...] = ()) -> float | None:
    """Return the difference between the most and the fewest answers of a host, divided by the mean.

    Args:
        hosts: The number of answers of each host.
        among: Hosts that have to be considered even without an answer.

    Example:
        >>> spread({"a": 6, "b": 4})
        0.4
    """
    numbers = list({**dict.fromkeys(among, 0), **hosts}.values())
    if not sum(numbers):
        return None
    return (max(numbers) - min(numbers)) / (sum(numbers) / len(numbers))


def subject_text(expectation: Expectation) -> str:
    """Return the number that an expectation is about: `answers with status 200`, `p99 latency in ms`."""
    subject, selector = expectation.subject, expectation.selector
    if subject == "latency":
        return f"p{format_value(expectation.quantile * 100)} latency in ms"
    if subject == "messages":
        return "response messages" if selector == "total" else "mean response messages of a call"
    if subject == "redirects":
        return "followed redirects" if selector == "total" else "mean redirects of a request"
    if subject == "connections":
        return "opened connections" if selector == "opened" else "requests sent again"
    if subject == "bytes":
        return "bytes of all bodies" if selector == "total" else "mean bytes of a body"
    if subject == "hosts" and selector in ("count", "spread"):
        return "answering hosts" if selector == "count" else "spread over the hosts"
    return (
        _counted_text(expectation) if expectation.of == "count" else f"share of {_counted_text(expectation)}"
    )


def _counted_text(expectation: Expectation) -> str:
    subject, selector = expectation.subject, expectation.selector
    if subject == "status":
        return "answers" if selector == "any" else f"answers with status {selector}"
    if subject == "grpc_status":
        return f"answers with gRPC status {selector}"
    if subject == "response_flag":
        return (
            "answers without a response flag"
            if selector == NONE
            else f"answers with response flag {selector}"
        )
    if subject == "error":
        return "errors" if selector == "any" else f"{selector} errors"
    if subject == "hosts":
        return f"answers from {selector}"
    header = expectation.header or expectation.trailer
    if header is not None:
        value = f": {header.value}" if header.value is not None else ""
        pattern = f" that matches {header.pattern.pattern!r}" if header.pattern is not None else ""
        kind = "header" if expectation.trailer is None else "trailer"
        return f"answers with {kind} {header.name}{value}{pattern}"
    if expectation.tls is not None:
        return f"answers over TLS with {expectation.tls.text}"
    pattern = expectation.body.pattern if expectation.body is not None else ""
    return f"answers with a body that matches {pattern!r}"


def _answers_with(selector: str, result: Result) -> int:
    return sum(number for status, number in result.statuses.items() if _is_selected(selector, status))


def _is_selected(selector: str, status: str) -> bool:
    return status[0] == selector[0] if selector.endswith("xx") else selector in ("any", status)


def _details(expectation: Expectation, position: int, result: Result) -> str:
    """Return sentences about the other answers, their bodies and the errors, the most frequent first."""
    others = _other_answers(expectation, result)
    sentences = [f"{title}: {_listed(counts)}." for title, counts in others.items() if counts]
    if expectation.subject == "status":
        counts = others.get("Other answers", {})
        unexpected = sorted(
            (status for status in counts if result.bodies.get(status)), key=lambda one: -counts[one]
        )
        sentences += [
            f"Body of a {status}: {sample_text(result.bodies[status])}."
            for status in unexpected[:_BODIES_SHOWN]
        ]
    if position in result.unmatched:
        sentences.append(f"Another body: {sample_text(result.unmatched[position])}.")
    if result.errors:
        sentences.append(f"Errors: {_listed(result.errors)}.")
    if result.errors and result.last_error:
        sentences.append(f"Last error: {result.last_error}.")
    return ". " + " ".join(sentences) if sentences else ""


def _other_answers(expectation: Expectation, result: Result) -> dict[str, dict[str, int]]:
    if expectation.subject == "status":
        selector = expectation.selector
        others = {
            status: number for status, number in result.statuses.items() if not _is_selected(selector, status)
        }
        return {"Other answers": others}
    if expectation.header is not None:
        values = result.headers.get(expectation.header.name, {})
        found = {f"{expectation.header.name}: {value}": number for value, number in values.items()}
        # An answer can have the header several times.
        without = max(0, result.answered - sum(values.values()))
        return {"Answers": {**found, f"no {expectation.header.name}": without} if without else found}
    if expectation.trailer is not None:
        return {"Answers": result.trailers.get(expectation.trailer.name, {})}
    if expectation.subject == "grpc_status":
        others = {
            name: number for name, number in result.grpc_statuses.items() if name != expectation.selector
        }
        return {"Other answers": others}
    if expectation.subject == "response_flag":
        return {"Response flags": dict(result.response_flags or {})}
    if expectation.subject == "hosts":
        return {"Answers": result.hosts}
    if expectation.tls is not None:
        return {"Sessions": result.tls}
    return {}


def _listed(counts: dict[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    parts = [f"{number} × {key}" for key, number in ordered[:_MOST_SHOWN]]
    if len(ordered) > _MOST_SHOWN:
        parts.append(f"{len(ordered) - _MOST_SHOWN} more")
    return ", ".join(parts)
