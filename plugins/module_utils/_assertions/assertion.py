# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Assertions: what is expected of which number, read from plain data into a type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import (
    Scalar,
    choice,
    expected,
    mapping,
    names,
    number,
    text,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.comparison import (
    NUMERIC,
    OPERATORS,
    PRESENCE,
    expected_text,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import SpecError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.re2 import Pattern, compile_pattern
from ansible_collections.meshlab.envoy.plugins.module_utils._common.tolerance import (
    BINOMIAL,
    EXACT,
    BinomialRange,
    Tolerance,
    check_binomial,
    parse_tolerance,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.sources import SELECTABLE

OF = ("value", "delta", "rate")
ACROSS = ("each", "sum", "min", "max", "avg", "any", "count", "spread")
WINDOWS = ("cumulative", "interval")
# What can be asked besides stats. `prometheus` is chosen by an endpoint's format, or by labels.
KEYS = (
    "name",
    "endpoint",
    "source",
    "stat",
    "match",
    "promql",
    "labels",
    "over",
    "over_match",
    "over_labels",
    "of",
    "across",
    "quantile",
    "bucket",
    "window",
    "op",
    "value",
    "tolerance",
    "default",
)

Labels = tuple[tuple[str, str], ...]
# What a value may be that is read at the same look, and what it may be compared by.
READ_KEYS = tuple(key for key in KEYS if key not in ("name", "op", "value", "tolerance"))
COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
_SUBJECTS = ("stat", "match", "promql", "labels")


@dataclass(frozen=True)
class Assertion:
    """One expectation. `stat` or `match` is set, or neither where labels say it all; a PromQL query is a stat whose source is promql."""

    op: str
    value: Scalar | tuple[Scalar, ...] | Pattern | None = None
    name: str = ""
    endpoint: tuple[str, ...] = ()  # names or fnmatch patterns; empty: all whose format is envoy
    source: str = "stats"
    stat: str = ""
    match: Pattern | None = None
    labels: Labels | None = None
    over: str = ""  # the ratio to another stat
    over_match: Pattern | None = None  # or to all that match
    over_labels: Labels | None = None  # None: the same as labels, as far as it has them
    of: str = "value"
    across: str = "each"
    quantile: float | None = None
    bucket: float | None = None
    window: str = "cumulative"
    tolerance: Tolerance = EXACT
    default: int | float | None = None  # what an absent stat counts as
    # What is to be read at the same look for its value: another assertion, whose own `op` and `value` say nothing.
    other: Assertion | None = None
    read_from: str = ""  # where its value was read, for a message

    @property
    def about_histogram(self) -> bool:
        return self.quantile is not None or self.bucket is not None

    @property
    def since(self) -> bool:
        """Whether it needs an earlier snapshot."""
        return self.of != "value"

    @property
    def ratio(self) -> bool:
        return bool(self.over) or self.over_match is not None

    @property
    def several(self) -> bool:
        """Whether an endpoint decides by its names which stats are meant."""
        return self.match is not None or self.over_match is not None or not self.stat

    @property
    def by_labels(self) -> bool:
        """Whether its names are those of Prometheus' format, also of an Envoy."""
        return self.labels is not None or self.over_labels is not None

    def chance(self, trials: float) -> BinomialRange:
        """How many of `trials` chance may pick. Raises ValueError where that cannot be said of them."""
        return BinomialRange.of(self.op, self.value, self.tolerance, trials)

    @property
    def what(self) -> str:
        """The subject, for a message."""
        subject = (self.stat or _matching(self.match)) + _in_braces(self.labels)
        if self.ratio:
            subject += f" / {self.over_what}"
        return subject if self.source == "stats" else f"{self.source} {subject}"

    @property
    def over_what(self) -> str:
        """What the ratio is to, for a message."""
        return (self.over or _matching(self.over_match)) + _in_braces(self.over_labels)

    @property
    def expected(self) -> str:
        """What is expected, for a message: `delta eq 20`, `sum ge 5`, `p99 lt 50`."""
        if self.other is not None:
            return self.expecting(f"{self.op} {self.other.read}{self.tolerance}")
        words = expected_text(self.op, self.value, self.tolerance)
        return self.expecting(f"{words} ({self.read_from})" if self.read_from else words)

    @property
    def read(self) -> str:
        """What is read, for a message about what is compared with it: `delta of cluster.web.upstream_rq_total at web`."""
        words = self.expecting("").strip()
        where = f" at {', '.join(self.endpoint)}" if self.endpoint else ""
        return f"{words + ' of ' if words else ''}{self.what}{where}"

    def expecting(self, comparison: str) -> str:
        """What is expected, with these words for the comparison."""
        words = [self.across] if self.across != "each" else []
        if self.quantile is not None:
            words.append(f"p{self.quantile * 100:g}")
        if self.bucket is not None:
            words.append(f"samples up to {self.bucket:g}")
        if self.window != "cumulative":
            words.append(f"of the last {self.window}")
        if self.of != "value":
            words.append(self.of)
        return " ".join([*words, comparison])


def is_read(value: object) -> bool:
    """Whether a value is what another stat reads, rather than a number or a text."""
    return isinstance(value, Mapping) and not value.keys().isdisjoint(_SUBJECTS)


def with_others(assertions: Iterable[Assertion]) -> Iterator[Assertion]:
    """The assertions, and what is read at the same look for their values."""
    for one in assertions:
        yield one
        if one.other is not None:
            yield one.other


def check_some(assertions: Sequence[Assertion]) -> None:
    """Refuses a list of none, of which all would hold."""
    if not assertions:
        raise SpecError("assertions is empty, and what expects nothing cannot fail; say what is expected")


def _matching(pattern: Pattern | None) -> str:
    return f"match {pattern.source}" if pattern else ""


def _in_braces(labels: Labels | None) -> str:
    return "{" + ",".join(f'{key}="{value}"' for key, value in labels) + "}" if labels else ""


def parse_assertions(entries: Sequence[Mapping[str, Any]] | None) -> list[Assertion]:
    """Reads a list of assertions; a key whose value is None counts as not given. Raises SpecError."""
    if entries is None:
        return []
    if isinstance(entries, (str, bytes, Mapping)) or not isinstance(entries, Sequence):
        raise SpecError("assertions has to be a list of dictionaries, one for each assertion")
    return [_assertion(entry, f"assertions[{position}]") for position, entry in enumerate(entries)]


def _assertion(entry: Any, where: str) -> Assertion:
    data = mapping(entry, where, KEYS)
    stat, match, promql = (text(data, key, where) for key in ("stat", "match", "promql"))
    labels, over_labels = (_labels(data, key, where) for key in ("labels", "over_labels"))
    if sum(map(bool, (stat, match, promql))) != 1 and (stat or match or promql or not labels):
        raise SpecError(
            f"{where} needs either stat, a whole name, or match, a pattern of names"
            f"{', not both' if stat and match else ''}; or labels, or promql, a query for a Prometheus server"
        )
    if promql and data.get("source", "stats") != "stats":
        raise SpecError(f"{where}: promql says what to ask a Prometheus server; leave source out")
    op = choice(data, "op", where, OPERATORS)
    over_match = text(data, "over_match", where)
    other = _other(data, op, f"{where}.value")
    tolerance = parse_tolerance(data["tolerance"], f"{where}.tolerance") if "tolerance" in data else EXACT
    value = None if other else _expected(data, op, f"{where}.value")
    if tolerance.binomial and isinstance(value, str):  # a number that a template made text
        value = number(value, f"{where}.value")
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
        over_match=compile_pattern(over_match, f"{where}.over_match") if over_match else None,
        over_labels=over_labels,
        of=choice(data, "of", where, OF, "value"),
        across=choice(data, "across", where, ACROSS, "each"),
        quantile=None if "quantile" not in data else _share(data["quantile"], f"{where}.quantile"),
        bucket=None if "bucket" not in data else float(number(data["bucket"], f"{where}.bucket")),
        window=choice(data, "window", where, WINDOWS, "cumulative"),
        tolerance=tolerance,
        default=number(data["default"], f"{where}.default") if "default" in data else None,
        other=other,
    )
    _sensible(assertion, where)
    return assertion


def _labels(data: Mapping[str, Any], key: str, where: str) -> Labels | None:
    labels = data.get(key)
    if labels is None:
        return None
    if not isinstance(labels, Mapping):
        raise SpecError(f"{where}.{key} has to be a dictionary of names and values, not {labels!r}")
    return tuple(sorted((str(name), str(value)) for name, value in labels.items()))


def _other(data: Mapping[str, Any], op: str, where: str) -> Assertion | None:
    """What is to be read for a value, where that is no number and no text."""
    value = data.get("value")
    if not isinstance(value, Mapping) or op in PRESENCE:
        return None
    if op not in COMPARISONS:
        raise SpecError(f"{where}: what another stat reads goes with {', '.join(COMPARISONS)}, not with {op}")
    return _assertion({**mapping(value, where, READ_KEYS), "op": "eq", "value": 0}, where)


def _expected(data: Mapping[str, Any], op: str, where: str) -> Scalar | tuple[Scalar, ...] | Pattern | None:
    if op in ("present", "absent"):
        if "value" in data:
            raise SpecError(f"{where} means nothing to {op}; leave it out")
        return None
    if "value" not in data:
        raise SpecError(f"{where} is missing; say what {op} compares with")
    value = data["value"]
    if op == "matches":
        return compile_pattern(str(value), where)
    if op in ("between", "in"):
        if isinstance(value, str):  # `1,2`, as it comes from a command line
            value = [one.strip() for one in value.strip("[] ").split(",")]
        if not isinstance(value, (list, tuple)) or not value:
            raise SpecError(f"{where} has to be a list, since op is {op}, not {value!r}")
        if op == "in":
            return tuple(_scalar(one, where) for one in value)
        bounds = tuple(number(one, where) for one in value)
        if len(bounds) != 2 or bounds[0] > bounds[1]:
            raise SpecError(f"{where} has to be [lowest, highest], since op is between, not {value!r}")
        return bounds
    return number(value, where) if op in NUMERIC else _scalar(value, where)


def _scalar(value: Any, where: str) -> Scalar:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise expected(where, "a number or text", value)
    return number(value, where)


def _share(value: Any, where: str) -> float:
    share = number(value, where)
    if 1 < share <= 100:
        raise SpecError(f"{where} is a share from 0 to 1: write {share / 100:g}, not {share:g}")
    if not 0 <= share <= 1:
        raise SpecError(f"{where} is a share from 0 to 1, not {value!r}")
    return float(share)


def _sensible(one: Assertion, where: str) -> None:
    """Refuses what cannot be meant."""
    if one.quantile is not None and one.bucket is not None:
        raise SpecError(f"{where}: give either quantile or bucket, not both")
    if one.quantile is not None and one.of == "rate":
        raise SpecError(f"{where}.of: a quantile has no rate; use delta for the quantile of what came since")
    if one.quantile is not None and one.default is not None:
        raise SpecError(f"{where}.default: there is no quantile of nothing; it goes with bucket")
    if one.window == "interval" and (not one.about_histogram or one.since):
        raise SpecError(
            f"{where}.window: interval is Envoy's last flush of a histogram; it goes with quantile or bucket and of: value"
        )
    if one.source != "stats" and (one.by_labels or one.about_histogram or one.ratio or one.since):
        if one.source == "promql":
            raise SpecError(
                f"{where}: labels, quantile, bucket, over and of are said in the query itself, e.g. increase(…[1m])"
            )
        raise SpecError(
            f"{where}: labels, quantile, bucket, over and of: delta or rate are for stats, and source is {one.source}"
        )
    _sensible_ratio(one, where)
    if one.op in ("present", "absent") and (
        one.since or one.about_histogram or one.ratio or one.across not in ("each", "any")
    ):
        raise SpecError(
            f"{where}: {one.op} asks whether a stat is there; leave of, over, quantile, bucket and across out"
        )
    if one.op in ("present", "absent") and one.default is not None:
        raise SpecError(f"{where}.default would make a stat present that is not; leave it out")
    if one.op == "matches" and one.across not in ("each", "any"):
        raise SpecError(f"{where}: matches is for text, which has no {one.across}")
    if one.tolerance.binomial:
        _left_to_chance(one, where)


def _sensible_ratio(one: Assertion, where: str) -> None:
    if one.over and one.over_match:
        raise SpecError(
            f"{where}: give either over, a whole name, or over_match, a pattern of names, not both"
        )
    if one.over_labels is not None and not one.ratio:
        raise SpecError(f"{where}.over_labels goes with over or over_match")
    if one.ratio and (one.about_histogram or one.across in ("any", "count")):
        raise SpecError(
            f"{where}.over is a ratio of two numbers; it goes with each, sum, min, max, avg and spread, without a histogram"
        )
    same = one.over == one.stat if one.over else one.over_match == one.match
    if one.ratio and same and one.over_labels is None:
        raise SpecError(f"{where}: a ratio to itself is 1; name another stat, or say over_labels")


def _left_to_chance(one: Assertion, where: str) -> None:
    """Refuses `tolerance: binomial` where nothing says of how many."""
    where = f"{where}.tolerance"
    if one.other is not None:
        raise SpecError(f"{where}: {BINOMIAL} needs a probability as value, and what a stat reads is none")
    check_binomial(one.op, one.value, where)
    if not one.ratio or one.of == "rate" or one.across not in ("each", "sum"):
        raise SpecError(
            f"{where}: {BINOMIAL} is about how many of how many; it goes with over, the stat that counts all of them, "
            "of: value or delta, and each or sum"
        )
