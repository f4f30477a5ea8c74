# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Convert plain data into assertions, and refuse those that cannot be evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion import (
    ACROSS,
    KEYS,
    OF,
    STAT_KEYS,
    VALUE_KEYS,
    VALUE_OPERATORS,
    WINDOWS,
    Assertion,
    ExpectedValue,
    Labels,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import (
    Scalar,
    choice,
    expected,
    mapping,
    names,
    number,
    optional,
    sequence,
    shown,
    text,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.comparison import (
    NUMERIC,
    OPERATORS,
    PRESENCE,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.tolerance import (
    BINOMIAL,
    EXACT,
    check_binomial,
    parse_tolerance,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2 import (
    Pattern,
    compile_pattern,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.sources import SELECTABLE


def parse_assertions(entries: Sequence[Mapping[str, Any]] | None) -> list[Assertion]:
    """Return assertions from plain data.

    Args:
        entries: One dictionary for each assertion, with the option `assertions` of the module envoy_stats. A key whose value
            is None counts as left out; None is no assertion.

    Raises:
        ArgumentError: An assertion cannot be evaluated; the message has its key and what to do.

    Example:
        >>> [one] = parse_assertions([{"stat": "cluster.web.upstream_rq_200", "of": "delta", "op": "ge", "value": 20}])
        >>> one.subject(where="edge"), one.expected
        ('delta of cluster.web.upstream_rq_200 at edge', 'at least 20')
    """
    if entries is None:
        return []
    sequence(entries, "assertions", "dictionaries, one for each assertion")
    return [_assertion(entry, f"assertions[{position}]") for position, entry in enumerate(entries)]


def check_not_empty(assertions: Sequence[Assertion]) -> None:
    """Raise ArgumentError for an empty list, because a task without any assertion cannot fail."""
    if not assertions:
        raise ArgumentError("assertions", "the list is empty, so the task cannot fail. Add an assertion.")


def check_since(assertions: Sequence[Assertion]) -> None:
    """Raise ArgumentError for the first assertion that needs an earlier snapshot."""
    for position, assertion in enumerate(assertions):
        for each in filter(None, (assertion, assertion.value_from)):
            if each.is_difference:
                raise ArgumentError(
                    f"assertions[{position}]",
                    f"of: {each.of} needs an earlier snapshot. Set since to the result of an earlier task.",
                )


def _assertion(entry: Any, where: str) -> Assertion:
    data = mapping(entry, where, KEYS)
    stat, match, promql = (text(data, key, where) for key in ("stat", "match", "promql"))
    labels, over_labels = (_labels(data, key, where) for key in ("labels", "over_labels"))
    _check_stat_keys(stat, match, promql, labels, where)
    if promql and data.get("source", "stats") != "stats":
        raise ArgumentError(f"{where}.source", "it cannot be combined with promql. Remove it.")
    op = choice(data, "op", where, OPERATORS)
    value_from = _value_from(data, op, f"{where}.value")
    tolerance = parse_tolerance(data["tolerance"], f"{where}.tolerance") if "tolerance" in data else EXACT
    value = None if value_from else _expected_value(data, op, f"{where}.value")
    if tolerance.binomial and isinstance(value, str):  # a number that a template made text
        value = number(value, f"{where}.value")
    bucket = optional(data, "bucket", where, number)
    assertion = Assertion(
        op=op,
        value=value,
        name=text(data, "name", where),
        endpoint=names(data.get("endpoint"), f"{where}.endpoint"),
        source="promql" if promql else choice(data, "source", where, SELECTABLE, "stats"),
        stat=stat or promql,
        match=compile_pattern(match, f"{where}.match") if match else None,
        labels=labels,
        over=text(data, "over", where),
        over_match=_over_match(data, where),
        over_labels=over_labels,
        of=choice(data, "of", where, OF, "value"),
        across=choice(data, "across", where, ACROSS, "each"),
        quantile=optional(data, "quantile", where, _quantile),
        bucket=None if bucket is None else float(bucket),
        window=choice(data, "window", where, WINDOWS, "cumulative"),
        tolerance=tolerance,
        default=optional(data, "default", where, number),
        value_from=value_from,
    )
    _check(assertion, where)
    return assertion


def _check_stat_keys(stat: str, match: str, promql: str, labels: Labels | None, where: str) -> None:
    given = sum(map(bool, (stat, match, promql)))
    if given > 1:
        raise ArgumentError(where, "stat, match and promql exclude each other. Set only one of them.")
    if not given and not labels:
        raise ArgumentError(
            where,
            f"no stat is selected. Set one of {', '.join(STAT_KEYS)}: stat is a name, match a pattern of names.",
        )


def _labels(data: Mapping[str, Any], key: str, where: str) -> Labels | None:
    labels = data.get(key)
    if labels is None:
        return None
    if not isinstance(labels, Mapping):
        raise expected(f"{where}.{key}", "a dictionary of names and values", labels)
    return tuple(sorted((str(name), str(value)) for name, value in labels.items()))


def _over_match(data: Mapping[str, Any], where: str) -> Pattern | None:
    source = text(data, "over_match", where)
    return compile_pattern(source, f"{where}.over_match") if source else None


def _value_from(data: Mapping[str, Any], op: str, where: str) -> Assertion | None:
    """Return what the value is read from, where the value is neither a number nor text."""
    value = data.get("value")
    if not isinstance(value, Mapping) or op in PRESENCE:
        return None
    if op not in VALUE_OPERATORS:
        allowed = ", ".join(VALUE_OPERATORS)
        raise ArgumentError(where, f"op {op} cannot compare with the value of a stat. Use one of: {allowed}.")
    return _assertion({**mapping(value, where, VALUE_KEYS), "op": "eq", "value": 0}, where)


def _expected_value(data: Mapping[str, Any], op: str, where: str) -> ExpectedValue:
    if op in PRESENCE:
        if "value" in data:
            raise ArgumentError(where, f"op {op} has no value. Remove it.")
        return None
    if "value" not in data:
        raise ArgumentError(where, f"a value is missing. Set what op {op} compares with.")
    value = data["value"]
    if op == "matches":
        return compile_pattern(str(value), where)
    if op in ("between", "in"):
        if isinstance(value, str):  # `1,2`, as it comes from a command line
            value = [entry.strip() for entry in value.strip("[] ").split(",")]
        if not isinstance(value, (list, tuple)) or not value:
            raise expected(where, f"a list for op {op}", value)
        if op == "in":
            return tuple(_scalar(entry, where) for entry in value)
        bounds = tuple(number(entry, where) for entry in value)
        if len(bounds) != 2 or bounds[0] > bounds[1]:
            raise expected(where, "two numbers for op between, the lowest and the highest", value)
        return bounds
    return number(value, where) if op in NUMERIC else _scalar(value, where)


def _scalar(value: Any, where: str) -> Scalar:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise expected(where, "a number or text", value)
    return number(value, where)


def _quantile(value: Any, where: str) -> float:
    share = number(value, where)
    if 1 < share <= 100:
        raise ArgumentError(
            where, f"expected a share from 0 to 1, got {shown(value)}. Write {share / 100:g} for p{share:g}."
        )
    return float(number(share, where, least=0, most=1))


def _check(assertion: Assertion, where: str) -> None:
    """Raise ArgumentError for a combination of keys that has no meaning."""
    _check_histogram(assertion, where)
    if assertion.source != "stats" and (
        assertion.has_labels or assertion.is_histogram or assertion.is_ratio or assertion.is_difference
    ):
        advice = (
            "Write it in the query itself, for example increase(…[1m])."
            if assertion.source == "promql"
            else f"They are for stats, and source is {assertion.source}."
        )
        raise ArgumentError(
            where,
            f"labels, quantile, bucket, over and of cannot be combined with {assertion.source}. {advice}",
        )
    _check_ratio(assertion, where)
    _check_presence(assertion, where)
    if assertion.op == "matches" and assertion.across not in ("each", "any"):
        raise ArgumentError(
            f"{where}.across", f"op matches is for text, which has no {assertion.across}. Use each or any."
        )
    if assertion.tolerance.binomial:
        _check_binomial(assertion, f"{where}.tolerance")


def _check_histogram(assertion: Assertion, where: str) -> None:
    if assertion.quantile is not None and assertion.bucket is not None:
        raise ArgumentError(where, "quantile and bucket exclude each other. Set only one of them.")
    if assertion.quantile is not None and assertion.of == "rate":
        raise ArgumentError(
            f"{where}.of", "a quantile has no rate. Use delta for the samples since the earlier snapshot."
        )
    if assertion.quantile is not None and assertion.default is not None:
        raise ArgumentError(
            f"{where}.default", "a histogram without samples has no quantile. Remove default."
        )
    if assertion.window == "interval" and (not assertion.is_histogram or assertion.is_difference):
        raise ArgumentError(
            f"{where}.window",
            "interval is for quantile or bucket with of: value, because it is the last flush of a histogram.",
        )


def _check_ratio(assertion: Assertion, where: str) -> None:
    if assertion.over and assertion.over_match:
        raise ArgumentError(where, "over and over_match exclude each other. Set only one of them.")
    if assertion.over_labels is not None and not assertion.is_ratio:
        raise ArgumentError(f"{where}.over_labels", "over or over_match is missing. Set one of them, too.")
    if not assertion.is_ratio:
        return
    if assertion.is_histogram or assertion.across in ("any", "count"):
        raise ArgumentError(
            f"{where}.over",
            "a ratio cannot be combined with quantile or bucket, or with across: any or count. Remove it.",
        )
    same = assertion.over == assertion.stat if assertion.over else assertion.over_match == assertion.match
    if same and assertion.over_labels is None:
        raise ArgumentError(
            f"{where}.over", "the ratio of a stat to itself is 1. Use another stat, or set over_labels."
        )


def _check_presence(assertion: Assertion, where: str) -> None:
    if assertion.op not in PRESENCE:
        return
    if (
        assertion.is_difference
        or assertion.is_histogram
        or assertion.is_ratio
        or assertion.across not in ("each", "any")
    ):
        raise ArgumentError(
            where,
            f"op {assertion.op} is about the existence of a stat. Remove of, over, quantile, bucket and across.",
        )
    if assertion.default is not None:
        raise ArgumentError(f"{where}.default", f"op {assertion.op} has no default. Remove it.")


def _check_binomial(assertion: Assertion, where: str) -> None:
    if assertion.value_from is not None:
        raise ArgumentError(where, f"{BINOMIAL} needs a probability as value, not the value of a stat.")
    check_binomial(assertion.op, assertion.value, where)
    if not assertion.is_ratio or assertion.of == "rate" or assertion.across not in ("each", "sum"):
        raise ArgumentError(
            where,
            f"{BINOMIAL} needs over, the stat that counts all trials, of: value or delta, and across: each or sum.",
        )
