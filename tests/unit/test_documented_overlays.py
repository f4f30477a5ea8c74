# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test that the examples of an author's fields in docs/write-your-own-demo.md give the configuration that the page describes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from planned_envoy import plan

PAGE = Path(__file__).resolve().parents[2] / "docs" / "write-your-own-demo.md"


def resources(example: str, platform: str) -> dict[str, Any]:
    """Return the listeners and clusters of an edge proxy by name, with the keys of an example of the page."""
    (text,) = re.findall(rf"```yaml overlay={example}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    services = {"payments": {"app": {}, "sidecar": {"listeners": {"https": {"port": 8443, "tls": {}}}}}}
    demo = {
        "summary": "s",
        "ports": 20000,
        "services": services,
        "proxies": {"edge": yaml.safe_load(text)},
    }
    files = {file["path"]: file["content"] for file in plan(demo, "shop", platform)["files"]}
    return {
        resource["name"]: resource
        for name in ("listeners", "clusters")
        for resource in yaml.safe_load(files[f"edge/{name}.yaml"])["resources"]
    }


@pytest.mark.parametrize("platform", ["local", "docker", "kubernetes", "openshift"])
def test_rules_of_the_page(platform: str) -> None:
    found = resources("rules", platform)
    (chain,) = found["https"]["filter_chains"]
    context = chain["transport_socket"]["typed_config"]["common_tls_context"]
    assert context["alpn_protocols"] == ["http/1.1"]
    assert context["tls_certificate_sds_secret_configs"]
    manager = chain["filters"][0]["typed_config"]
    assert "merge_slashes" not in manager
    assert manager["normalize_path"] is True
    assert "access_log" not in manager
    assert (found["far"]["type"], found["far"]["dns_lookup_family"]) == ("STRICT_DNS", "V6_ONLY")
    assert "cluster_type" not in found["far"]


@pytest.mark.parametrize("platform", ["local", "docker", "kubernetes", "openshift"])
def test_trust_of_the_page(platform: str) -> None:
    context = resources("trust", platform)["payments"]["transport_socket"]["typed_config"][
        "common_tls_context"
    ]
    combined = context["combined_validation_context"]
    assert combined["default_validation_context"] == {
        "match_typed_subject_alt_names": [
            {"san_type": "URI", "matcher": {"exact": "spiffe://shop.example.com/payments"}}
        ]
    }
    assert combined["validation_context_sds_secret_config"]["name"] == "validation_context"


@pytest.mark.parametrize("platform", ["local", "docker", "kubernetes", "openshift"])
def test_files_of_the_page(platform: str) -> None:
    (text,) = re.findall(r"```yaml proxy=files\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    demo = {"summary": "s", "ports": 20000, "proxies": {"edge": yaml.safe_load(text)}}
    planned = plan(demo, "shop", platform)
    files = {file["path"]: file["content"] for file in planned["files"]}
    assert "x-zone" in files["edge/files/zone.lua"]
    assert "filename: edge/files/zone.lua\n" in files["edge/listeners.yaml"]
    assert (
        f"path: {'data/edge' if platform == 'local' else '/tmp'}/access.log\n" in files["edge/listeners.yaml"]
    )
    (workload,) = planned["workloads"]
    assert workload["environment"]["ZONE"] == "north"
