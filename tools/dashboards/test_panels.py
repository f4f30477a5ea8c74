# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The expressions that the definitions of dashboards share."""

from __future__ import annotations

from dashboard_files import at_rest
from panels import mean, per_second, quantile, rate, share, total


def test_total_is_the_sum_by_labels() -> None:
    assert total("m", 'a="b"') == 'sum(m{a="b"})'
    assert total("m", 'a="b"', "x") == 'sum by (x) (m{a="b"})'


def test_per_second_is_the_sum_of_rates() -> None:
    assert per_second("m", 'a="b"', "x") == 'sum by (x) (rate(m{a="b"}[$__rate_interval]))'


def test_quantile_keeps_the_bounds_of_buckets() -> None:
    assert quantile(0.9, "h", "a", "x") == (
        "histogram_quantile(0.9, sum by (le, x) (rate(h_bucket{a}[$__rate_interval])))"
    )


def test_share_is_zero_without_the_counter_of_the_part() -> None:
    assert share("p", "w") == "(sum(p) or 0 * sum(w)) / clamp_min(sum(w), 1e-9)"


def test_mean_divides_sum_by_count() -> None:
    assert mean("h", "a") == "sum(rate(h_sum{a}[$__rate_interval])) / sum(rate(h_count{a}[$__rate_interval]))"


def test_query_at_rest_has_counters_in_place_of_rates() -> None:
    assert at_rest(f"sum({rate('m', 'a')}) - sum(increase(n[$__rate_interval]))") == "sum(m{a}) - sum(n)"
