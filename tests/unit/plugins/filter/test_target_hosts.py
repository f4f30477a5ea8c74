# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the filter target_hosts."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.meshlab.envoy.plugins.filter.target_hosts import target_hosts


def test_target_hosts_is_the_group_when_it_has_a_host() -> None:
    assert target_hosts({"all": ["a", "b"], "envoy_hosts": ["a"]}) == "envoy_hosts"
    assert target_hosts({"all": ["a", "b"], "web": ["a"]}, "web") == "web"


@pytest.mark.parametrize("groups", [{}, {"all": [], "ungrouped": []}, {"all": ["localhost"]}])
def test_target_hosts_is_localhost_without_an_inventory(groups: dict[str, list[str]]) -> None:
    assert target_hosts(groups) == "localhost"


def test_target_hosts_fails_when_no_host_is_in_the_group() -> None:
    groups = {"all": ["a", "b", "c", "d"], "envoy_hosts": []}
    with pytest.raises(AnsibleFilterError) as refused:
        target_hosts(groups)
    assert str(refused.value) == (
        "inventory: no host is in the group 'envoy_hosts', and the inventory has other hosts (a, b, c ...)."
        " Add hosts to the group 'envoy_hosts', or name another group with -e deployment_hosts=GROUP."
    )
