# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of ConfigMaps, Secrets and their volumes."""

from __future__ import annotations

from dataclasses import replace

from manifest_objects import APP, ENVOY, objects, pod


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
