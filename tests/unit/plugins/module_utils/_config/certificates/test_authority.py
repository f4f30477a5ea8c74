# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test which certificates are issued and when, with the real openssl."""

from __future__ import annotations

import os
import ssl
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import (
    CommandResult,
    CommandRunner,
    run,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.certificates.authority import DAY
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import (
    Certificate,
    DesiredFiles,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import (
    RequirementMissing,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.prepare import prepare

NOW = time.time()
EDGE = Certificate("edge/certs", ("edge", "localhost"), ("127.0.0.1", "::1"), 0o640)
OTHER = Certificate("other/certs", ("other",))


def deploy(
    folder: Path, *certificates: Certificate, now: float = NOW, runner: CommandRunner = run
) -> list[str]:
    """Deploy certificates and return the changed files."""
    with prepare(folder, DesiredFiles(certificates=certificates), runner, now=now) as transaction:
        if transaction.changed:
            transaction.write()
            transaction.go_live()
            transaction.finish()
        return transaction.changed_files()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with two certificates."""
    path = tmp_path / "folder"
    deploy(path, EDGE, OTHER)
    return path


def text_of(path: Path) -> str:
    command = ["openssl", "x509", "-in", str(path), "-noout", "-text"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_certificate_has_its_names_and_is_signed(folder: Path) -> None:
    text = text_of(folder / "edge/certs/tls.crt")
    assert "DNS:edge, DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1" in text
    assert "TLS Web Server Authentication, TLS Web Client Authentication" in text
    assert "NIST CURVE: P-256" in text
    ca = folder / "edge/certs/ca.crt"
    assert ca.read_bytes() == (folder / "ca/ca.crt").read_bytes()
    verify = ["openssl", "verify", "-x509_strict", "-CAfile", str(ca), str(folder / "edge/certs/tls.crt")]
    assert subprocess.run(verify, check=False).returncode == 0
    ssl.create_default_context(cafile=str(ca)).load_cert_chain(
        folder / "edge/certs/tls.crt", folder / "edge/certs/tls.key"
    )


def test_modes_are_exact_whatever_the_umask_is(tmp_path: Path) -> None:
    before = os.umask(0o000)
    try:
        deploy(tmp_path / "new", EDGE, OTHER)
    finally:
        os.umask(before)

    def mode(path: str) -> int:
        return (tmp_path / "new" / path).stat().st_mode & 0o777

    paths = ("ca/ca.key", "edge/certs/tls.key", "other/certs/tls.key", "edge/certs/tls.crt", "edge/certs", "")
    assert [mode(path) for path in paths] == [0o600, 0o640, 0o600, 0o644, 0o755, 0o700]


def test_valid_certificates_do_not_run_openssl(folder: Path) -> None:
    def no_command(command: Sequence[str], folder: Path | None = None, timeout: float = 60) -> CommandResult:
        raise AssertionError(command)

    assert deploy(folder, EDGE, OTHER, runner=no_command) == []
    assert deploy(folder, EDGE, OTHER, runner=no_command, now=NOW + 334 * DAY) == []


EDGE_FILES = ["edge/certs/tls.key", "edge/certs/tls.crt"]


def test_certificate_is_renewed_before_it_ends(folder: Path) -> None:
    ends_sooner = Certificate("edge/certs", EDGE.names, EDGE.addresses, EDGE.mode, EDGE.days, 40)
    assert deploy(folder, ends_sooner, OTHER, now=NOW + 330 * DAY) == EDGE_FILES


@pytest.mark.parametrize(
    "changed",
    [
        Certificate("edge/certs", ("edge", "new.example"), EDGE.addresses, EDGE.mode),
        Certificate("edge/certs", EDGE.names, ("127.0.0.2",), EDGE.mode),
        Certificate("edge/certs", EDGE.names, EDGE.addresses, EDGE.mode, days=90),
    ],
)
def test_changed_names_or_days_renew_the_certificate(folder: Path, changed: Certificate) -> None:
    assert deploy(folder, changed, OTHER) == EDGE_FILES
    assert deploy(folder, changed, OTHER) == []


def test_changed_mode_keeps_the_key(folder: Path) -> None:
    before = (folder / "edge/certs/tls.key").read_bytes()
    changed = Certificate("edge/certs", EDGE.names, EDGE.addresses, 0o644)
    assert deploy(folder, changed, OTHER) == ["edge/certs/tls.key"]
    assert (folder / "edge/certs/tls.key").read_bytes() == before


def test_removed_or_replaced_certificate_is_issued_again(folder: Path) -> None:
    (folder / "edge/certs/tls.key").unlink()
    (folder / "other/certs/tls.crt").write_text("not mine")
    assert deploy(folder, EDGE, OTHER) == [*EDGE_FILES, "other/certs/tls.key", "other/certs/tls.crt"]


def test_foreign_authority_renews_all_certificates(folder: Path, tmp_path: Path) -> None:
    deploy(tmp_path / "another", OTHER)
    for name in ("ca.crt", "ca.key"):
        (folder / "ca" / name).write_bytes((tmp_path / "another/ca" / name).read_bytes())
    assert len(deploy(folder, EDGE, OTHER)) == 6
    assert (folder / "other/certs/ca.crt").read_bytes() == (tmp_path / "another/ca/ca.crt").read_bytes()
    assert deploy(folder, EDGE, OTHER) == []
    assert len(deploy(folder, EDGE, OTHER, now=NOW + 3630 * DAY)) == 8


def test_authority_is_renewed_before_its_certificates_end(folder: Path) -> None:
    assert len(deploy(folder, EDGE, OTHER, now=NOW + 3300 * DAY)) == 8


def test_certificate_that_is_not_desired_is_removed(folder: Path) -> None:
    deploy(folder, OTHER)
    assert not (folder / "edge").exists()


def test_diff_shows_no_key(tmp_path: Path) -> None:
    with prepare(tmp_path / "new", DesiredFiles(certificates=(EDGE,)), check_mode=True) as transaction:
        assert "(a private key)\n" in [entry["after"] for entry in transaction.diff]
        assert "PRIVATE KEY" not in str(transaction.diff)
        assert "BEGIN" not in str(transaction.diff)
    assert not (tmp_path / "new").exists()


def without_openssl(command: Sequence[str], folder: Path | None = None, timeout: float = 60) -> CommandResult:
    raise FileNotFoundError(2, "No such file or directory", command[0])


def test_missing_openssl_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        RequirementMissing, match=r"^openssl: this host does not have the command .* Install openssl\."
    ):
        deploy(tmp_path / "new", EDGE, runner=without_openssl)
    assert not (tmp_path / "new").exists()


def test_missing_openssl_is_a_warning_in_check_mode(tmp_path: Path) -> None:
    desired = DesiredFiles(certificates=(EDGE,))
    with prepare(tmp_path / "new", desired, without_openssl, check_mode=True) as transaction:
        assert "Install openssl" in transaction.warnings[0]
