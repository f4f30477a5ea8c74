# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the permission to bind ports below 1024, with the files of a proc file system."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._platform import host_ports
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.host_ports import NeededPort
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local import privileged_ports
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload

EDGE = {"edge": Workload("edge", ("true",))}


def make_proc(folder: Path, start: str = "1024", capabilities: str = "0000000000000000") -> Path:
    """Return the mount point of a proc file system with the setting and with the capabilities of this process."""
    setting = folder / "sys" / "net" / "ipv4" / "ip_unprivileged_port_start"
    setting.parent.mkdir(parents=True)
    setting.write_text(f"{start}\n")
    (folder / "self").mkdir()
    (folder / "self" / "status").write_text(f"Name:\tpython3\nCapEff:\t{capabilities}\n")
    return folder


def test_user_without_permission_is_refused_with_the_remedy(tmp_path: Path) -> None:
    needed = [NeededPort("edge", 8080), NeededPort("edge", 80)]
    assert privileged_ports.problem(needed, EDGE, make_proc(tmp_path)) == (
        "port 80 of edge: this user cannot bind ports below 1024. Choose another port, or run as root:"
        " sysctl -w net.ipv4.ip_unprivileged_port_start=80"
    )


@pytest.mark.parametrize(
    ("start", "capabilities"),
    [("80", "0"), ("0", "0"), ("1024", "400"), ("1024", "000001ffffffffff")],
    ids=["setting", "setting of all ports", "capability", "root"],
)
def test_permission_allows_port_80(tmp_path: Path, start: str, capabilities: str) -> None:
    proc = make_proc(tmp_path, start, capabilities)
    assert privileged_ports.problem([NeededPort("edge", 80)], EDGE, proc) == ""


def test_port_below_the_setting_is_refused(tmp_path: Path) -> None:
    proc = make_proc(tmp_path, "80", "fffffbff")
    assert "below 80" in privileged_ports.problem([NeededPort("edge", 79)], EDGE, proc)


def test_capability_of_the_executable_allows_the_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getxattr", lambda _path, name: b"1" if name == "security.capability" else b"")
    assert privileged_ports.problem([NeededPort("edge", 80)], EDGE, make_proc(tmp_path)) == ""


def test_host_without_the_setting_has_the_usual_limit(tmp_path: Path) -> None:
    assert host_ports.unprivileged_start(tmp_path) == 1024


def test_host_without_proc_allows_root_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert privileged_ports.can_bind_all(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert not privileged_ports.can_bind_all(tmp_path)
