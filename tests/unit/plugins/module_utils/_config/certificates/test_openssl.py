# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the names and the end of certificates, with the real openssl."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import (
    CommandResult,
    run,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.certificates import openssl
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import Certificate
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused

DAY = 86400


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """Return a directory with an authority."""
    openssl.new_authority(tmp_path, 10, run)
    return tmp_path


@pytest.mark.parametrize("names", [("a\nb",), ("a, IP:1.2.3.4",), ("",), ("$ENV",)])
def test_names_cannot_inject_openssl_settings(private: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(ConfigRefused) as caught:
        openssl.new_certificate(Certificate("edge/certs", names), private / "leaf0", private, run)
    assert caught.value.file == "edge/certs/tls.crt"
    assert (
        caught.value.message
        == f"{names[0]!r} is not a valid name of a certificate. Use a host name or a URI."
    )


@pytest.mark.parametrize(
    ("certificate", "message"),
    [
        (Certificate("c", ()), "the certificate has no name and no address. Add one to 'names'."),
        (
            Certificate("c", ("a",), ("b",)),
            "'b' does not appear to be an IPv4 or IPv6 address. Use an IP address",
        ),
    ],
)
def test_certificate_needs_a_valid_name_or_address(
    private: Path, certificate: Certificate, message: str
) -> None:
    with pytest.raises(ConfigRefused) as caught:
        openssl.new_certificate(certificate, private / "leaf0", private, run)
    assert caught.value.message.startswith(message)


def test_uri_is_a_name(private: Path) -> None:
    certificate = Certificate("edge/certs", ("spiffe://lab/edge",))
    contents = openssl.new_certificate(certificate, private / "leaf0", private, run)
    (private / "tls.crt").write_bytes(contents["tls.crt"])
    command = ["openssl", "x509", "-in", str(private / "tls.crt"), "-noout", "-text"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "URI:spiffe://lab/edge" in text


def test_end_time_is_that_of_the_certificate(private: Path) -> None:
    end = openssl.end_time((private / "ca.crt").read_bytes(), private, run)
    assert 9 * DAY < end - time.time() <= 10 * DAY


def test_end_time_of_another_file_is_zero(private: Path) -> None:
    assert openssl.end_time(b"not a certificate", private, run) == 0


def test_failed_openssl_is_refused_with_its_message(tmp_path: Path) -> None:
    def failing(command: Sequence[str], folder: Path | None = None, timeout: float = 60) -> CommandResult:
        return CommandResult(1, "", "unknown\noption")

    with pytest.raises(
        ConfigRefused, match=r"^openssl req -x509: the certificate cannot be created: unknown option"
    ):
        openssl.new_authority(tmp_path, 10, failing)
