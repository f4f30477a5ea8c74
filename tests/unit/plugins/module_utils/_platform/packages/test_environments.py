# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the environments with packages on a host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.python_environment import (
    PackagesFailed,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.packages import environments
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Packages, Workload


def workloads(folder: Path) -> list[Workload]:
    packages = Packages("six==1\n", "python3", str(folder / "packages-1"))
    return [
        Workload("web-1", ("p",), group="web", packages=packages),
        Workload("web-2", ("p",), group="web", packages=packages),
        Workload("edge", ("envoy",)),
    ]


def test_each_environment_is_created_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    created: list[Any] = []
    monkeypatch.setattr(environments, "create_environment", lambda *arguments: created.append(arguments))
    assert environments.missing_environments(workloads(tmp_path)) == (f"{tmp_path}/packages-1",)
    environments.create_environments(workloads(tmp_path), [f"{tmp_path}/packages-1"])
    assert created == [(tmp_path / "packages-1", "six==1\n", "python3")]


def test_unusable_environment_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "packages-1" / "bin").mkdir(parents=True)
    monkeypatch.setattr(environments, "create_environment", lambda target, *_rest: target.mkdir())
    environments.create_environments(workloads(tmp_path), [f"{tmp_path}/packages-1"])
    assert list((tmp_path / "packages-1").iterdir()) == []


def test_failure_names_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: Any) -> None:
        raise PackagesFailed("no space left.")

    monkeypatch.setattr(environments, "create_environment", fail)
    with pytest.raises(
        PlatformRefused,
        match=r"services.web.server.packages: the packages cannot be installed: no space left\Z",
    ):
        environments.create_environments(workloads(tmp_path), [f"{tmp_path}/packages-1"])


def test_program_of_the_preflight_exists_before(tmp_path: Path) -> None:
    web, _second, edge = workloads(tmp_path)
    assert (environments.existing_program(web), environments.existing_program(edge)) == ("python3", "envoy")
