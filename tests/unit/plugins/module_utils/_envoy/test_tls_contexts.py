# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the TLS transport sockets and the SDS files."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.tls_contexts import (
    downstream_transport_socket,
    tls_certificate_secret,
    upstream_transport_socket,
    validation_context_secret,
)


def test_listener_takes_its_certificate_from_sds() -> None:
    tls = {"client_certificate": False}
    context = downstream_transport_socket("n-1/secrets", tls, ("h2", "http/1.1"))["typed_config"]
    common = context["common_tls_context"]
    assert common["tls_certificate_sds_secret_configs"] == [
        {
            "name": "tls_certificate",
            "sds_config": {
                "resource_api_version": "V3",
                "path_config_source": {"path": "n-1/secrets/tls_certificate.yaml"},
            },
        }
    ]
    assert common["alpn_protocols"] == ["h2", "http/1.1"]
    assert context["require_client_certificate"] is False
    assert "validation_context_sds_secret_config" not in common


def test_client_certificate_is_verified_by_the_authority() -> None:
    context = downstream_transport_socket("n-1/secrets", {"client_certificate": True}, ())["typed_config"]
    assert context["require_client_certificate"] is True
    source = context["common_tls_context"]["validation_context_sds_secret_config"]["sds_config"]
    assert source["path_config_source"] == {"path": "n-1/secrets/validation_context.yaml"}
    assert "alpn_protocols" not in context["common_tls_context"]


@pytest.mark.parametrize("client_certificate", [False, True])
def test_cluster_accepts_only_its_server_name(client_certificate: bool) -> None:
    tls = {"client_certificate": client_certificate}
    context = upstream_transport_socket("n-1/secrets", tls, "shop.example")["typed_config"]
    assert context["sni"] == "shop.example"
    combined = context["common_tls_context"]["combined_validation_context"]
    assert combined["default_validation_context"]["match_typed_subject_alt_names"] == [
        {"san_type": "DNS", "matcher": {"exact": "shop.example"}}
    ]
    assert combined["validation_context_sds_secret_config"]["name"] == "validation_context"
    own_certificate = context["common_tls_context"].get("tls_certificate_sds_secret_configs")
    assert bool(own_certificate) is client_certificate


@pytest.mark.parametrize("side", ["downstream", "upstream"])
def test_context_overrides_the_generated_fields(side: str) -> None:
    tls = {"client_certificate": False, "context": {"max_session_keys": 0}}
    socket = (
        downstream_transport_socket("s", tls, ())
        if side == "downstream"
        else upstream_transport_socket("s", tls, "web")
    )
    assert socket["typed_config"]["max_session_keys"] == 0
    assert socket["typed_config"]["common_tls_context"]


@pytest.mark.parametrize("make", [tls_certificate_secret, validation_context_secret])
def test_secret_files_watch_the_folder_of_certificates(make: Any) -> None:
    (secret,) = make("n-1/certs", "n-1/certs")["resources"]
    (content,) = [value for key, value in secret.items() if key not in ("@type", "name")]
    assert content["watched_directory"] == {"path": "n-1/certs"}
    files = [value["filename"] for value in content.values() if "filename" in value]
    assert files
    assert all(file.startswith("n-1/certs/") for file in files)
