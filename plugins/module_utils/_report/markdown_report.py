# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as Markdown, also for the step summary of GitHub Actions. A pure function of the result."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.number_texts import (
    bytes_text,
    milliseconds_text,
    time_text,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._report.outcome_texts import (
    all_expectations,
    all_traffic,
    responses_text,
    title,
    verdict,
    workload_lines,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._report.result_schema import (
    CheckedExpectation,
    RunResult,
)

# GitHub shows step summaries up to 1 MiB, of all steps together.
MOST_EXPECTATIONS = 200
_ACTIVE = re.compile(r"([\\`*_{}\[\]()<>#+!|~&$@-])")


def markdown_report(result: RunResult) -> str:
    """Return the report: the verdict, failures with reasons, traffic, expectations, and the commands that repeat the run."""
    return "\n".join(_lines(result)) + "\n"


def escaped(text: str) -> str:
    """Return a text that Markdown shows as it is, in one line: no markup, HTML or mention."""
    return _ACTIVE.sub(r"\\\1", " ".join(text.split()))


def code(text: str) -> str:
    """Return a text as code, with as many backticks as it needs."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence, pad = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{pad}{' '.join(text.split())}{pad}{fence}"


def _lines(result: RunResult) -> Iterator[str]:
    yield f"## {'✅' if result['ok'] else '❌'} {escaped(title(result))}"
    yield ""
    yield f"{escaped(result['summary'])}."
    yield ""
    yield f"**{escaped(verdict(result))}.** {time_text(result['began'])}"
    expectations = all_expectations(result)
    failed = [one for one in expectations if not one["ok"]]
    if result["message"]:
        yield f"\n{escaped(result['message'])}"
    if failed:
        yield "\n### What failed\n"
        yield from (f"- {escaped(one['message'])}" for one in failed[:MOST_EXPECTATIONS])
        yield from (f"  - {escaped(one)}" for one in result["reasons"])
    if result["deployment"] and (lines := workload_lines(result["deployment"])):
        yield "\n### Workloads\n"
        yield from (f"- {escaped(one)}" for one in lines)
    if all_traffic(result):
        yield "\n### Traffic\n"
        header = ("traffic", "requests", "responses", "p50 ms", "p99 ms", "received")
        yield from _table(header, _traffic(result))
    holding = [one for one in expectations if one["ok"]]
    if holding:
        yield f"\n<details><summary>{len(holding)} expectations that hold</summary>\n"
        yield from _table(("expectation", "expected", "observed"), map(_row, holding[:MOST_EXPECTATIONS]))
        if len(holding) > MOST_EXPECTATIONS:
            yield f"\nand {len(holding) - MOST_EXPECTATIONS} more"
        yield "\n</details>"
    if result["commands"]:
        yield "\n### Repeat the run\n"
        yield from (f"- {code(one)}" for one in result["commands"])
    if result["versions"]:
        versions = ", ".join(
            f"{escaped(name)} {escaped(version)}" for name, version in result["versions"].items()
        )
        yield f"\nVersions: {versions}"


def _traffic(result: RunResult) -> Iterator[list[str]]:
    for one in all_traffic(result):
        latency = one["latency_ms"]
        yield [
            escaped(one["name"]),
            str(one["sent"]),
            escaped(responses_text(one)),
            milliseconds_text(latency.get("p50")),
            milliseconds_text(latency.get("p99")),
            bytes_text(one["bytes_received"]),
        ]


def _row(one: CheckedExpectation) -> list[str]:
    return [escaped(one["subject"] or one["message"]), escaped(one["expected"]), escaped(one["observed"])]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
