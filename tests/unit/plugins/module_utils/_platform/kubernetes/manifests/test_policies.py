# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of NetworkPolicies."""

from __future__ import annotations

from manifest_objects import objects


def test_network_policy_admits_callers_and_prometheus() -> None:
    rules = objects()["NetworkPolicy/my-demo-web-1"]["spec"]["ingress"]
    assert rules == [
        {"ports": [{"port": 8443, "protocol": "TCP"}]},
        {
            "from": [
                {
                    "podSelector": {
                        "matchLabels": {"meshlab.envoy/demo": "my_demo", "app.kubernetes.io/name": "edge"}
                    }
                }
            ],
            "ports": [{"port": 10000, "protocol": "TCP"}],
        },
        {
            "from": [
                {
                    "namespaceSelector": {},
                    "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}},
                }
            ],
            "ports": [{"port": 9902, "protocol": "TCP"}],
        },
    ]
