# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The forms of a report, by the name that users choose."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple

from ansible_collections.meshlab.envoy.plugins.module_utils._report.junit_report import junit_report
from ansible_collections.meshlab.envoy.plugins.module_utils._report.markdown_report import markdown_report
from ansible_collections.meshlab.envoy.plugins.module_utils._report.page.html_report import html_report
from ansible_collections.meshlab.envoy.plugins.module_utils._report.result_schema import SCHEMA, RunResult


class Form(NamedTuple):
    """The suffix of a form's files, and the function that returns its text."""

    suffix: str
    text: Callable[[RunResult], str]


def json_report(result: RunResult) -> str:
    """Return the result itself, in one line: with an indentation, Python's encoder takes ten times as long."""
    return json.dumps(result, ensure_ascii=False) + "\n"


# `github` is Markdown that is appended to the step summary of GitHub Actions. It has no file of its own.
FORMS = {
    "html": Form("html", html_report),
    "json": Form("json", json_report),
    "junit": Form("junit.xml", junit_report),
    "markdown": Form("md", markdown_report),
}
GITHUB = "github"


class UnknownResult(ValueError):
    """A file that has no result of this version."""


def read_result(text: str, where: str) -> RunResult:
    """Return the result in the text of a JSON file. Raises UnknownResult."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise UnknownResult(f"{where}: no JSON ({error}). Run the demo again.") from None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise UnknownResult(f"{where}: expected a result of schema {SCHEMA}. Run the demo again.")
    missing = RunResult.__annotations__.keys() - data.keys()
    if missing:
        raise UnknownResult(f"{where}: the key '{min(missing)}' is missing. Run the demo again.")
    found: RunResult = data  # type: ignore[assignment]
    return found
