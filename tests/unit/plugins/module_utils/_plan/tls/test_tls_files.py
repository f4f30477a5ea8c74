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


def secret_of(plan: dict[str, Any], name: str) -> dict[str, Any]:
    [found] = file_of(plan, f"edge/secrets/{name}.yaml")["resources"]
    assert found["name"] == name
    content: dict[str, Any] = found[name.rpartition(".")[2]]
    return content


def candidate_tls(plan: dict[str, Any], kind: str) -> str:
    """Return the text of the candidate from its first listener or cluster with TLS."""
    [check] = [one for one in plan["checks"] if one["name"] == "edge"]
    return str(check["files"][0]["content"]).partition(f"  {kind}:")[2]


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
    [config] = listener_tls(planned)["tls_certificate_sds_secret_configs"]
    assert config["name"] == "listeners.https.tls_certificate"
    directory = "edge/tls/listeners.https"
    assert secret_of(planned, config["name"]) == {
        "certificate_chain": {"filename": f"{directory}/tls.crt"},
        "private_key": {"filename": f"{directory}/tls.key"},
        "watched_directory": {"path": "edge" if platform == "kubernetes" else directory},
    }
    assert {one["path"] for one in files.values()} == {f"{directory}/tls.crt", f"{directory}/tls.key"}
    assert planned["certificates"] == []
    # Validation reads no secret, so the candidate names the files itself.
    assert f"filename: {directory}/tls.key" in candidate_tls(planned, "listeners")


@pytest.mark.parametrize("platform", ["local", "docker", "kubernetes"])
def test_new_certificate_changes_no_configuration(plan: Planner, platform: str) -> None:
    clients = {**OWN, "client_certificate": True}
    before = plan(demo({**clients, "ca": f"{CERTIFICATE}a"}), platform)
    after = plan(
        demo({**clients, "certificate_chain": f"{CERTIFICATE}new", "ca": f"{CERTIFICATE}b"}), platform
    )
    old = {one["path"]: one["content"] for one in before["files"] if one["path"].startswith("edge/")}
    new = {one["path"]: one["content"] for one in after["files"] if one["path"].startswith("edge/")}
    assert {path for path in old | new if old.get(path) != new.get(path)} == {
        "edge/tls/listeners.https/tls.crt",
        "edge/tls/listeners.https/ca.crt",
    }
    digests = [
        next(one["digest"] for one in plan["workloads"] if one["name"] == "edge") for plan in (before, after)
    ]
    assert digests[0] == digests[1]


def test_each_place_has_a_directory_of_its_own(plan: Planner) -> None:
    data = demo(cluster=OWN)
    chains = {name: {"tls": OWN, "routes": []} for name in ("a.b", "a_b")}
    data["proxies"]["edge"]["listeners"]["https"] = {"port": 8443, "filter_chains": chains}
    paths = {one["path"].rpartition("/")[0] for one in plan(data)["files"] if one["path"].endswith("tls.key")}
    assert paths == {
        "edge/tls/clusters.web",
        "edge/tls/listeners.https.a_b",
        "edge/tls/listeners.https.a_b-0c3feb64",
    }


def test_company_ca_verifies_clients_of_a_listener(plan: Planner) -> None:
    names = {"uri": "spiffe://shop.example.com/web"}
    tls = {**OWN, "client_certificate": True, "ca": f"{CERTIFICATE}ca", "subject_alt_name": names}
    planned = plan(demo(tls))
    combined = listener_tls(planned)["combined_validation_context"]
    config = combined["validation_context_sds_secret_config"]
    assert secret_of(planned, config["name"])["trusted_ca"] == {"filename": "edge/tls/listeners.https/ca.crt"}
    assert combined["default_validation_context"]["match_typed_subject_alt_names"] == [
        {"san_type": "URI", "matcher": {"exact": "spiffe://shop.example.com/web"}}
    ]


def test_fields_of_the_author_are_merged_with_the_authority(plan: Planner) -> None:
    """A `validation_context` replaces a combined one, which would leave the author's fields without the authority."""
    hashes = {"verify_certificate_hash": ["ab"]}
    context = {"common_tls_context": {"validationContext": hashes}}
    found = cluster_tls(plan(demo(cluster={"ca": CERTIFICATE, "context": context})))["common_tls_context"]
    assert found["validation_context"] == {
        "trusted_ca": {"filename": "edge/tls/clusters.web/ca.crt"},
        "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": "web"}}],
        **hashes,
    }
    assert "combined_validation_context" not in found


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
    [config] = cluster_tls(planned)["common_tls_context"]["tls_certificate_sds_secret_configs"]
    assert config["name"] == "clusters.web.tls_certificate"
    assert planned["certificates"] == []


def test_router_passes_an_own_certificate_through(plan: Planner) -> None:
    def route(tls: dict[str, Any]) -> dict[str, Any]:
        planned = plan(demo(tls), "openshift", kubernetes={"termination": "reencrypt"})
        routes = [one for one in planned["manifests"] if one["kind"] == "Route"]
        return next(one for one in routes if one["metadata"]["name"] == "shop-edge-https")

    assert route({})["spec"]["tls"]["termination"] == "reencrypt"
    assert route(OWN)["spec"]["tls"] == {"termination": "passthrough"}
    assert "annotations" not in route(OWN)["metadata"]
