# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of a deployment: what a plan decided and a later plan must not decide differently.

It is a file of the deployment folder, so it is untrusted input: types, names and ranges are checked when it is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

HIGHEST_PORT = 65535
LOWEST_BLOCK = 1024
# The restart epoch of Envoy is a number of 32 bits.
HIGHEST_GENERATION = 2**32 - 1
MOST_THREADS = 1024
MOST_ENTRIES = HIGHEST_PORT

_WORKLOAD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,252}")
# <instance>/<name of the port>. The name of a listener can have any printable character.
_PORT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,252}/[^\x00-\x1f\x7f]{1,512}")
_CHANGE = re.compile(r"(?:[a-z0-9_-]{1,64}(?:/[1-9][0-9]{0,3})?)?")
_DIGEST = re.compile(r"[0-9a-f]{0,64}")
# <address>:<port of the host>:<port in the network>, with /udp at the end, as compose.yaml has it.
_PUBLISHED = re.compile(r"(?:[0-9.]{7,15}|\[[0-9a-f:.]{2,45}\])(?::[1-9][0-9]{0,4}){2}(?:/udp)?")


class RecordError(ValueError):
    """A record with a wrong value: the key and the problem, without the file and the remedy."""


@dataclass(frozen=True)
class DeployedWorkload:
    """One workload of a record: the generation that runs, and the digest of what it read at its start.

    `threads` is the number of worker threads of an Envoy, 0 for other programs.
    """

    generation: int = 0
    digest: str = ""
    threads: int = 0


@dataclass(frozen=True)
class DeployedNetwork:
    """The network of an instance: the digest of its definition, and its published ports, as in `127.0.0.1:8080:80`."""

    digest: str = ""
    published: tuple[str, ...] = ()


@dataclass(frozen=True)
class DeploymentRecord:
    """What a deployment decided.

    Attributes:
        block: The first port of the block of the demo. 0: unknown.
        ports: The number on the host of each port that the planner chose, by `<instance>/<name of the port>`.
        stated: The number on the host of each port whose number the demo states. They do not stay if the demo no longer states them.
        workloads: The workloads, by name.
        networks: Each network of an instance, by name, on a platform that can replace it only with its programs.
        change: The change that is merged over the demo, such as `canary`, or `canary/2` up to its second step. Empty: none.
        inner: The number in the network of its instance of each port whose number differs from that of the demo.

    Example:
        >>> record = DeploymentRecord.read({"ports": {"web-1/app": 20012}, "workloads": {"edge": {"generation": 2, "digest": "4f"}}})
        >>> record.ports["web-1/app"], record.workloads["edge"].generation
        (20012, 2)
        >>> DeploymentRecord.read({"ports": {"edge/http": "8080"}})
        Traceback (most recent call last):
          ...
        ansible_collections...RecordError: ports.edge/http: expected a number from 1 to 65535, got '8080'
    """

    block: int = 0
    ports: Mapping[str, int] = field(default_factory=dict)
    stated: Mapping[str, int] = field(default_factory=dict)
    workloads: Mapping[str, DeployedWorkload] = field(default_factory=dict)
    networks: Mapping[str, DeployedNetwork] = field(default_factory=dict)
    change: str = ""
    inner: Mapping[str, int] = field(default_factory=dict)

    @property
    def numbers(self) -> dict[str, int]:
        """All numbers on the host."""
        return {**self.ports, **self.stated}

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as `read` takes it."""
        found = asdict(self)
        for one in found["networks"].values():
            one["published"] = [*one["published"]]
        return found

    @classmethod
    def read(cls, data: Any) -> DeploymentRecord:
        """Return the record of data as `to_dict` returns it. A missing key has its default.

        Raises:
            RecordError: A key is unknown, or a name or a number is out of range.
        """
        _expect_mapping(data, "", ("block", "ports", "stated", "workloads", "networks", "change", "inner"))
        block = data.get("block", 0)
        if block != 0:
            _expect_number(block, "block", LOWEST_BLOCK, HIGHEST_PORT)
        workloads = _entries(data, "workloads", _WORKLOAD, "the name of a workload")
        networks = _entries(data, "networks", _WORKLOAD, "the name of a network")
        return cls(
            int(block),
            _numbers(data, "ports"),
            _numbers(data, "stated"),
            {name: _workload(name, one) for name, one in workloads.items()},
            {name: _network(name, one) for name, one in networks.items()},
            _change(data.get("change", "")),
            _numbers(data, "inner"),
        )


def _numbers(data: Mapping[str, Any], key: str) -> dict[str, int]:
    found = dict(_entries(data, key, _PORT, "<instance>/<port>"))
    for name, number in found.items():
        _expect_number(number, f"{key}.{name}", 1, HIGHEST_PORT)
    return found


def _change(value: Any) -> str:
    if not isinstance(value, str) or not _CHANGE.fullmatch(value):
        raise RecordError(f"change: expected the name of a change, got {_shown(value)}")
    return value


def _workload(name: str, data: Any) -> DeployedWorkload:
    where = f"workloads.{name}"
    _expect_mapping(data, where, ("generation", "digest", "threads"))
    generation, digest, threads = data.get("generation", 0), data.get("digest", ""), data.get("threads", 0)
    _expect_number(generation, f"{where}.generation", 0, HIGHEST_GENERATION)
    _expect_digest(digest, f"{where}.digest")
    _expect_number(threads, f"{where}.threads", 0, MOST_THREADS)
    return DeployedWorkload(generation, digest, threads)


def _network(name: str, data: Any) -> DeployedNetwork:
    where = f"networks.{name}"
    _expect_mapping(data, where, ("digest", "published"))
    digest, published = data.get("digest", ""), data.get("published", [])
    _expect_digest(digest, f"{where}.digest")
    if not isinstance(published, (list, tuple)) or len(published) > MOST_ENTRIES:
        raise RecordError(f"{where}.published: expected a list, got {_shown(published)}")
    for one in published:
        if not isinstance(one, str) or not _PUBLISHED.fullmatch(one):
            raise RecordError(
                f"{where}.published: expected a text such as 127.0.0.1:8080:80, got {_shown(one)}"
            )
    return DeployedNetwork(digest, tuple(published))


def _entries(data: Mapping[str, Any], key: str, name: re.Pattern[str], kind: str) -> Mapping[str, Any]:
    entries = data.get(key, {})
    if not isinstance(entries, Mapping):
        raise RecordError(f"{key}: expected a mapping, got {_shown(entries)}")
    if len(entries) > MOST_ENTRIES:
        raise RecordError(f"{key}: expected at most {MOST_ENTRIES} entries, got {len(entries)}")
    for one in entries:
        if not isinstance(one, str) or not name.fullmatch(one):
            raise RecordError(f"{key}: expected {kind} as a key, got {_shown(one)}")
    return entries


def _expect_mapping(data: Any, where: str, known: tuple[str, ...]) -> None:
    prefix = f"{where}: " if where else ""
    if not isinstance(data, Mapping):
        raise RecordError(f"{prefix}expected a mapping, got {_shown(data)}")
    for key in data:
        if key not in known:
            raise RecordError(f"{prefix}unknown key {_shown(key)}")


def _expect_number(value: Any, where: str, lowest: int, highest: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise RecordError(f"{where}: expected a number from {lowest} to {highest}, got {_shown(value)}")


def _expect_digest(value: Any, where: str) -> None:
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise RecordError(f"{where}: expected hexadecimal digits, got {_shown(value)}")


def _shown(value: Any) -> str:
    """Return the beginning of an untrusted value, without control characters."""
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
