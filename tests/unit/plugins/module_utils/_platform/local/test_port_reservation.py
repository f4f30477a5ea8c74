# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the reservation of ports between deployments at the same moment."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.host_ports import (
    HOT_RESTART,
    NeededPort,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.port_reservation import (
    PortReservations,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="abstract Unix sockets exist on Linux only")
# A number that no port has, so that the test does not disturb a deployment.
PORT = 70_001


@pytest.fixture
def first() -> Iterator[PortReservations]:
    reservations = PortReservations()
    reservations.reserve(
        [NeededPort("edge", PORT), NeededPort("edge", PORT), NeededPort("dns", PORT, protocol="udp")]
    )
    yield reservations
    reservations.release()


def test_port_of_a_concurrent_deployment_is_refused(first: PortReservations) -> None:
    second = PortReservations()
    with pytest.raises(
        PlatformRefused, match=rf"port {PORT} of web: another deployment .* another block of ports"
    ):
        second.reserve([NeededPort("web", PORT)])
    second.release()


def test_released_port_can_be_reserved_again(first: PortReservations) -> None:
    first.release()
    second = PortReservations()
    second.reserve([NeededPort("web", PORT)])
    second.release()


@pytest.mark.parametrize(
    ("held", "needed", "is_refused"),
    [
        ("127.0.0.2", "127.0.0.3", False),
        ("127.0.0.2", "127.0.0.2", True),
        ("0.0.0.0", "127.0.0.2", True),
        ("127.0.0.2", "0.0.0.0", True),
        ("::1", "127.0.0.1", False),
    ],
)
def test_addresses_conflict_as_those_of_listeners(held: str, needed: str, is_refused: bool) -> None:
    first, second = PortReservations(), PortReservations()
    first.reserve([NeededPort("edge", PORT, held)])
    try:
        if is_refused:
            with pytest.raises(PlatformRefused):
                second.reserve([NeededPort("web", PORT, needed)])
        else:
            second.reserve([NeededPort("web", PORT, needed)])
    finally:
        first.release()
        second.release()


def test_one_of_two_reservations_at_the_same_moment_succeeds() -> None:
    start = threading.Barrier(2)

    def reserve() -> PortReservations | None:
        own = PortReservations()
        start.wait(timeout=60)
        try:
            own.reserve([NeededPort("edge", PORT)])
        except PlatformRefused:
            return None
        return own

    with ThreadPoolExecutor(2) as pool:
        for _round in range(20):
            held = [one for one in pool.map(lambda _number: reserve(), range(2)) if one]
            assert len(held) == 1
            held[0].release()


def test_base_id_of_a_concurrent_deployment_is_refused() -> None:
    first, second = PortReservations(), PortReservations()
    first.reserve([NeededPort("edge", PORT, "", HOT_RESTART)])
    second.reserve([NeededPort("web", PORT)])
    with pytest.raises(PlatformRefused, match=f"base id {PORT} of front: another deployment"):
        second.reserve([NeededPort("front", PORT, "", HOT_RESTART)])
    first.release()
    second.release()
