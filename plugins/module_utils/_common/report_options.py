# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options about reports. Only the controller uses them; the modules accept them. plugins/doc_fragments/reports.py documents them."""

from __future__ import annotations

from typing import Any

FORMS = ("html", "json", "junit", "markdown", "github")
DEFAULT_FORMS = ("html",)

REPORT_ARGS: dict[str, dict[str, Any]] = {
    "result_formats": {
        "type": "list",
        "elements": "str",
        "choices": list(FORMS),
        "default": list(DEFAULT_FORMS),
    },
    "reports_folder": {"type": "path"},
    "demo_file": {"type": "path"},
}
