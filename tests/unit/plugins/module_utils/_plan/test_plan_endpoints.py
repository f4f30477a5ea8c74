# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the endpoints and addresses of a plan."""

from __future__ import annotations

from shop_demo import Planner, shop


def test_endpoints_are_admin_sockets_and_exporter_page(plan: Planner) -> None:
    planned = plan(shop())
    assert {one["name"]: one["url"] for one in planned["endpoints"]} == {
        "web-1": "unix:///state/web-1/run/admin.sock",
        "web-2": "unix:///state/web-2/run/admin.sock",
        "edge": "unix:///state/edge/run/admin.sock",
        "statsd_exporter": "http://127.0.0.1:19102/metrics",
    }
    assert [one["proxy"] for one in planned["admins"]] == ["web-1", "web-2", "edge"]


def test_addresses_are_published_ports(plan: Planner) -> None:
    found = [(one["name"], one["url"]) for one in plan(shop())["addresses"]]
    admin = dict(found)["edge/admin"]
    assert [one for one in found if one[0] != "edge/admin"] == [
        ("edge/http", "http://127.0.0.1:18080"),
        ("edge/https", "https://127.0.0.1:18443"),
        ("edge/tcp", "tcp://127.0.0.1:17000"),
        ("web/app", "http://127.0.0.1:18081"),
        ("statsd_exporter", "http://127.0.0.1:19102/metrics"),
    ]
    assert admin.endswith("/stats")
