# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pods of a proxy, from the plan."""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.proxy_pods import (
    ProxyPods,
    UpstreamPods,
    proxy_pods_of,
)


def test_entry_of_the_plan_becomes_proxy_pods() -> None:
    entry = {
        "proxy": "edge",
        "pods": {"selector": "app=edge", "port": 9902},
        "members": {"web": {"selector": "app=web", "hosts": 2}},
    }
    assert proxy_pods_of(entry) == ProxyPods("app=edge", "envoy", 9902, {"web": UpstreamPods("app=web", 2)})


def test_members_are_optional() -> None:
    assert proxy_pods_of({"pods": {"selector": "app=edge"}}) == ProxyPods("app=edge")
