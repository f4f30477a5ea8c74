# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Own certificates, authorities of a company and of the system, and names that are trusted: cases 10, 18, 27 and 33."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cases import CaseDeployment, PortBlock, case_data
from certificates import Pair, new_authority, new_certificate
from certificates_page import block as example
from deployment import module_answer
from live import docker

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import connect
from ansible_collections.meshlab.envoy.plugins.modules import demo_verify

Deploy = Callable[[str], CaseDeployment]
NAMES = "DNS:shop.example.com,IP:192.0.2.7,URI:spiffe://shop.example.com/web"
SECRETS = ("TOP-SECRET-TOKEN", "TOP-SECRET-HMAC")
# Clusters of the upstream `shop`, whose certificate has NAMES and is from the company, with the expected status.
CLUSTERS: dict[str, tuple[dict[str, Any], str]] = {
    "demo_ca": ({"server_name": "shop.example.com"}, "503"),
    "company": ({"ca": {"source": "company.crt"}, "server_name": "shop.example.com"}, "200"),
    "other_ca": ({"ca": {"source": "other.crt"}, "server_name": "shop.example.com"}, "503"),
    "other_name": ({"ca": {"source": "company.crt"}, "server_name": "pay.example.com"}, "503"),
    "address": ({"ca": {"source": "company.crt"}, "subject_alt_name": {"ip_address": "192.0.2.7"}}, "200"),
    "other_address": (
        {"ca": {"source": "company.crt"}, "subject_alt_name": {"ip_address": "192.0.2.8"}},
        "503",
    ),
    "uri": (
        {"ca": {"source": "company.crt"}, "subject_alt_name": {"uri": "spiffe://shop.example.com/web"}},
        "200",
    ),
    "other_uri": (
        {"ca": {"source": "company.crt"}, "subject_alt_name": {"uri": "spiffe://shop.example.com/pay"}},
        "503",
    ),
    "system": ({"ca": "system", "server_name": "shop.example.com"}, "503"),
}


def demo(block: PortBlock) -> dict[str, Any]:
    """Return case 27, with an upstream that has an own certificate, and a cluster for each entry of CLUSTERS."""
    data: dict[str, Any] = case_data("27-oauth2-jwt/oauth2.yml", block)
    port = block.first
    own = {"certificate_chain": {"source": "shop.crt"}, "private_key": {"source": "shop.key"}}
    to_app = [{"match": {"prefix": "/"}, "route": {"cluster": "web"}}]
    data["proxies"]["shop"] = {
        "listeners": {
            "https": {"port": port + 10, "publish": port + 10, "tls": own, "routes": to_app},
            "clients": {
                "port": port + 11,
                "publish": port + 11,
                "tls": {
                    **own,
                    "client_certificate": True,
                    "ca": {"source": "company.crt"},
                    "subject_alt_name": {"uri": "spiffe://shop.example.com/web"},
                },
                "routes": to_app,
            },
        },
        "clusters": {"web": {"to": "web"}},
    }
    edge = data["proxies"]["edge"]
    edge["sensitive"] = True
    edge["listeners"]["trust"] = {
        "port": port + 12,
        "publish": port + 12,
        "routes": [
            {"match": {"prefix": f"/{name}/"}, "route": {"cluster": name, "prefix_rewrite": "/"}}
            for name in CLUSTERS
        ],
    }
    for name, (tls, _status) in CLUSTERS.items():
        edge["clusters"][name] = {"to": "shop/https", "tls": tls}
    trusted = {"ca": {"source": "company.crt"}, "server_name": "shop.example.com"}
    client = {"certificate": {"source": "shop.crt"}, "key": {"source": "shop.key"}}
    other = {"certificate": {"source": "pay.crt"}, "key": {"source": "pay.key"}}
    ok = [{"status": "200", "op": "eq", "value": 4}]
    data["traffic"] += [
        {"name": "own certificate", "to": "shop/https", **trusted, "requests": 4, "expect": ok},
        {"name": "client", "to": "shop/clients", **trusted, "client_certificate": client, "requests": 4, "expect": ok},
        {
            "name": "other client",
            "to": "shop/clients",
            **trusted,
            "client_certificate": other,
            "requests": 1,
            "expect": [{"status": "200", "op": "eq", "value": 0}],
        },
        *(
            {"name": name, "to": "edge/trust", "path": f"/{name}/", "requests": 2,
             "expect": [{"status": status, "op": "eq", "value": 2}]}
            for name, (_tls, status) in CLUSTERS.items()
        ),
    ]  # fmt: skip
    return data


def make_files(folder: Path) -> list[str]:
    """Create the certificates and keys of the demo; return a secret text of each key."""
    company = new_authority(folder)
    new_authority(folder, "other")
    shop = new_certificate(folder, "shop", NAMES, company)
    pay = new_certificate(folder, "pay", "URI:spiffe://shop.example.com/pay", company)
    return [shop.secret, pay.secret]


@pytest.mark.parametrize("platform", ["local", "docker", "kubernetes"])
def test_author_decides_which_certificates_are_used(
    block: PortBlock, deployment: Deploy, platform: str
) -> None:
    made = deployment(platform)
    secrets = [*make_files(made.root), *SECRETS]
    planned = made.plan(demo(block))
    result = made.result(planned, _ansible_diff=True)
    assert not result["failed"], result["msg"]
    assert made.failures(planned) == []
    shown = json.dumps(result)
    assert "edge/listeners.yaml" in shown
    assert [secret for secret in secrets if secret in shown] == []
    assert not made.result(planned)["changed"]
    assert_secrets_are_private(made, secrets)
    assert_change_goes_live(made, block)
    if platform == "local":
        # On a platform whose system trusts the company, and with a new certificate, which goes live.
        new_certificate(made.root, "shop", NAMES, Pair(made.root / "company.crt", made.root / "company.key"))
        for_system = planned_for_system(made, block)
        assert made.failures(for_system) == []


def test_refused_certificate_is_explained(block: PortBlock, deployment: Deploy) -> None:
    local = deployment("local")
    make_files(local.root)
    data = demo(block)
    data["traffic"] = [one for one in data["traffic"] if one["name"] == "demo_ca"]
    data["traffic"][0]["expect"][0]["status"] = "200"
    planned = local.deploy(data)
    result = module_answer(demo_verify, {"plan": planned, "timeout": 5})
    [reason] = result["reasons"]
    assert "CERTIFICATE_VERIFY_FAILED" in reason
    accepted = f"a certificate of the demo's authority ({local.folder}/ca/ca.crt; for another one, set 'ca' of the cluster's tls)"
    assert reason.endswith(f"which accepts {accepted} with the DNS name 'shop.example.com'")


def planned_for_system(made: CaseDeployment, block: PortBlock) -> Any:
    """Deploy the demo on a host that trusts the company; return the plan, which expects that."""
    data = demo(block)
    next(one for one in data["traffic"] if one["name"] == "system")["expect"][0]["status"] = "200"
    planned = made.plan(data, system_ca=str(made.root / "company.crt"))
    result = made.result(planned)
    assert not result["failed"], result["msg"]
    assert (result["started"], result["restarted"]) == ([], [])
    return planned


def assert_change_goes_live(made: CaseDeployment, block: PortBlock) -> None:
    """Swap the clusters of two routes of the proxy whose files are sensitive: it applies them without a restart."""
    data = demo(block)
    routes = {
        one["match"]["prefix"]: one["route"]
        for one in data["proxies"]["edge"]["listeners"]["trust"]["routes"]
    }
    routes["/uri/"]["cluster"], routes["/other_uri/"]["cluster"] = "other_uri", "uri"
    planned = made.plan(data)
    result = made.result(planned, _ansible_diff=True)
    assert not result["failed"], result["msg"]
    assert (result["started"], result["restarted"]) == ([], [])
    assert "other_uri" not in json.dumps(result["diff"])
    assert len(made.failures(planned)) == 2


def assert_secrets_are_private(made: CaseDeployment, secrets: list[str]) -> None:
    """Check where the deployed secrets are: in private files, or in Secrets."""
    if made.platform == "kubernetes":
        cluster = connect(made.options["cluster"])
        objects = [one for kind in ("ConfigMap", "Deployment", "Pod") for one in cluster.list(kind)]
        cluster.close()
        assert "edge" in json.dumps(objects)
        assert [secret for secret in secrets if secret in json.dumps(objects)] == []
        return
    assert stat.S_IMODE(made.folder.stat().st_mode) == 0o700
    found = {
        path: stat.S_IMODE(path.stat().st_mode)
        for path in made.folder.rglob("*")
        if path.is_file() and any(secret in path.read_text(errors="replace") for secret in secrets)
    }
    assert {path.suffix for path in found} >= {".key", ".yaml"}
    if made.platform == "local":
        assert set(found.values()) == {0o600}
    else:
        logs = docker("compose", "--project-name", made.name, "logs")
        assert [secret for secret in secrets if secret in "\n".join(logs)] == []


@pytest.mark.slow
@pytest.mark.parametrize("file", ["a.yml", "c.yml"])
def test_certificate_in_envoys_own_fields(block: PortBlock, deployment: Deploy, file: str) -> None:
    local = deployment("local")
    site = new_certificate(local.root, "site", "DNS:shop.example.com")
    data = case_data(f"10-own-certificate/{file}", block, local.root)
    texts = {"CERTIFICATE": site.certificate.read_text(), "PRIVATE KEY": site.key.read_text()}
    data = filled(data, texts)
    planned = local.plan(data)
    result = local.result(planned, _ansible_diff=True)
    assert not result["failed"], result["msg"]
    assert site.secret not in json.dumps(result)
    assert local.failures(planned) == []


def filled(value: Any, texts: dict[str, str]) -> Any:
    """Return data with a PEM text in place of each `PEM OF A … MADE BY THE TEST`."""
    if isinstance(value, dict):
        return {key: filled(one, texts) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, texts) for one in value]
    if isinstance(value, str) and value.startswith("PEM OF A "):
        return next(text for name, text in texts.items() if name in value)
    return value


def test_server_without_the_required_uri_is_not_trusted(block: PortBlock, deployment: Deploy) -> None:
    local = deployment("local")
    assert local.failures(local.deploy(case_data("18-uri-san/a.yml", block))) == []
    # The first-class key has the same result.
    data = case_data("18-uri-san/a.yml", block)
    data["proxies"]["edge"]["clusters"]["inner"]["tls"] = {
        "subject_alt_name": {"uri": "spiffe://shop.example.com/payments"}
    }
    assert local.failures(local.deploy(data)) == []


def test_example_of_the_page(block: PortBlock, deployment: Deploy) -> None:
    local = deployment("local")
    environment = {**os.environ, "HOME": str(local.root)}
    subprocess.run(["bash", "-euc", example("sh")], env=environment, check=True, capture_output=True)
    for path in (local.root / "certificates").iterdir():
        path.rename(local.root / path.name)
    text = example("file=~/certificates/shop.yml")
    for port, position in (("31600", 0), ("8443", 43), ("8444", 44)):
        text = text.replace(port, str(block.first + position))
    assert local.failures(local.deploy(yaml.safe_load(text))) == []
