# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the stats that a stats matcher hides."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.hidden_stats import hidden_stat

NEEDED = [{"prefix": one} for one in ("cluster_manager.", "listener_manager.", "server.")]


@pytest.mark.parametrize(
    ("matcher", "hidden"),
    [
        ({"reject_all": True}, "cluster_manager.cds.update_success"),
        ({"rejectAll": True}, "cluster_manager.cds.update_success"),
        ({"reject_all": False}, ""),
        ({"inclusion_list": {"patterns": NEEDED}}, ""),
        ({"inclusion_list": {"patterns": NEEDED[:2]}}, "server.live"),
        ({"inclusionList": {"patterns": [{"suffix": "upstream_rq"}]}}, "cluster_manager.cds.update_success"),
        ({"exclusion_list": {"patterns": [{"prefix": "http."}, {"contains": "tls"}]}}, ""),
        (
            {"exclusion_list": {"patterns": [{"prefix": "LISTENER_", "ignore_case": True}]}},
            "listener_manager.lds.update_success",
        ),
        ({"exclusion_list": {"patterns": [{"safe_regex": {"regex": "server.*"}}]}}, "server.live"),
        ({"exclusion_list": {"patterns": [{"safe_regex": {"regex": "server"}}]}}, ""),
        ({"exclusion_list": {"patterns": [{"safe_regex": {"regex": "("}}, 5, {"exact": 7}]}}, ""),
        ({"exclusion_list": {"patterns": {"exact": "server.live"}}}, "server.live"),
        ({"exclusion_list": 5}, ""),
    ],
)
def test_hidden_stat_is_the_first_confirming_one(matcher: dict[str, Any], hidden: str) -> None:
    assert hidden_stat({"stats_matcher": matcher}) == hidden
    assert hidden_stat({"statsMatcher": matcher}) == hidden


def test_other_fields_hide_nothing() -> None:
    assert hidden_stat({}) == hidden_stat({"stats_matcher": None, "stats_tags": []}) == ""
