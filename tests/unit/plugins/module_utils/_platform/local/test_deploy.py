# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The deployer of processes, without a supervisord that runs."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    AppliedChanges,
    DeploymentSpec,
    PlatformRefused,
    PlatformUnavailable,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.deploy import LocalDeployer
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.documents import supervisord_conf
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Port, Workload

A, B = (Workload(name=name, command=("sleep", "9")) for name in "ab")


def deployer(folder: Path, *workloads: Workload, supervisord: str = "sh") -> LocalDeployer:
    return LocalDeployer(DeploymentSpec("d", folder, workloads, supervisord=supervisord))


def test_all_programs_start_without_a_supervisord(tmp_path: Path) -> None:
    (tmp_path / "supervisord.conf").write_text(supervisord_conf("d", [A]))
    local = deployer(tmp_path, A, B)
    assert local.predict(supervisord_conf("d", [A, B])) == AppliedChanges(started=("a", "b"))
    assert local.running_workloads() == ()
    assert not local.is_deployed()


def test_processes_need_no_images(tmp_path: Path) -> None:
    local = deployer(tmp_path, A)
    assert local.missing_images() == ()
    assert local.config_targets() == {}
    assert local.location() == "local"


def test_logs_count_as_a_deployment(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    assert deployer(tmp_path).is_deployed()
    assert deployer(tmp_path).remove_all() == ()
    assert not deployer(tmp_path).is_deployed()


def test_long_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlatformRefused, match=r"but a Unix socket allows 96\. Choose a shorter folder"):
        deployer(tmp_path / ("x" * 100)).preflight()


def test_used_port_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        workload = Workload(name="a", command=("sleep", "9"), ports=(Port(port),))
        with (
            closing(deployer(tmp_path, workload)) as one,
            pytest.raises(PlatformRefused, match=f"port {port} of a is used by process"),
        ):
            one.preflight()


def test_missing_executables_are_named_once(tmp_path: Path) -> None:
    workloads = [Workload(name=name, command=("/no/envoy",)) for name in ("a", "b")]
    with pytest.raises(PlatformUnavailable) as error:
        deployer(tmp_path, *workloads, supervisord="/no/supervisord").preflight()
    assert str(error.value) == (
        "supervisord cannot be started: /no/supervisord does not exist. Install it, or correct its path;"
        " a cannot be started: /no/envoy does not exist. Install it, or correct its path"
    )


def test_executable_in_the_folder_is_not_checked(tmp_path: Path) -> None:
    deployer(tmp_path, Workload(name="a", command=("./server",))).preflight()
