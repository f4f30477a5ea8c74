# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One assertion as a typed value: which readings it is about, and what is expected of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Union

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import Scalar
from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.comparison import (
    OPERATOR_PREFIX,
    expected_text,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.tolerance import (
    EXACT,
    BinomialRange,
    Tolerance,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2 import Pattern

OF = ("value", "delta", "rate")
ACROSS = ("each", "sum", "min", "max", "avg", "any", "count", "spread")
WINDOWS = ("cumulative", "interval")
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
# The keys of a value that another stat has, and the operators that compare with it.
VALUE_KEYS = tuple(key for key in KEYS if key not in ("name", "op", "value", "tolerance"))
VALUE_OPERATORS = ("eq", "ne", "lt", "le", "gt", "ge")
STAT_KEYS = ("stat", "match", "promql", "labels")  # each names stats

# Aliases are evaluated at import, also by Python 3.9.
Labels = tuple[tuple[str, str], ...]
ExpectedValue = Union[Scalar, tuple[Scalar, ...], Pattern, None]


@dataclass(frozen=True)
class Assertion:
    """One expectation of readings.

    `stat` or `match` is set, or neither where `labels` select the stats. A PromQL query is a `stat` of the source promql.
    """

    op: str
    value: ExpectedValue = None
    name: str = ""
    endpoint: tuple[str, ...] = ()  # names or fnmatch patterns; empty: all endpoints of format envoy
    source: str = "stats"
    stat: str = ""
    match: Pattern | None = None
    labels: Labels | None = None
    over: str = ""  # the denominator of a ratio: a stat
    over_match: Pattern | None = None  # the denominator of a ratio: all stats that match
    over_labels: Labels | None = None  # None: those of `labels` that the denominator has
    of: str = "value"
    across: str = "each"
    quantile: float | None = None  # from 0 to 1
    bucket: float | None = None
    window: str = "cumulative"
    tolerance: Tolerance = EXACT
    default: int | float | None = None  # the value of a stat that does not exist
    # What the value is read from, in the same snapshot: an assertion whose own `op` and `value` have no meaning.
    value_from: Assertion | None = None
    value_subject: str = ""  # what the value was read from, for messages

    @property
    def is_histogram(self) -> bool:
        """Whether it is about the samples of histograms."""
        return self.quantile is not None or self.bucket is not None

    @property
    def is_difference(self) -> bool:
        """Whether it needs an earlier snapshot."""
        return self.of != "value"

    @property
    def is_ratio(self) -> bool:
        """Whether it divides by other stats."""
        return bool(self.over) or self.over_match is not None

    @property
    def selects_by_pattern(self) -> bool:
        """Whether it depends on an endpoint which stats it is about."""
        return self.match is not None or self.over_match is not None or not self.stat

    @property
    def has_labels(self) -> bool:
        """Whether its names are those of the Prometheus format, on an Envoy, too."""
        return self.labels is not None or self.over_labels is not None

    def binomial_range(self, trials: float) -> BinomialRange:
        """Return how many of `trials` are accepted. Raises ValueError for a number of trials that has no range."""
        return BinomialRange.of(self.op, self.value, self.tolerance, trials)

    @property
    def stat_text(self) -> str:
        """The stat for a message, as its author wrote it: `cluster.web.upstream_rq_200`, `server_info state`."""
        stat = (self.stat or _match_text(self.match)) + _label_text(self.labels)
        return stat if self.source == "stats" else f"{self.source} {stat}"

    @property
    def denominator_text(self) -> str:
        """The denominator of the ratio, for a message."""
        return (self.over or _match_text(self.over_match)) + _label_text(self.over_labels)

    def subject(self, stat: str = "", where: str = "") -> str:
        """Return what is expected to have a value: `delta of cluster.web.upstream_rq_200 at edge`.

        Args:
            stat: The stat, where it is a certain one of those that the assertion is about.
            where: The endpoints; empty leaves them out.
        """
        parts = [] if self.across == "each" else [self.across]
        if self.quantile is not None:
            parts.append(f"p{self.quantile * 100:g}")
        if self.bucket is not None:
            parts.append(f"samples up to {self.bucket:g}")
        if self.window != "cumulative":
            parts.append(f"last {self.window}")
        if self.of != "value":
            parts.append(self.of)
        stat = stat or self.stat_text
        parts.append(f"ratio of {stat} to {self.denominator_text}" if self.is_ratio else stat)
        return " of ".join(parts) + (f" at {where}" if where else "")

    @property
    def planned_subject(self) -> str:
        """The subject at the endpoints that the assertion names."""
        return self.subject(where=", ".join(self.endpoint))

    @property
    def expected(self) -> str:
        """What is expected, for a message: `20`, `at least 5`, `9 (delta of sent at web)`."""
        if self.value_from is not None:
            return self.expected_as(self.value_from.planned_subject)
        text = expected_text(self.op, self.value, self.tolerance)
        return f"{text} ({self.value_subject})" if self.value_subject else text

    def expected_as(self, value: str) -> str:
        """Return what is expected with this text in place of the value: `at least the answers of "kept"`."""
        return f"{OPERATOR_PREFIX[self.op]}{value}{self.tolerance}"


def is_stat_value(value: object) -> bool:
    """Return whether the value of an assertion is read from another stat."""
    return isinstance(value, Mapping) and not value.keys().isdisjoint(STAT_KEYS)


def with_value_stats(assertions: Iterable[Assertion]) -> Iterator[Assertion]:
    """Yield the assertions, and what their values are read from."""
    for assertion in assertions:
        yield assertion
        if assertion.value_from is not None:
            yield assertion.value_from


def _match_text(pattern: Pattern | None) -> str:
    return f"stats that match {pattern.source}" if pattern else ""


def _label_text(labels: Labels | None) -> str:
    return "{" + ",".join(f'{key}="{value}"' for key, value in labels) + "}" if labels else ""
