# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the certificates and keys of a demo's traffic."""

from __future__ import annotations

from typing import Any

from shop_demo import Planner, shop

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n"
KEY = "-----BEGIN PRIVATE KEY-----\nMIGH\n"


def planned_traffic(plan: Planner, **keys: Any) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    planned = plan(shop(traffic=[{"to": "edge/https", **keys}]))
    files = {one["path"]: one for one in planned["files"] if one["path"].startswith("traffic/")}
    return planned["traffic"][0], files


def test_files_of_traffic_are_in_the_deployment_folder(plan: Planner) -> None:
    pair = {"certificate": {"content": CERTIFICATE}, "key": {"content": KEY}}
    traffic, files = planned_traffic(plan, ca={"content": CERTIFICATE}, client_certificate=pair)
    folder, _slash, path = traffic["ca"].rpartition("traffic/")
    assert files[f"traffic/{path}"]["content"] == CERTIFICATE
    assert traffic["client_certificate"]["certificate"] == traffic["ca"]
    key = files[traffic["client_certificate"]["key"].removeprefix(folder)]
    assert (key["mode"], key["sensitive"]) == ("0600", True)


def test_traffic_can_trust_the_system(plan: Planner) -> None:
    traffic, files = planned_traffic(plan, ca="system")
    assert traffic["ca"] is None
    assert files == {}


def test_traffic_to_an_own_certificate_trusts_the_system(plan: Planner) -> None:
    data = shop()
    data["proxies"]["edge"]["listeners"]["https"]["tls"] = {
        "certificate_chain": CERTIFICATE,
        "private_key": KEY,
    }
    data["traffic"] = [{"to": "edge/https"}]
    assert "ca" not in plan(data)["traffic"][0]
