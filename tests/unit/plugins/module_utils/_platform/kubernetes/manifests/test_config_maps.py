# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of ConfigMaps, Secrets and their volumes."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from manifest_objects import APP, ENVOY, objects, pod

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.config_maps import (
    LARGE,
    LIMIT,
    file_config_maps,
    file_parts,
    sensitive_secret,
    volume,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import WorkloadError


def test_volume_has_files_and_certificates() -> None:
    planned = objects(certificates=["web_1/certs"])
    config = planned["ConfigMap/my-demo-web-1-abc"]
    assert config["data"] == {"bootstrap.yaml": "b", "secrets__tls_certificate.yaml": "i"}
    assert config["metadata"]["annotations"] == {"meshlab.envoy/folder": "web_1"}
    assert "data" not in planned["Secret/my-demo-web-1-certs"]
    volume = next(one for one in pod(planned)["volumes"] if one["name"] == "web-1")
    from_files, from_keys = volume["projected"]["sources"]
    assert {one["path"] for one in from_files["configMap"]["items"]} == {
        "bootstrap.yaml",
        "secrets/tls_certificate.yaml",
    }
    assert {(one["path"], one["mode"]) for one in from_keys["secret"]["items"]} == {
        ("certs/tls.crt", 0o440),
        ("certs/tls.key", 0o440),
        ("certs/ca.crt", 0o440),
    }


@pytest.mark.parametrize(
    ("path", "watched"),
    [
        ("routes/http.yaml", True),
        ("clusters.yaml", True),
        ("files/routes/a.yaml", False),
    ],
)
def test_watched_file_stays_in_the_first_config_map(path: str, watched: bool) -> None:
    parts = file_parts("web", "edge", {path: "x" * (LARGE + 1), "bootstrap.yaml": ""})
    assert (path in parts["web"]) is watched


def test_config_map_name_contains_the_digest() -> None:
    """Earlier pods keep the files they started with, so a failed rollout does not change them."""
    before, after = objects(), objects(replace(ENVOY, digest="def"), APP)
    assert "ConfigMap/my-demo-web-1-abc" in before
    assert "ConfigMap/my-demo-web-1-def" in after
    assert pod(before) != pod(after)


def test_sensitive_files_are_in_a_secret_of_the_same_volume() -> None:
    planned = objects(sensitive={"web_1/listeners.yaml": "inline key"})
    assert planned["Secret/my-demo-web-1-abc"]["data"] == {"listeners.yaml": "aW5saW5lIGtleQ=="}
    assert "listeners.yaml" not in planned["ConfigMap/my-demo-web-1-abc"]["data"]
    volume = next(one for one in pod(planned)["volumes"] if one["name"] == "web-1")
    assert volume["projected"]["sources"][1] == {
        "secret": {
            "name": "my-demo-web-1-abc",
            "items": [{"key": "listeners.yaml", "path": "listeners.yaml", "mode": 0o440}],
        }
    }


def test_large_file_has_a_config_map_of_its_own() -> None:
    files = {
        "listeners.yaml": "l" * LARGE * 2,
        "a.yaml": "a",
        "b.wasm": bytes(LIMIT),
        "c.so": bytes(LARGE + 1),
    }
    made = {one["metadata"]["name"]: one for one in file_config_maps("shop", "edge", "abc", files)}
    assert {name: [*one["data"], *one.get("binaryData", ())] for name, one in made.items()} == {
        "shop-edge-abc": ["listeners.yaml", "a.yaml"],
        "shop-edge-abc-2": ["b.wasm"],
        "shop-edge-abc-3": ["c.so"],
    }
    sources = volume("shop", "edge", "abc", files, {}, [])["projected"]["sources"]
    assert {
        one["configMap"]["name"]: [item["path"] for item in one["configMap"]["items"]] for one in sources
    } == {
        "shop-edge-abc": ["listeners.yaml", "a.yaml"],
        "shop-edge-abc-2": ["b.wasm"],
        "shop-edge-abc-3": ["c.so"],
    }


@pytest.mark.parametrize(
    ("make", "files", "message"),
    [
        (
            file_config_maps,
            {"clusters.yaml": "c" * LIMIT, "a.yaml": "a"},
            (
                "edge: its files have 1,048,577 bytes (clusters.yaml: 1,048,576), but a ConfigMap or a Secret has at most"
                " 1,048,576. Distribute its clusters and routes over several proxies, or deploy on a platform without this limit"
            ),
        ),
        (file_config_maps, {"a.so": bytes(LIMIT + 1)}, "Use an image that contains the file, or smaller files, or deploy on"),
        (sensitive_secret, {"a.so": bytes(LIMIT + 1)}, "edge: its files have 1,048,577 bytes (a.so: 1,048,577), but"),
    ],
)  # fmt: skip
def test_file_that_no_config_map_can_hold_is_refused(make: Any, files: Any, message: str) -> None:
    with pytest.raises(WorkloadError, match=re.escape(message)):
        make("shop", "edge", "abc", files)
