# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS contexts of clients: which settings they get, and which files and ciphers are refused."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.tls import (
    TlsError,
    client_context,
)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with cert.pem, key.pem and encrypted.pem (the same key with a password)."""
    folder = tmp_path_factory.mktemp("tls")
    request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=client -keyout key.pem -out cert.pem"
    for command in (request, "ec -in key.pem -aes128 -passout pass:secret -out encrypted.pem"):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
    return folder


def test_context_verifies_the_server_by_default() -> None:
    context = client_context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_context_verifies_nothing_without_verify() -> None:
    context = client_context(verify=False)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)


def test_context_trusts_only_the_given_ca(pair: Path) -> None:
    context = client_context(ca=pair / "cert.pem")
    assert [found["subject"] for found in context.get_ca_certs()] == [((("commonName", "client"),),)]


def test_context_offers_only_one_version() -> None:
    context = client_context(version="TLSv1.2")
    assert context.minimum_version == context.maximum_version == ssl.TLSVersion.TLSv1_2


def test_context_has_the_given_ciphers() -> None:
    names = {cipher["name"] for cipher in client_context(ciphers="ECDHE-RSA-AES128-GCM-SHA256").get_ciphers()}
    assert "ECDHE-RSA-AES128-GCM-SHA256" in names
    assert "ECDHE-RSA-AES256-GCM-SHA384" not in names


def test_client_certificate_is_loaded_with_its_key(pair: Path) -> None:
    client_context(certificate=pair / "cert.pem", key=pair / "key.pem")
    both = pair / "both.pem"
    both.write_text((pair / "cert.pem").read_text() + (pair / "key.pem").read_text())
    client_context(certificate=both)


def test_home_directory_is_expanded(pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(pair))
    client_context(ca="~/cert.pem", certificate="~/cert.pem", key="~/key.pem")


@pytest.mark.parametrize(
    ("settings", "setting", "error"),
    [
        ({"ca": "missing.pem"}, "ca", "missing.pem does not contain CA certificates in PEM: no such file"),
        ({"ca": "~missing-user/a"}, "ca", "~missing-user/a does not contain CA certificates"),
        ({"ca": "key.pem"}, "ca", "key.pem does not contain CA certificates in PEM: no certificate"),
        (
            {"certificate": "cert.pem", "key": "missing.pem"},
            "certificate",
            "its key missing.pem cannot be used",
        ),
        ({"certificate": "cert.pem"}, "certificate", "cert.pem cannot be used"),
        (
            {"certificate": "cert.pem", "key": "encrypted.pem"},
            "certificate",
            r"cannot be used: the key is encrypted\. Use one without a password",
        ),
        ({"ciphers": "none"}, "ciphers", "OpenSSL supports none of 'none'"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(
    pair: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], setting: str, error: str
) -> None:
    monkeypatch.chdir(pair)
    with pytest.raises(TlsError, match=error) as caught:
        client_context(**settings)
    assert caught.value.setting == setting
