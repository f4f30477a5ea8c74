# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports of this host that are in use, from prepared tables and from sockets of this process."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.host_ports import (
    HOT_RESTART,
    Connection,
    Listener,
    NeededPort,
    conflict_text,
    conflicts,
    connections,
    describe,
    is_closing,
    listens,
    parse_connections,
    parse_table,
    used_ports,
)

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
TCP = (
    HEAD
    + "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4242 1\n"
    + "   1: 0100007F:1F91 0100007F:0050 01 00000000:00000000 00:00000000 00000000  1000        0 4243 1\n"
)
TCP6 = (
    HEAD
    + "   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 7 1\n"
    + "   1: 0000000000000000FFFF00000100007F:1F92 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 8 1\n"
)
UDP = (
    HEAD
    + "   0: 00000000:23A5 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 99 2 0 0\n"
)


def test_kernel_tables_are_parsed() -> None:
    assert parse_table(TCP, "tcp") == [Listener(8080, "127.0.0.1", "tcp", 1000, 4242)]
    assert [one.address for one in parse_table(TCP6, "tcp")] == ["::1", "::ffff:7f00:1"]
    assert parse_table(UDP, "udp") == [Listener(9125, "0.0.0.0", "udp", 0, 99)]


def test_half_closed_connection_is_in_use(tmp_path: Path) -> None:
    waiting = "   2: 0000000000000000FFFF00000100007F:1F91 0000000000000000FFFF00000100007F:0051 08 0:0 00:0 0 0 0 9 1\n"
    assert parse_connections(TCP) == [Connection(("127.0.0.1", 8081), ("127.0.0.1", 80), 4243)]
    assert parse_connections(TCP6 + waiting) == [Connection(("127.0.0.1", 8081), ("127.0.0.1", 81), 9)]
    net = tmp_path / "7" / "net"
    net.mkdir(parents=True)
    (net / "tcp").write_text(TCP)
    (net / "tcp6").write_text(TCP6 + waiting)
    assert [connections(7, {port}, tmp_path) for port in (8080, 8081)] == [0, 2]
    assert connections(8, {8081}, tmp_path) is None


@pytest.mark.parametrize(
    ("needed", "used", "expected"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "0.0.0.0", True),
        ("127.0.0.1", "::", True),
        ("0.0.0.0", "192.0.2.1", True),
        ("127.0.0.1", "192.0.2.1", False),
        ("127.0.0.1", "::1", False),
        ("::1", "0.0.0.0", False),
        ("::", "127.0.0.1", True),
        ("127.0.0.1", "::ffff:127.0.0.1", True),
        ("localhost", "192.0.2.1", True),  # no IP address: counts as a conflict
    ],
)
def test_addresses_conflict_as_in_the_kernel(needed: str, used: str, expected: bool) -> None:
    assert conflicts(NeededPort("a", 80, needed), Listener(80, used)) is expected


def test_other_port_or_protocol_does_not_conflict() -> None:
    assert not conflicts(NeededPort("a", 80), Listener(81, "0.0.0.0"))
    assert not conflicts(NeededPort("a", 80, protocol="udp"), Listener(80, "0.0.0.0", "tcp"))


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_port_of_this_process_is_found(protocol: str) -> None:
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as listener_socket:
        listener_socket.bind(("127.0.0.1", 0))
        if protocol == "tcp":
            listener_socket.listen()
        needed = NeededPort("a", listener_socket.getsockname()[1], protocol=protocol)
        ((found, listener),) = used_ports([needed])
        assert found == needed
        assert describe(listener).startswith(f"process {os.getpid()} (")
    assert used_ports([needed]) == []


def test_port_is_bound_where_proc_is_missing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener_socket:
        needed = NeededPort("a", listener_socket.getsockname()[1])
        ((found, listener),) = used_ports([needed], tmp_path)
        assert (found, listener.inode, describe(listener)) == (needed, 0, "another process")
    assert used_ports([needed], tmp_path) == []


def test_listener_is_found_in_the_network_of_a_process(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener_socket:
        port = listener_socket.getsockname()[1]
        assert listens(os.getpid(), port) is True
    assert listens(os.getpid(), port) is False
    assert listens(os.getpid(), port, tmp_path) is None


def test_socket_without_process_is_closing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener_socket:
        ((_found, listener),) = used_ports([NeededPort("a", listener_socket.getsockname()[1])])
        assert not is_closing(listener)
    assert is_closing(Listener(80, "0.0.0.0", uid=os.getuid(), inode=2**62))
    # Without /proc the inode is unknown.
    assert not is_closing(Listener(80, "0.0.0.0"))


def test_invisible_process_is_described_by_its_user() -> None:
    assert describe(Listener(80, "0.0.0.0", uid=33, inode=2**62)) == "a process of user 33"


def test_conflict_text_names_at_most_three_workloads() -> None:
    edge = {NeededPort("edge", port, "127.0.0.1", "tcp"): "process 12 (envoy)" for port in (8080, 8443)}
    assert conflict_text(edge) == (
        "ports 8080, 8443 of edge are used by process 12 (envoy). Stop it, or choose another port"
    )
    many = {NeededPort(f"web-{port}", port, "127.0.0.1", "tcp"): "another process" for port in range(1, 6)}
    assert conflict_text(many).startswith("port 1 of web-1 is used by another process; port 2 of web-2")
    assert "; ports of 2 more workloads are used too. Stop it" in conflict_text(many)


def test_base_id_of_a_running_envoy_is_in_use(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text(HEAD)
    # Envoy pads the name with zero bytes, which the kernel shows as `@`.
    (tmp_path / "net" / "unix").write_text(
        "Num       RefCount Protocol Flags    Type St Inode Path\n"
        f"0000000084d19151: 00000002 00000000 00000000 0002 01 4242 @envoy_domain_socket_parent_313990{'@' * 70}\n"
    )
    edge = NeededPort("edge", 31399, "", HOT_RESTART)
    needed = [edge, NeededPort("web", 31398, "", HOT_RESTART), NeededPort("web", 31399)]
    assert used_ports(needed, tmp_path) == [(edge, Listener(31399, "", HOT_RESTART, inode=4242))]
    assert conflict_text({edge: "another Envoy"}) == (
        "base id 31399 of edge is used by another Envoy. Stop it, or choose another block of ports (ports: in the demo file)"
    )
