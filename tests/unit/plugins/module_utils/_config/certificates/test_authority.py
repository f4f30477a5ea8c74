# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates are made by the real openssl; which of them are due is decided without it."""

from __future__ import annotations

import os
import ssl
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.command import CommandResult, run
from ansible_collections.meshlab.envoy.plugins.module_utils._config.certificates.authority import DAY
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import (
    Certificate,
    DesiredFiles,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import (
    ConfigRefused,
    RequirementMissing,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.prepare import prepare

NOW = time.time()
EDGE = Certificate("edge/certs", ("edge", "localhost"), ("127.0.0.1", "::1"), 0o640)
OTHER = Certificate("other/certs", ("other",))


def deploy(folder: Path, *wanted: Certificate, now: float = NOW, runner: object = run) -> list[str]:
    with prepare(folder, DesiredFiles(certificates=wanted), runner, now=now) as change:  # type: ignore[arg-type]
        if change.changed:
            change.write()
            change.go_live()
            change.finish()
        return change.changed_files()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "folder"
    deploy(place, EDGE, OTHER)
    return place


def text_of(path: Path) -> str:
    command = ["openssl", "x509", "-in", str(path), "-noout", "-text"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_certificate_is_for_its_names_and_both_sides_and_signed_by_the_folders_authority(
    folder: Path,
) -> None:
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


def test_keys_have_their_modes_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o000)
    try:
        deploy(tmp_path / "new", EDGE, OTHER)
    finally:
        os.umask(before)

    def mode(path: str) -> int:
        return (tmp_path / "new" / path).stat().st_mode & 0o777

    paths = ("ca/ca.key", "edge/certs/tls.key", "other/certs/tls.key", "edge/certs/tls.crt", "edge/certs", "")
    assert [mode(path) for path in paths] == [0o600, 0o640, 0o600, 0o644, 0o755, 0o700]


def test_what_is_good_is_kept_and_openssl_not_even_asked(folder: Path) -> None:
    def never(command: Sequence[str], place: Path | None = None, timeout: float = 60) -> CommandResult:
        raise AssertionError(command)

    assert deploy(folder, EDGE, OTHER, runner=never) == []
    assert deploy(folder, EDGE, OTHER, runner=never, now=NOW + 334 * DAY) == []


EDGE_FILES = ["edge/certs/tls.key", "edge/certs/tls.crt"]


def test_it_is_renewed_before_it_ends(folder: Path) -> None:
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
def test_it_is_renewed_when_its_names_or_days_change(folder: Path, changed: Certificate) -> None:
    assert deploy(folder, changed, OTHER) == EDGE_FILES
    assert deploy(folder, changed, OTHER) == []


def test_another_mode_changes_the_mode_and_not_the_key(folder: Path) -> None:
    before = (folder / "edge/certs/tls.key").read_bytes()
    changed = Certificate("edge/certs", EDGE.names, EDGE.addresses, 0o644)
    assert deploy(folder, changed, OTHER) == ["edge/certs/tls.key"]
    assert (folder / "edge/certs/tls.key").read_bytes() == before


def test_one_that_was_removed_or_replaced_by_hand_is_made_again(folder: Path) -> None:
    (folder / "edge/certs/tls.key").unlink()
    (folder / "other/certs/tls.crt").write_text("not mine")
    assert deploy(folder, EDGE, OTHER) == [*EDGE_FILES, "other/certs/tls.key", "other/certs/tls.crt"]


def test_all_are_renewed_when_the_authority_is_another(folder: Path, tmp_path: Path) -> None:
    deploy(tmp_path / "another", OTHER)
    for name in ("ca.crt", "ca.key"):
        (folder / "ca" / name).write_bytes((tmp_path / "another/ca" / name).read_bytes())
    assert len(deploy(folder, EDGE, OTHER)) == 6
    assert (folder / "other/certs/ca.crt").read_bytes() == (tmp_path / "another/ca/ca.crt").read_bytes()
    assert deploy(folder, EDGE, OTHER) == []
    assert len(deploy(folder, EDGE, OTHER, now=NOW + 3630 * DAY)) == 8


def test_the_authority_is_renewed_before_what_it_signs_could_outlive_it(folder: Path) -> None:
    assert len(deploy(folder, EDGE, OTHER, now=NOW + 3300 * DAY)) == 8


def test_one_that_is_not_wanted_any_more_is_removed(folder: Path) -> None:
    deploy(folder, OTHER)
    assert not (folder / "edge").exists()


def test_a_diff_shows_no_key(tmp_path: Path) -> None:
    with prepare(tmp_path / "new", DesiredFiles(certificates=(EDGE,)), check_mode=True) as change:
        assert "(a private key)\n" in [one["after"] for one in change.diff]
        assert "PRIVATE KEY" not in str(change.diff)
        assert "BEGIN" not in str(change.diff)
    assert not (tmp_path / "new").exists()


def without_openssl(command: Sequence[str], place: Path | None = None, timeout: float = 60) -> CommandResult:
    raise FileNotFoundError(2, "No such file or directory", command[0])


def test_a_host_without_openssl_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(RequirementMissing, match="install openssl"):
        deploy(tmp_path / "new", EDGE, runner=without_openssl)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [".lock"]


def test_in_check_mode_that_is_a_remark(tmp_path: Path) -> None:
    wanted = DesiredFiles(certificates=(EDGE,))
    with prepare(tmp_path / "new", wanted, without_openssl, check_mode=True) as change:
        assert "install openssl" in change.warnings[0]


@pytest.mark.parametrize("names", [("a\nb",), ("a, IP:1.2.3.4",), ("",), ("$ENV",)])
def test_names_cannot_bring_openssl_settings(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(ConfigRefused, match=r"edge/certs/tls\.crt"):
        deploy(tmp_path / "new", Certificate("edge/certs", names))


def test_a_uri_is_a_name_too(tmp_path: Path) -> None:
    deploy(tmp_path / "new", Certificate("edge/certs", ("spiffe://lab/edge",)))
    assert "URI:spiffe://lab/edge" in text_of(tmp_path / "new/edge/certs/tls.crt")
