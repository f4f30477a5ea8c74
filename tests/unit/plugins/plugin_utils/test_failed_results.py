# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keys of a failed result, which Ansible prints below the message."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshlab.envoy.plugins.plugin_utils._failed_results import short_result

RESULT: dict[str, Any] = {
    "failed": True,
    "changed": False,
    "msg": "web-1 ended with exit code 1.",
    "files": ["a"] * 500,
    "started": ["web-1"],
    "removed": [],
    "_ansible_no_log": False,
}


def test_failed_result_has_only_what_explains_it() -> None:
    assert short_result(RESULT, ("started", "removed"), 1) == {
        "failed": True,
        "changed": False,
        "msg": "web-1 ended with exit code 1.",
        "started": ["web-1"],
        "_ansible_no_log": False,
    }


def test_other_results_are_unchanged() -> None:
    success = {**RESULT, "failed": False}
    assert short_result(success, (), 0) == success
    assert short_result(RESULT, (), 2) == RESULT
