# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter quantile."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from snapshots import FAST, SLOW, snapshot

from ansible_collections.meshlab.envoy.plugins.filter.quantile import quantile


def test_quantile_of_the_samples() -> None:
    whole = snapshot(0, FAST, SLOW)
    assert quantile(whole, 0.45, "h.time") == pytest.approx(1.5)
    assert quantile(whole, 0.5, "h.time", "edge", since=snapshot(0, FAST)) == pytest.approx(150)
    assert quantile(whole, 0.5, "h.time", since=whole) is None
    for arguments, message in (
        ((2, "h.time"), "from 0 to 1"),
        ((0.5, "h"), "no histogram h"),
        ((0.5, "h.time", "edg"), "no endpoint edg"),
    ):
        with pytest.raises(AnsibleFilterError, match=message):
            quantile(whole, *arguments)


def test_snapshot_without_histograms_is_refused() -> None:
    now, before = snapshot(0, FAST, SLOW), snapshot(0, a=1)
    before["selections"]["stats"]["histograms"] = False
    with pytest.raises(AnsibleFilterError, match="since: no histograms of edge were read"):
        quantile(now, 0.5, "h.time", since=before)
    with pytest.raises(AnsibleFilterError, match="the snapshot: no histograms of edge were read"):
        quantile(before, 0.5, "h.time")


def test_name_with_a_brace_is_found() -> None:
    data = snapshot(0, FAST)
    histograms = data["endpoints"]["edge"]["sources"]["stats"]["histograms"]
    histograms["cluster.{odd.time"] = histograms["h.time"]
    assert quantile(data, 0.5, "h.time") == pytest.approx(1.5)
    assert quantile(data, 0.5, "cluster.{odd.time") == pytest.approx(1.5)
