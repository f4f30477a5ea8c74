# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Prometheus server answers to a query, as readings: one for each series, by its name and labels."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.prometheus_text import series
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Samples, Selection

# A query is a source of its own, so that what it gives is told from what another does.
SOURCE = "promql"
_PREFIX = f"{SOURCE} "
# What the API answers with where it says what is wrong.
STATUSES = (200, 400, 422, 503)


def source_for(query: str) -> str:
    return f"{_PREFIX}{query}"


def query_of(source: str) -> str | None:
    """The query that a source is; None where it is another kind."""
    return source.removeprefix(_PREFIX) if source.startswith(_PREFIX) else None


def query_path(query: str) -> str:
    return f"/api/v1/query?query={quote(query, safe='')}"


def parse_response(body: bytes, query: str) -> Samples:
    """Reads a vector or a scalar. What is not a number (0/0) is no reading."""
    data = _load(body)
    if data.get("status") != "success":
        words = data.get("error") or "no reason given"
        raise ScrapeError("http_status", f"it does not answer {query!r}: {str(words)[:300]}")
    samples = Samples(Selection(everything=True))
    try:
        kind, result = data["data"]["resultType"], data["data"]["result"]
        if kind == "scalar":
            _add(samples, "", result)
        elif kind == "vector":
            for one in result:
                labels = {str(key): str(value) for key, value in one["metric"].items()}
                name = labels.pop("__name__", "")
                if "value" not in one:
                    raise ScrapeError(
                        "unparsable", f"{query!r} gives native histograms; take a quantile or a count of them"
                    )
                _add(samples, series(name, labels), one["value"])
        else:
            raise ScrapeError(
                "unparsable",
                f"{query!r} gives a {kind}, and a number now is wanted: leave the range out, or take a function of it",
            )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ScrapeError(
            "unparsable", f"the answer cannot be read ({type(error).__name__}: {error})"
        ) from None
    return samples


def _load(body: bytes) -> Mapping[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, Mapping) or "status" not in data:
        raise ScrapeError(
            "unparsable", "the answer is not that of Prometheus' API; is url that of the server?"
        )
    return data


def _add(samples: Samples, name: str, sample: Any) -> None:
    try:
        number = float(sample[1])
    except OverflowError:
        raise ValueError("a number is too large") from None
    if math.isfinite(number):
        samples.values[name] = int(number) if number.is_integer() and abs(number) < 2**53 else number
