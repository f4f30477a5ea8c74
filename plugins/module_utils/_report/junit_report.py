# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as JUnit XML, which CI systems read. A pure function of the result."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape, quoteattr

from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.number_texts import time_text
from ansible_collections.meshlab.envoy.plugins.module_utils._report.outcome_texts import (
    all_expectations,
    title,
    verdict,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._report.result_schema import (
    CheckedExpectation,
    RunResult,
)

# The characters that XML 1.0 forbids.
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def junit_report(result: RunResult) -> str:
    """Return one test suite with a test case for each expectation."""
    expectations = all_expectations(result)
    failed = sum(not one["ok"] for one in expectations)
    cases = [_case(result, one) for one in expectations]
    if result["message"]:
        cases.append(_failed_case(title(result), "run", result["message"], ""))
    attributes = {
        "name": title(result),
        "tests": str(len(cases)),
        "failures": str(failed + bool(result["message"])),
        "errors": "0",
        "skipped": "0",
        "time": f"{result['elapsed']:.3f}",
    }
    if result["began"]:
        attributes["timestamp"] = time_text(result["began"]).removesuffix(" UTC").replace(" ", "T")
    properties = "".join(
        f"<property name={_quoted(name)} value={_quoted(value)}/>"
        for name, value in {"verdict": verdict(result), **result["versions"]}.items()
    )
    shown = " ".join(f"{name}={_quoted(value)}" for name, value in attributes.items())
    body = "\n".join(cases)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n<testsuite {shown}>\n'
        f"<properties>{properties}</properties>\n{body}\n</testsuite>\n</testsuites>\n"
    )


def _case(result: RunResult, one: CheckedExpectation) -> str:
    subject = one["subject"] or one["message"]
    name = f"{one['name']}: {subject}" if one["name"] else subject
    name = f"{name}: {one['expected']}" if one["expected"] else name
    group = f"{title(result)}.{one['traffic'] or 'stats'}"
    if one["ok"]:
        return f"<testcase name={_quoted(name)} classname={_quoted(group)}/>"
    return _failed_case(group, name, one["message"], "\n".join(result["reasons"]))


def _failed_case(group: str, name: str, message: str, text: str) -> str:
    content = escape(_allowed(f"{message}\n{text}".strip()))
    failure = f'<failure message={_quoted(message)} type="expectation">{content}</failure>'
    return f"<testcase name={_quoted(name)} classname={_quoted(group)}>{failure}</testcase>"


def _quoted(text: str) -> str:
    return quoteattr(_allowed(text))


def _allowed(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
