# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter delta."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from snapshots import snapshot

from ansible_collections.meshlab.envoy.plugins.filter.delta import delta


def test_delta_has_numbers_of_both_snapshots() -> None:
    before, after = snapshot(0, a=1, text="x", gone=1), snapshot(0, a=4, text="y", new=2)
    assert delta(after, before) == {"edge": {"a": 3, "new": 2}}
    before["endpoints"]["edge"]["sources"]["stats"]["selection"] = {"names": ["a"], "patterns": []}
    assert delta(after, before) == {"edge": {"a": 3}}


def test_delta_across_a_restart_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="edge: the process restarted after the earlier"):
        delta(snapshot(50, a=4), snapshot(0, a=1))


def test_delta_of_a_reset_counter_is_refused() -> None:
    before, after = snapshot(0, a=5, b=2), snapshot(0, a=1, b=9)
    assert delta(after, before) == {"edge": {"a": -4, "b": 7}}  # it can be a gauge
    for data in (before, after):
        data["endpoints"]["edge"]["sources"]["stats"]["kinds"] = {"a": "counter"}
        with pytest.raises(
            AnsibleFilterError, match="a at edge: the counter decreased from 5 to 1, so it was reset"
        ):
            delta(after, before)
        del data["endpoints"]["edge"]["sources"]["stats"]["kinds"]
    after["endpoints"]["edge"]["sources"]["stats"]["kinds"] = {"a": "gauge"}
    assert delta(after, before)["edge"]["a"] == -4


def test_delta_of_other_data_is_refused() -> None:
    for other in ({}, None, "x", {"version": 1, "time": 1, "endpoints": {}}):
        with pytest.raises(AnsibleFilterError, match="earlier snapshot"):
            delta(snapshot(0, a=1), other)
