# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test which checks stand for others, with texts of configurations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import CommandResult
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import Check, File
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.equivalent_checks import (
    distinct_checks,
    run_distinct_checks,
)

TEXT = """\
version_info: sha256:{digest}
id: {name}
cluster: {group}
admin: {name}/run/admin.sock
listener:
  port_value: {port}
upstream:
  port_value: {upstream}
again:
  port_value: {port}
"""
ONE: Mapping[str, Any] = MappingProxyType(
    {"name": "web-1", "group": "web", "digest": "0a1b", "port": 8001, "upstream": 8002}
)
OTHER: dict[str, Any] = {"name": "shop-2", "group": "shop", "digest": "2c3d", "port": 9001, "upstream": 9002}
VERSION = "version: 0a1b/1.40.0/Clean/RELEASE/BoringSSL"


def check(values: Mapping[str, Any] = ONE, text: str = TEXT, **more: Any) -> Check:
    name = values["name"]
    command = ("envoy", "--mode", "validate", "--config-path", f"{name}/candidate.yaml")
    candidate = File(f"{name}/candidate.yaml", text.format(**values).encode())
    options: dict[str, Any] = {"version": "1.40.0", "validated_files": (f"{name}/listeners.yaml",)}
    return Check(name, command, files=(candidate,), **(options | more))


def names(*checks: Check, files: Sequence[File] = (), issued: Sequence[File] = ()) -> list[str]:
    return [one.name for one in distinct_checks(checks, files, issued)]


def test_names_and_ports_make_no_difference() -> None:
    assert names(check(), check(OTHER)) == ["shop-2"]
    assert names(check(), check(ONE | {"name": "web-12"}), check(ONE | {"name": "web-3"})) == ["web-12"]


@pytest.mark.parametrize(
    "other",
    [
        OTHER | {"upstream": 9001},  # equal ports, where the others differ
        OTHER | {"port": 70000},
        OTHER | {"port": 0},
        OTHER | {"group": "else"},
    ],
)
def test_other_values_make_a_difference(other: dict[str, Any]) -> None:
    assert names(check(), check(other)) == ["web-1", "shop-2"]


@pytest.mark.parametrize(
    "text",
    [
        TEXT + "file: /srv/{group}.pem\n",
        TEXT + "file: files/{name}.pem\n",
        TEXT + "uri: http://{group}\n",
        TEXT + "timeout: {port}\n",
    ],
)
def test_own_paths_and_numbers_make_a_difference(text: str) -> None:
    assert names(check(text=text), check(OTHER, text)) == ["web-1", "shop-2"]


@pytest.mark.parametrize("value", ["proxy-{group}-pods", '"{name}": {group}', "{group}"])
def test_parts_of_longer_names_are_names(value: str) -> None:
    text = TEXT + value + "\n"
    assert names(check(text=text), check(OTHER, text)) == ["shop-2"]


def test_a_name_within_a_word_is_not_a_name() -> None:
    assert names(check(text=TEXT + "x{group}x\n"), check(OTHER, TEXT + "x{group}x\n")) == ["web-1", "shop-2"]


def test_swapped_names_make_a_difference() -> None:
    one = check(text=TEXT + "to: shop\n")
    assert names(one, check(OTHER, TEXT + "to: shop\n")) == ["web-1", "shop-2"]
    assert names(one, check(OTHER, TEXT + "to: web\n")) == ["web-1", "shop-2"]


@pytest.mark.parametrize(
    "change",
    [
        {"image": "envoyproxy/envoy:v1.40.0"},
        {"version": "1.39.0"},
        {"elsewhere": True},
        {"directory": "config"},
        {"command": ("envoy", "--mode", "validate")},
    ],
)
def test_other_commands_make_a_difference(change: dict[str, Any]) -> None:
    assert names(check(), replace(check(OTHER), **change)) == ["web-1", "shop-2"]


@pytest.mark.parametrize(
    "change", [{"version": None}, {"command": ("exporter",)}, {"validated_files": ("a",)}]
)
def test_only_validations_of_own_folders_have_equivalents(change: dict[str, Any]) -> None:
    assert len(names(*(replace(one, **change) for one in (check(), check(OTHER))))) == 2


def test_readable_files_are_compared() -> None:
    both = check(), check(OTHER)
    key, other_key = File("web-1/own.key", b"\xff1"), File("shop-2/own.key", b"\xff1")
    assert names(*both, files=[key]) == ["web-1", "shop-2"]
    assert names(*both, files=[key, other_key]) == ["web-1", "shop-2"]  # not a text
    assert names(*both, files=[File("web-1/a", b"a"), File("shop-2/a", b"a")]) == ["shop-2"]
    assert names(*both, files=[File("web-1/a", b"a"), File("shop-2/a", b"b")]) == ["web-1", "shop-2"]
    assert names(*both, files=[File("other/a", b"a")]) == ["shop-2"]


def test_issued_certificates_are_equivalent() -> None:
    files = [File("web-1/certs/tls.crt", b"1"), File("shop-2/certs/tls.crt", b"2")]
    assert names(check(), check(OTHER), files=files, issued=files) == ["shop-2"]
    assert names(check(), check(OTHER), files=files[:1], issued=files[:1]) == ["web-1", "shop-2"]


def run_all(checks: Sequence[Check], output: str, folder: Path) -> tuple[list[str], list[str]]:
    """Return the names of the checks that ran, with an Envoy that ends with `output`, and those that have a finding."""
    ran = []

    def runner(command: Sequence[str], folder: Path | None = None, timeout: float = 60) -> CommandResult:
        if "--version" in command:
            return CommandResult(0, VERSION, "")
        ran.append(command[-1].partition("/")[0])
        return CommandResult(0, output, "") if "OK" in output else CommandResult(1, "", output)

    found = []
    try:
        run_distinct_checks(checks, [], [], folder, {}, [], False, runner)
    except ConfigRefused as error:
        found = [one.check for one in error.findings]
    return sorted(ran), found


def test_a_fault_is_found_in_each_configuration(tmp_path: Path) -> None:
    both = [check(), check(OTHER)]
    assert run_all(both, "OK", tmp_path) == (["shop-2"], [])
    ran, found = run_all(both, "no such cluster", tmp_path)
    assert ran == ["shop-2", "shop-2", "web-1"]
    assert found
    elsewhere = [replace(one, elsewhere=True) for one in both]
    assert run_all(elsewhere, "Invalid path: /srv/a", tmp_path) == (["shop-2", "shop-2", "web-1"], [])
