# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requirements of the controller: one pinned version of each package for each Python."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]


def pins(file: str, python: str) -> dict[str, list[str]]:
    """Return the versions of each package that a requirements file installs with a Python."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / "requirements" / file).read_text(encoding="utf-8").splitlines():
        if not line or line.startswith(("#", "-")):
            continue
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"python_version": python}):
            [specifier] = requirement.specifier
            assert specifier.operator == "=="
            found.setdefault(requirement.name, []).append(specifier.version)
    return found


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize(("file", "package"), [("demo.txt", "ansible-core"), ("docker.txt", "ansible")])
def test_each_python_has_one_version_of_ansible(file: str, package: str, python: str) -> None:
    [version] = pins(file, python)[package]
    [oldest] = pins(file, "3.11")[package]
    assert (Version(version) > Version(oldest)) == (python != "3.11")


def test_oldest_ansible_core_is_the_oldest_supported() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    [version] = pins("demo.txt", "3.11")["ansible-core"]
    supported = SpecifierSet(runtime["requires_ansible"])
    assert Version(version) in supported
    # The previous minor version is not supported, so the tests with this version cover the whole range.
    minor = Version(version).minor
    assert Version(f"2.{minor - 1}.99") not in supported
