# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test what containers need of the host: paths to mount, and the permission of a rootless daemon."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import CommandResult
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.host_checks import check_host
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Mount, Port, Workload


class Daemon:
    """A docker command whose daemon has security options."""

    def __init__(self, options: str) -> None:
        self.options = options
        self.commands: list[tuple[str, ...]] = []

    def run(self, *arguments: str) -> CommandResult:
        self.commands.append(arguments)
        return CommandResult(0, self.options, "")


def check(options: str, start: int, folder: Path, **workload: Any) -> Daemon:
    setting = folder / "sys" / "net" / "ipv4" / "ip_unprivileged_port_start"
    setting.parent.mkdir(parents=True)
    setting.write_text(f"{start}\n")
    daemon = Daemon(options)
    check_host(daemon, [Workload("edge", ("envoy",), **workload)], folder)  # type: ignore[arg-type]
    return daemon


ROOTLESS = "[name=seccomp,profile=builtin name=rootless name=cgroupns]"
LOW = {"ports": (Port(8080, 80),)}


def test_rootless_daemon_cannot_publish_port_80(tmp_path: Path) -> None:
    with pytest.raises(PlatformRefused) as caught:
        check(ROOTLESS, 1024, tmp_path, **LOW)
    assert str(caught.value) == (
        "port 80: a rootless Docker daemon cannot publish ports below 1024. Choose another port, or run as root:"
        " sysctl -w net.ipv4.ip_unprivileged_port_start=80"
    )


@pytest.mark.parametrize(
    ("options", "start", "workload"),
    [("[name=seccomp]", 1024, LOW), (ROOTLESS, 80, LOW), (ROOTLESS, 1024, {"ports": (Port(80, 8080),)})],
    ids=["root", "setting", "port of the container"],
)
def test_other_daemon_or_port_is_accepted(
    tmp_path: Path, options: str, start: int, workload: dict[str, Any]
) -> None:
    check(options, start, tmp_path, **workload)


def test_usual_ports_need_no_process(tmp_path: Path) -> None:
    assert check(ROOTLESS, 1024, tmp_path, ports=(Port(8080, 8080),)).commands == []


def test_missing_path_of_the_host_is_refused(tmp_path: Path) -> None:
    path = f"{tmp_path}/missing"
    with pytest.raises(
        PlatformRefused, match=f"edge: {path} does not exist, so the container cannot connect"
    ):
        check("", 1024, tmp_path, mounts=(Mount(path, path), Mount("edge", "/etc/envoy/edge")))
