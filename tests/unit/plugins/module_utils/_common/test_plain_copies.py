# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the copies of plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.plain_copies import copied, plain_fields


@dataclass(frozen=True)
class Port:
    """A nested dataclass."""

    number: int
    peers: tuple[str, ...] = ()


@dataclass(frozen=True)
class App:
    """A dataclass with each kind of value."""

    name: str
    ports: tuple[Port, ...]
    environment: dict[str, Any]
    probe: Port | None = None


APP = App("web", (Port(80, ("edge",)), Port(81)), {"a": ["b", {"c": 1}]}, Port(82))


def test_copy_shares_no_mutable_data() -> None:
    shared = {"x": [1]}
    data = {"a": shared, "b": [shared, (shared,)], "c": None}
    found = copied(data)
    assert found == data
    shared["x"].append(2)
    assert found == {"a": {"x": [1]}, "b": [{"x": [1]}, ({"x": [1]},)], "c": None}


def test_copy_keeps_other_types() -> None:
    data = {"port": Port(80), "set": {1}}
    assert copied(data) == data
    assert copied(data)["set"] is not data["set"]


def test_fields_are_those_of_asdict_with_lists() -> None:
    expected = asdict(APP)
    expected["ports"] = [{"number": 80, "peers": ["edge"]}, {"number": 81, "peers": []}]
    expected["probe"]["peers"] = []
    assert plain_fields(APP) == expected
    assert list(plain_fields(APP)) == list(expected)


def test_fields_share_no_mutable_data() -> None:
    assert plain_fields(APP)["environment"] is not APP.environment
