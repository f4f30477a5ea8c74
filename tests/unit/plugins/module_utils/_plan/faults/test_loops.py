# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of clusters that lead a proxy to itself."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.filters import tcp_proxy
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan import make_plan

PROGRAMS = {"envoy": {"image": "e", "executable": "envoy"}, "python": {"image": "p", "executable": "python3"}}
CONTEXT = {"folder": "/state", **PROGRAMS, "supervisord": {"executable": "supervisord"}, "app": ""}
LEAVES = "leads each request for '/' back to"


def route(cluster: str, prefix: str = "/", **action: Any) -> dict[str, Any]:
    """Return a route by the beginning of the path."""
    return {"match": {"prefix": prefix}, "route": {"cluster": cluster, **action}}


def proxy(routes: list[Any], port: int, **clusters: Any) -> dict[str, Any]:
    """Return a proxy with one HTTP listener."""
    return {
        "listeners": {"in": {"port": port, "publish": port + 10000, "routes": routes}},
        "clusters": clusters,
    }


def refusal(proxies: dict[str, Any], platform: str = "docker") -> str:
    """Return why a demo with proxies and a service is refused; empty if it is not."""
    data = {"summary": "s", "ports": 20000, "services": {"web": {}}, "proxies": proxies}
    try:
        make_plan("shop", data, {**CONTEXT, "platform": platform}, "shop.yml")
    except DemoError as error:
        return str(error).removeprefix("shop.yml: ")
    return ""


def test_cluster_of_the_own_listener_is_refused() -> None:
    assert refusal({"a": proxy([route("a")], 8080, a={"to": "a"})}) == (
        f"proxies.a.clusters.a: {LEAVES} a/in, directly, without an end. Use another target, or another path"
        " ('prefix_rewrite') that a different route matches."
    )


def test_loop_through_other_proxies_is_refused() -> None:
    proxies = {
        "a": proxy([route("next")], 8080, next={"to": "b"}),
        "b": proxy([route("web", "/ok"), route("next")], 8081, next={"to": "c"}, web={"to": "web"}),
        "c": {"listeners": {"in": {"port": 8082, "filters": [tcp_proxy("in", "next")]}}, "clusters": {"next": {"to": "a/in"}}},
    }  # fmt: skip
    assert refusal(proxies).startswith(
        f"proxies.b.clusters.next: {LEAVES} a/in, through b/in, c/in, without"
    ) or (
        refusal(proxies).startswith(
            f"proxies.a.clusters.next: {LEAVES} a/in, through b/in, c/in, without an end"
        )
    )


@pytest.mark.parametrize(
    ("platform", "address", "port"),
    [("docker", "127.0.0.1", 8080), ("docker", "host.docker.internal", 18080), ("local", "127.0.0.1", 18080)],
)
def test_own_address_is_refused(platform: str, address: str, port: int) -> None:
    proxies = {"a": proxy([route("a")], 8080, a={"address": address, "port": port})}
    assert LEAVES in refusal(proxies, platform)


def test_path_that_grows_is_refused() -> None:
    proxies = {"a": proxy([route("a", prefix_rewrite="/x/")], 8080, a={"to": "a"})}
    assert "without an end" in refusal(proxies)


def test_loop_of_a_renamed_cluster_has_its_key() -> None:
    proxies = {"a": proxy([route("own")], 8080, a={"to": "a", "cluster": {"name": "own"}})}
    assert refusal(proxies).startswith(f"proxies.a.clusters.a: {LEAVES} a/in, directly")


def test_loop_of_one_message_in_place_of_a_list_is_refused() -> None:
    mirror = route("web", requestMirrorPolicies={"cluster": "a"})
    proxies = {"a": proxy([mirror], 8080, a={"to": "a"}, web=WEB)}
    assert refusal(proxies).startswith(f"proxies.a.clusters.a: {LEAVES} a/in, directly")


WEB = {"to": "web"}


@pytest.mark.parametrize(
    "proxies",
    [
        # Another path, which a different route matches.
        {"a": proxy([route("web", "/ok"), route("a", prefix_rewrite="/ok")], 8080, a={"to": "a"}, web=WEB)},
        # The second listener of the same proxy.
        {"a": {
            "listeners": {
                "in": {"port": 8080, "routes": [route("b")]},
                "inner": {"port": 8081, "routes": [route("web")]},
            },
            "clusters": {"b": {"to": "a/inner"}, "web": WEB},
        }},
        # A part of the requests leaves the loop.
        {"a": proxy(
            [{"match": {"prefix": "/"}, "route": {"weighted_clusters": {"clusters": [
                {"name": "a", "weight": 1}, {"name": "web", "weight": 1}]}}}],
            8080, a={"to": "a"}, web=WEB)},
        # Conditions that the search does not evaluate.
        {"a": proxy(
            [{"match": {"prefix": "/", "headers": [{"name": "x", "present_match": True}]}, "direct_response": {"status": 200}}, route("a")],
            8080, a={"to": "a"})},
        # Another port of the host.
        {"a": proxy([route("a")], 8080, a={"address": "host.docker.internal", "port": 9999})},
        # TLS to a listener without TLS fails at once.
        {"a": proxy([route("a")], 8080, a={"to": "a", "tls": {}})},
    ],
    ids=["rewritten", "listener", "weights", "condition", "port", "tls"],
)  # fmt: skip
def test_path_with_an_end_is_accepted(proxies: dict[str, Any]) -> None:
    assert refusal(proxies) == ""
