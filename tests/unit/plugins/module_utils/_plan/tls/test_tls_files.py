# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the certificates, keys and authorities of an author."""

from __future__ import annotations

from typing import Any

import pytest
from plan_queries import file_of
from shop_demo import Planner, shop

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n"
KEY = "-----BEGIN PRIVATE KEY-----\nMIGH\n"
OWN = {"certificate_chain": CERTIFICATE, "private_key": {"content": KEY}}


def demo(listener: dict[str, Any] | None = None, cluster: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a demo with `tls` of its listener `https` and of its cluster `web`. None: without TLS."""
    data = shop()
    del data["statsd_exporter"], data["proxies"]["edge"]["listeners"]["https"]["tls"], data["traffic"]
    if listener is not None:
        data["proxies"]["edge"]["listeners"]["https"]["tls"] = listener
    if cluster is not None:
        data["proxies"]["edge"]["clusters"]["web"]["tls"] = cluster
    return data


def own_files(plan: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        one["path"].rpartition(".")[2]: one for one in plan["files"] if one["path"].startswith("edge/tls/")
    }


def listener_tls(plan: dict[str, Any], name: str = "https") -> dict[str, Any]:
    resources = file_of(plan, "edge/listeners.yaml")["resources"]
    chain = next(one for one in resources if one["name"] == name)["filter_chains"][0]
    context: dict[str, Any] = chain["transport_socket"]["typed_config"]["common_tls_context"]
    return context


def cluster_tls(plan: dict[str, Any]) -> dict[str, Any]:
    cluster = next(one for one in file_of(plan, "edge/clusters.yaml")["resources"] if one["name"] == "web")
    context: dict[str, Any] = cluster["transport_socket"]["typed_config"]
    return context


@pytest.mark.parametrize(
    ("platform", "mode"), [("local", "0600"), ("docker", "0644"), ("kubernetes", "0600")]
)
def test_own_certificate_is_a_file_and_its_key_is_sensitive(plan: Planner, platform: str, mode: str) -> None:
    planned = plan(demo(OWN), platform)
    files = own_files(planned)
    assert (files["crt"]["content"], files["crt"]["mode"], files["crt"]["sensitive"]) == (
        CERTIFICATE,
        "0644",
        False,
    )
    assert (files["key"]["content"], files["key"]["mode"], files["key"]["sensitive"]) == (KEY, mode, True)
    assert listener_tls(planned)["tls_certificates"] == [
        {
            "certificate_chain": {"filename": files["crt"]["path"]},
            "private_key": {"filename": files["key"]["path"]},
        }
    ]
    assert planned["certificates"] == []


def test_new_certificate_goes_live_except_in_pods(plan: Planner) -> None:
    def digest(platform: str, certificate: str) -> str:
        planned = plan(demo({**OWN, "certificate_chain": certificate}), platform)
        return str(next(one["digest"] for one in planned["workloads"] if one["name"] == "edge"))

    assert digest("local", CERTIFICATE) == digest("local", f"{CERTIFICATE}new")
    assert digest("kubernetes", CERTIFICATE) != digest("kubernetes", f"{CERTIFICATE}new")


def test_company_ca_verifies_clients_of_a_listener(plan: Planner) -> None:
    names = {"uri": "spiffe://shop.example.com/web"}
    tls = {**OWN, "client_certificate": True, "ca": f"{CERTIFICATE}ca", "subject_alt_name": names}
    context = listener_tls(plan(demo(tls)))
    assert context["validation_context"]["trusted_ca"]["filename"].startswith("edge/tls/")
    assert context["validation_context"]["match_typed_subject_alt_names"] == [
        {"san_type": "URI", "matcher": {"exact": "spiffe://shop.example.com/web"}}
    ]


@pytest.mark.parametrize(
    ("platform", "path"), [("local", "/etc/pki/bundle.pem"), ("docker", "/etc/ssl/certs/ca-certificates.crt")]
)
def test_system_is_the_bundle_of_the_platform(plan: Planner, platform: str, path: str) -> None:
    planned = plan(demo(cluster={"ca": "system"}), platform, system_ca="/etc/pki/bundle.pem")
    assert cluster_tls(planned)["common_tls_context"] == {
        "validation_context": {
            "trusted_ca": {"filename": path},
            "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": "web"}}],
        }
    }
    assert planned["certificates"] == []


def test_ip_address_is_verified_without_sni(plan: Planner) -> None:
    data = demo()
    data["proxies"]["edge"]["clusters"]["web"] = {
        "address": "192.0.2.1",
        "port": 443,
        "tls": {"ca": "system"},
    }
    context = cluster_tls(plan(data))
    assert "sni" not in context
    assert context["common_tls_context"]["validation_context"]["match_typed_subject_alt_names"] == [
        {"san_type": "IP_ADDRESS", "matcher": {"exact": "192.0.2.1"}}
    ]


def test_one_uri_is_the_only_name_that_is_trusted(plan: Planner) -> None:
    context = cluster_tls(plan(demo(cluster={"subject_alt_name": {"uri": "spiffe://shop/payments"}})))
    combined = context["common_tls_context"]["combined_validation_context"]
    assert combined["default_validation_context"] == {
        "match_typed_subject_alt_names": [{"san_type": "URI", "matcher": {"exact": "spiffe://shop/payments"}}]
    }
    assert combined["validation_context_sds_secret_config"]["name"] == "validation_context"


def test_cluster_presents_an_own_certificate(plan: Planner) -> None:
    planned = plan(demo(cluster={**OWN, "ca": "system"}))
    assert cluster_tls(planned)["common_tls_context"]["tls_certificates"]
    assert planned["certificates"] == []


def test_router_passes_an_own_certificate_through(plan: Planner) -> None:
    def route(tls: dict[str, Any]) -> dict[str, Any]:
        planned = plan(demo(tls), "openshift", kubernetes={"termination": "reencrypt"})
        routes = [one for one in planned["manifests"] if one["kind"] == "Route"]
        return next(one for one in routes if one["metadata"]["name"] == "shop-edge-https")

    assert route({})["spec"]["tls"]["termination"] == "reencrypt"
    assert route(OWN)["spec"]["tls"] == {"termination": "passthrough"}
    assert "annotations" not in route(OWN)["metadata"]
