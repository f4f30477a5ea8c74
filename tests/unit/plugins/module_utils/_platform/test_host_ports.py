# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who listens, and who is in whose way."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.host_ports import (
    Listener,
    Wanted,
    complaint,
    describe,
    in_the_way,
    is_going,
    listens,
    parse,
    taken,
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


def test_listeners_are_read_as_the_kernel_writes_them() -> None:
    assert parse(TCP, "tcp") == [Listener(8080, "127.0.0.1", "tcp", 1000, 4242)]
    assert [one.address for one in parse(TCP6, "tcp")] == ["::1", "::ffff:7f00:1"]
    assert parse(UDP, "udp") == [Listener(9125, "0.0.0.0", "udp", 0, 99)]


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
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
        ("localhost", "192.0.2.1", True),  # not an address: rather one question too many
    ],
)
def test_addresses_are_in_each_others_way(mine: str, theirs: str, expected: bool) -> None:
    assert in_the_way(Wanted("a", 80, mine), Listener(80, theirs)) is expected


def test_other_ports_and_protocols_are_not() -> None:
    assert not in_the_way(Wanted("a", 80), Listener(81, "0.0.0.0"))
    assert not in_the_way(Wanted("a", 80, protocol="udp"), Listener(80, "0.0.0.0", "tcp"))


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_port_that_this_process_has_is_taken_by_it(protocol: str) -> None:
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as mine:
        mine.bind(("127.0.0.1", 0))
        if protocol == "tcp":
            mine.listen()
        wanted = Wanted("a", mine.getsockname()[1], protocol=protocol)
        ((found, listener),) = taken([wanted])
        assert found == wanted
        assert describe(listener).startswith(f"process {os.getpid()} (")
    assert taken([wanted]) == []


def test_without_proc_a_port_is_tried(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mine:
        wanted = Wanted("a", mine.getsockname()[1])
        ((found, listener),) = taken([wanted], tmp_path)
        assert (found, listener.inode, describe(listener)) == (wanted, 0, "another process")
    assert taken([wanted], tmp_path) == []


def test_a_port_of_a_network_is_seen_through_a_process_in_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mine:
        port = mine.getsockname()[1]
        assert listens(os.getpid(), port) is True
    assert listens(os.getpid(), port) is False
    assert listens(os.getpid(), port, tmp_path) is None


def test_a_port_that_nobody_has_any_more_is_going() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mine:
        ((_found, listener),) = taken([Wanted("a", mine.getsockname()[1])])
        assert not is_going(listener)
    assert is_going(Listener(80, "0.0.0.0", uid=os.getuid(), inode=2**62))
    # Where there is no /proc, and so no inode, nobody knows.
    assert not is_going(Listener(80, "0.0.0.0"))


def test_who_has_a_port_may_be_unknown() -> None:
    assert describe(Listener(80, "0.0.0.0", uid=33, inode=2**62)) == "a process of user 33"


def test_a_complaint_is_one_sentence_however_many_ports_are_taken() -> None:
    edge = {Wanted("edge", port, "127.0.0.1", "tcp"): "process 12 (envoy)" for port in (8080, 8443)}
    assert complaint(edge) == (
        "ports 8080, 8443 of edge are taken by process 12 (envoy): stop it, or choose another port"
    )
    many = {Wanted(f"web-{port}", port, "127.0.0.1", "tcp"): "another process" for port in range(1, 6)}
    assert complaint(many).startswith("port 1 of web-1 is taken by another process; port 2 of web-2")
    assert "; so are those of 2 more workloads: stop it" in complaint(many)
