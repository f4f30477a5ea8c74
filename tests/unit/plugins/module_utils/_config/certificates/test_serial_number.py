# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the serial numbers of certificates, against those of openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._config.certificates.serial_number import (
    serial_number,
)

NEW = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=a -days 1"


@pytest.mark.parametrize("serial", [1, 127, 128, 0xA0, 2**126 - 1])
def test_serial_number_is_that_of_openssl(tmp_path: Path, serial: int) -> None:
    paths = ["-keyout", str(tmp_path / "k"), "-out", str(tmp_path / "c"), "-set_serial", str(serial)]
    subprocess.run(["openssl", *NEW.split(), *paths], check=True, capture_output=True)
    pem = (tmp_path / "c").read_bytes()
    assert serial_number(b"a comment\n" + pem + pem.replace(b"A", b"B")) == serial


@pytest.mark.parametrize("text", ["", "text", "QUJD", "MA==", "MIL/////", "é"])
def test_other_text_has_no_serial_number(text: str) -> None:
    pem = f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n".encode()
    assert serial_number(pem) == serial_number(text.encode()) == 0
