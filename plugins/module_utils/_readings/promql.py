# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send PromQL queries to a Prometheus server, and parse the response: one reading for each series, by name and labels."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.prometheus_text import series
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Samples, Selection

# Each query is a source of its own, since two queries can return equal series.
SOURCE = "promql"
_PREFIX = f"{SOURCE} "
# The statuses of a response that has a result or a reason (https://prometheus.io/docs/prometheus/latest/querying/api/).
STATUSES = (200, 400, 422, 503)


def source_for(query: str) -> str:
    """Return the name of a query's source."""
    return f"{_PREFIX}{query}"


def query_of(source: str) -> str | None:
    """Return the query of a source; None for any other source."""
    return source.removeprefix(_PREFIX) if source.startswith(_PREFIX) else None


def query_path(query: str) -> str:
    """Return the path of an instant query."""
    return f"/api/v1/query?query={quote(query, safe='')}"


def parse_response(body: bytes, query: str) -> Samples:
    """Return the samples of a vector or a scalar, without those that are not a number (0/0). Raises ScrapeError."""
    data = _load(body)
    if data.get("status") != "success":
        reason = data.get("error") or "no reason given"
        raise ScrapeError("http_status", f"the query {query!r} failed: {str(reason)[:300]}")
    samples = Samples(Selection(everything=True))
    try:
        kind, result = data["data"]["resultType"], data["data"]["result"]
        if kind == "scalar":
            _add(samples, "", result)
        elif kind == "vector":
            for sample in result:
                labels = {str(key): str(value) for key, value in sample["metric"].items()}
                name = labels.pop("__name__", "")
                if "value" not in sample:
                    raise ScrapeError(
                        "unparsable",
                        f"the query {query!r} returns native histograms; use histogram_quantile or histogram_count",
                    )
                _add(samples, series(name, labels), sample["value"])
        else:
            raise ScrapeError(
                "unparsable",
                f"the query {query!r} returns a {kind}, not a vector or a scalar; remove the range, or apply a function such as rate",
            )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ScrapeError(
            "unparsable", f"the response cannot be parsed ({type(error).__name__}: {error})"
        ) from None
    return samples


def _load(body: bytes) -> Mapping[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, Mapping) or "status" not in data:
        raise ScrapeError(
            "unparsable",
            "the response is not from Prometheus' API; is url the address of a Prometheus server?",
        )
    return data


def _add(samples: Samples, name: str, sample: Any) -> None:
    try:
        number = float(sample[1])
    except OverflowError:
        raise ValueError("a number is too large") from None
    if math.isfinite(number):
        samples.values[name] = int(number) if number.is_integer() and abs(number) < 2**53 else number
