# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test which paths and modes are accepted, and how a plan is read."""

from __future__ import annotations

import pytest
from config_transactions import text_file

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import (
    Admin,
    Certificate,
    DesiredFiles,
    Directory,
    parse_mode,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused

UNSAFE = ["../a", "/a", "a/../b", "", ".", "a/", "./a", "a\0b"]
RESERVED = [".staging/a", ".files.json", "ca/ca.key"]


@pytest.mark.parametrize("path", [*UNSAFE, *RESERVED])
def test_unsafe_and_reserved_paths_are_refused(path: str) -> None:
    with pytest.raises(ConfigRefused):
        DesiredFiles((text_file(path),))
    with pytest.raises(ConfigRefused):
        DesiredFiles(directories=(Directory(path),))


def test_duplicate_path_is_refused() -> None:
    with pytest.raises(ConfigRefused, match=r"^a: this path is listed twice\. Remove one"):
        DesiredFiles((text_file("a"), text_file("a")))


def test_path_of_a_certificate_is_not_a_file_too() -> None:
    with pytest.raises(ConfigRefused, match=r"^edge/certs/tls\.crt: this path is listed twice"):
        DesiredFiles((text_file("edge/certs/tls.crt"),), certificates=(Certificate("edge/certs", ("edge",)),))


def test_path_is_not_a_file_and_a_directory() -> None:
    with pytest.raises(ConfigRefused, match=r"^a: this path is a file and also the directory of a/b"):
        DesiredFiles((text_file("a"), text_file("a/b")))


@pytest.mark.parametrize("mode", ["644x", "0o644", 420, "9999", ""])
def test_mode_that_is_not_octal_text_is_refused(mode: str | int) -> None:
    with pytest.raises(ConfigRefused, match=r"^mode: .* is not a mode\. Write it in octal .* '0644'"):
        parse_mode(mode)


@pytest.mark.parametrize(("mode", "bits"), [("0644", 0o644), ("600", 0o600), ("1777", 0o1777)])
def test_mode_is_parsed_as_octal(mode: str, bits: int) -> None:
    assert parse_mode(mode) == bits


def test_plan_without_modes_has_defaults() -> None:
    desired = DesiredFiles.from_plan(
        {
            "name": "ignored",
            "files": [{"path": "edge/a", "content": "x", "live": "edge"}],
            "directories": [{"path": "edge/run"}],
            "certificates": [{"path": "edge/certs", "names": ["edge"], "days": 90}],
            "checks": [{"name": "edge", "command": ["envoy"], "validated_files": ["edge/a"]}],
            "admins": [{"proxy": "edge", "url": "unix:///s", "workload": "edge"}],
        }
    )
    assert (desired.files[0].mode, desired.files[0].live) == (0o644, "edge")
    assert desired.directories == (Directory("edge/run", 0o755),)
    assert desired.certificates == (Certificate("edge/certs", ("edge",), mode=0o600, days=90),)
    assert desired.checks[0].validated_files == ("edge/a",)
    assert desired.admins == (Admin("edge", "unix:///s"),)


def test_empty_plan_has_no_files() -> None:
    assert DesiredFiles.from_plan({}) == DesiredFiles()
