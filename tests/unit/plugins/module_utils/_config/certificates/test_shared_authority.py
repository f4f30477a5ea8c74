# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of an authority that several deployments share."""

from __future__ import annotations

import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._config.certificates.shared_authority import issue
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import Certificate

CERTIFICATES = [Certificate("shop/certs", ("shop",), ("192.0.2.1",))]


def test_hosts_get_certificates_of_one_authority(tmp_path: Path) -> None:
    folder = tmp_path / "authority"
    with ThreadPoolExecutor() as pool:
        one, other = pool.map(lambda host: issue(folder, f"shop@{host}", CERTIFICATES), ("a", "b"))
    assert one["ca/ca.crt"] == other["ca/ca.crt"] == one["shop/certs/ca.crt"]
    assert one["shop/certs/tls.key"] != other["shop/certs/tls.key"]
    (tmp_path / "ca.crt").write_bytes(one["ca/ca.crt"])
    (tmp_path / "b.crt").write_bytes(other["shop/certs/tls.crt"])
    verified = subprocess.run(
        ["openssl", "verify", "-CAfile", str(tmp_path / "ca.crt"), str(tmp_path / "b.crt")],
        capture_output=True,
        check=False,
    )
    assert verified.returncode == 0


def test_private_key_of_the_authority_is_not_among_the_files(tmp_path: Path) -> None:
    files = issue(tmp_path / "authority", "shop@a", CERTIFICATES)
    key = (tmp_path / "authority" / "ca" / "ca.key").read_bytes()
    assert sorted(files) == ["ca/ca.crt", "shop/certs/ca.crt", "shop/certs/tls.crt", "shop/certs/tls.key"]
    assert key not in files.values()
    modes = {
        stat.S_IMODE(path.stat().st_mode)
        for path in (tmp_path / "authority").rglob("*.key")
        if path.is_file()
    }
    assert modes == {0o600}
    assert stat.S_IMODE((tmp_path / "authority").stat().st_mode) == 0o700


def test_next_run_returns_the_same_certificates(tmp_path: Path) -> None:
    first = issue(tmp_path / "authority", "shop@a", CERTIFICATES)
    assert issue(tmp_path / "authority", "shop@a", CERTIFICATES) == first
    assert issue(tmp_path / "authority", "shop@a", CERTIFICATES, check_mode=True) == first


def test_check_mode_creates_no_authority(tmp_path: Path) -> None:
    assert issue(tmp_path / "authority", "shop@a", CERTIFICATES, check_mode=True)["shop/certs/tls.key"]
    assert list(tmp_path.iterdir()) == []
