# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test certificates that change under running Envoys, of which one keeps the previous certificate.

tests/integration/test_certificate_renewal.py renews certificates of real Envoys.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._config.certificates.authority import DAY
from ansible_collections.meshlab.envoy.plugins.module_utils._config.certificates.serial_number import (
    serial_number,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.config_target import FolderTarget
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import (
    Admin,
    Certificate,
    DesiredFiles,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import (
    AdminUnreachable,
    ConfigAdmin,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.xds_confirmation import XdsMonitor
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._config.prepare import prepare

CERTIFICATE = "edge/certs/tls.crt"
DESIRED = DesiredFiles(
    certificates=(Certificate("edge/certs", ("edge",)),), admins=(Admin("edge", "http://127.0.0.1:9"),)
)
LOG = "[2026-11-30 08:31:32.261][23963][warning][misc] [source/x.cc:79] Failed to reload certificates: KEY_VALUES_MISMATCH"


class CertificatesPage(ConfigAdmin):
    """The admin interface of an Envoy that uses the certificate in a folder, or one that it read before."""

    def __init__(self, folder: Path, keeps: bytes = b"", error: str = "") -> None:
        super().__init__("")
        self.folder, self.keeps, self.error = folder, keeps, error

    def is_running(self, timeout: float = 1) -> bool:
        return True

    def json(self, path: str, timeout: float) -> Any:
        if self.error:
            raise AdminUnreachable(self.error)
        pem = self.keeps or (self.folder / CERTIFICATE).read_bytes()
        chain = [{"path": CERTIFICATE, "serial_number": f"{serial_number(pem):x}"}]
        # An authority of the system can have no serial number here.
        return {"certificates": [{"ca_cert": [{"path": "ca.crt"}], "cert_chain": chain}, {}]}


def renew(folder: Path, admin: ConfigAdmin, timeout: float) -> None:
    """Run a transaction at a time when the certificate is due."""
    target = FolderTarget(folder, XdsMonitor(admin, lambda: [LOG]))
    targets = {"edge": target}
    with prepare(folder, DESIRED, now=time.time() + 340 * DAY, targets=targets) as transaction:
        transaction.write()
        transaction.go_live(timeout)
        transaction.finish()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "folder"
    with prepare(path, DESIRED) as transaction:
        transaction.write()
        transaction.finish()
    return path


def contents(folder: Path) -> Mapping[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "edge" / "certs").iterdir()}


def test_renewed_certificate_is_confirmed_by_its_serial_number(folder: Path) -> None:
    before = contents(folder)
    renew(folder, CertificatesPage(folder), 60)
    after = contents(folder)
    assert serial_number(before["tls.crt"]) != serial_number(after["tls.crt"])
    with prepare(folder, DESIRED) as transaction:
        assert not transaction.changed


def test_envoy_that_keeps_the_certificate_restores_the_files(folder: Path) -> None:
    before = contents(folder)
    with pytest.raises(ConfigRefused) as caught:
        renew(folder, CertificatesPage(folder, keeps=before["tls.crt"]), 0.05)
    assert str(caught.value) == (
        "edge: the running Envoy did not load a renewed certificate: it uses the previous edge/certs/tls.crt (KEY_VALUES_MISMATCH)."
        " Run again. The previous certificates were restored."
    )
    assert contents(folder) == before
    # The next run renews it.
    renew(folder, CertificatesPage(folder), 60)
    assert contents(folder) != before


def test_envoy_that_stops_responding_confirms_nothing(folder: Path) -> None:
    before = contents(folder)
    with pytest.raises(ConfigRefused, match=r"stopped responding \(gone\)"):
        renew(folder, CertificatesPage(folder, error="gone"), 60)
    assert contents(folder) == before
