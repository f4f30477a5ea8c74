# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The programs that a host does not have, and those of them that a plan needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.missing_programs import (
    missing_programs,
    programs_to_provide,
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home with an Envoy 1.40.0."""
    monkeypatch.setenv("HOME", str(tmp_path))
    envoy = tmp_path / "envoy"
    envoy.write_text("#!/bin/sh\necho version: abc/1.40.0/Clean\n")
    envoy.chmod(0o755)
    (tmp_path / "cache").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("executable", "version", "missing"),
    [
        ("~/envoy", "1.40.0", False),
        ("$HOME/envoy", "1.40.0", False),
        ("~/envoy", "", False),
        ("~/envoy", "1.40.1", True),
        ("~/envoy", "1.4", True),
        ("~/gone", "", True),
        ("~/cache", "", True),
        ("", "", True),
    ],
)
def test_program_is_missing_without_its_version(
    home: Path, executable: str, version: str, missing: bool
) -> None:
    program = {"name": "envoy", "executable": executable, "version": version}
    for _cached in range(2):
        assert missing_programs([program], "~/cache", False) == ["envoy"] * missing


def test_check_mode_caches_no_version(home: Path) -> None:
    # Only the version of a script of a virtual environment is cached, as the wheel of Envoy installs it.
    programs, package = (
        home / "venv" / "bin",
        home / "venv" / "lib" / "python3.11" / "site-packages" / "envoy",
    )
    programs.mkdir(parents=True)
    package.mkdir(parents=True)
    (package / "envoy").write_bytes(b"\x7fELF")
    (programs / "python").symlink_to("/bin/sh")
    (programs / "envoy").write_text(f"#!{programs}/python\necho version: abc/1.40.0/Clean\n")
    (programs / "envoy").chmod(0o755)
    program = {"name": "envoy", "executable": "~/venv/bin/envoy", "version": "1.40.0"}
    assert missing_programs([program], "~/cache", True) == []
    assert list((home / "cache").iterdir()) == []
    assert missing_programs([program], "~/cache", False) == []
    assert list((home / "cache").iterdir()) != []


@pytest.mark.parametrize(
    ("certificates", "programs", "names"),
    [
        ([], [], ["supervisord"]),
        ([{"path": "tls"}], ["envoy"], ["openssl", "envoy", "supervisord"]),
        ([], ["statsd_exporter", "demo_app"], ["statsd_exporter", "supervisord", "demo_app"]),
    ],
)
def test_only_programs_of_the_plan_are_provided(
    certificates: list[object], programs: list[str], names: list[str]
) -> None:
    missing = ["openssl", "envoy", "statsd_exporter", "supervisord"]
    plan = {"programs": programs, "certificates": certificates}
    assert programs_to_provide(missing, ["envoy", "demo_app"], plan) == [
        *names,
    ]
