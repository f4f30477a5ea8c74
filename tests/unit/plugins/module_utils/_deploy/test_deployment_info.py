# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of deployment_info: the record of a folder, ports in use and a free block."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.deployment_record import (
    DeploymentRecord,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import state_file
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.deployment_info import (
    FREE_BLOCKS,
    free_block,
    migrates_connections,
    perform,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.host_ports import numbers_in_use


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home that differs from that in the user database."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_record_is_that_of_the_folder_below_home(home: Path) -> None:
    folder = home / "state" / "shop"
    folder.mkdir(parents=True, mode=0o700)
    record = DeploymentRecord(20000, {"edge/admin": 20001})
    state_file.save(folder, state_file.FolderState(deployed=record))
    found = perform({"folder": "~/state/shop"}, check_mode=False)
    assert found["deployed"] == record.to_dict()
    assert not found["changed"]


def test_folder_that_does_not_exist_has_an_empty_record(home: Path) -> None:
    found = perform({"folder": "~/missing"}, check_mode=True)
    assert found["deployed"] == DeploymentRecord().to_dict()
    assert list(home.iterdir()) == []


def test_modified_record_fails_with_the_path(home: Path) -> None:
    (home / ".files.json").write_text(json.dumps({"deployed": {"ports": {"edge/http": 0}}}))
    (home / ".files.json").chmod(0o600)
    found = perform({"folder": "~"}, check_mode=False)
    assert found["failed"]
    assert f"{home}/.files.json: deployed.ports.edge/http: expected a number" in found["msg"]


def test_listening_port_is_in_use(home: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert listener.getsockname()[1] in perform({"folder": str(home)}, check_mode=False)["used_ports"]


def test_base_id_of_an_envoy_is_in_use(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "unix").write_text(
        "Num       RefCount Protocol Flags    Type St Inode Path\n"
        "0000: 00000002 00000000 00000000 0002 01 4242 @envoy_domain_socket_udp_parent_180131@@@@\n"
        "0000: 00000002 00000000 00000000 0002 01 4243 @envoy_domain_socket_child_0\n"
    )
    assert numbers_in_use(tmp_path) == {18013}


@pytest.mark.parametrize(("content", "migrates"), [("0\n", False), ("1\n", True), (None, False)])
def test_setting_of_the_kernel_is_read(tmp_path: Path, content: str | None, migrates: bool) -> None:
    setting = tmp_path / "tcp_migrate_req"
    if content is not None:
        setting.write_text(content)
    assert migrates_connections(setting) is migrates


def test_free_block_has_no_port_in_use() -> None:
    first = free_block("/state/shop", set())
    assert first in FREE_BLOCKS
    assert free_block("/state/shop", {first - 1, first + 100}) == first
    taken = {first, first + 199}
    assert free_block("/state/shop", taken) not in (first, first + 100)
    assert free_block("/state/other", set()) != first
    assert free_block("/state/shop", set(FREE_BLOCKS)) == 0
