# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The planning context: all input of the planner that is not in the demo file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.deployment_record import (
    HIGHEST_PORT,
    LOWEST_BLOCK,
    DeploymentRecord,
    RecordError,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError, check_known
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.clusters import is_ip

LOOPBACK = "127.0.0.1"
# Wildcard bind addresses, and the address that reaches a program that listens on them.
WILDCARDS = {"0.0.0.0": LOOPBACK, "::": "::1"}
# What errors call the context, which is not in the demo file.
CONTEXT = "context"
# The name of the host of a demo that runs on one host.
DEFAULT_HOST = "default"


# Path of the authorities that the system trusts, on Debian and in Envoy's official images.
DEFAULT_SYSTEM_CA = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True)
class Program:
    """A program, as a container image and as an executable. `version` is set only if the plan must verify it."""

    image: str = ""
    executable: str = ""
    version: str = ""


@dataclass(frozen=True)
class Host:
    """One host of the demo. Published ports bind to `address`."""

    name: str
    address: str

    @property
    def reachable_address(self) -> str:
        """The address by which users and other hosts reach the published ports of this host."""
        return WILDCARDS.get(self.address, self.address)


@dataclass(frozen=True)
class Context:
    """The planning context. docs/architecture.md describes each key."""

    platform: str
    folder: str
    bind: str = LOOPBACK
    envoy: Program = Program()
    python: Program = Program()
    statsd_exporter: Program = Program()
    supervisord: Program = Program()
    system_ca: str = DEFAULT_SYSTEM_CA  # path of the authorities that the system of the host trusts
    app: str = ""  # source text of the demo app; empty if an image contains it
    app_image: str = ""  # image that contains the demo app
    mappings: Mapping[str, Any] = field(default_factory=dict)  # default mappings of statsd_exporter, by style
    cache: str = (
        "~/.cache/meshlab.envoy"  # path of the folder on the host for installed programs and packages
    )
    registry: str = ""  # registry that built images are pushed to
    network: str = ""  # name of an existing container network to join
    kubernetes: Mapping[str, Any] = field(
        default_factory=dict
    )  # see kubernetes/manifests/cluster_settings.py
    # `context` and `namespace` of a kubeconfig, for the commands that users type
    cluster: Mapping[str, str] = field(default_factory=dict)
    edge: str = "envoy"  # what a cluster uses in front of a demo: its edge proxies, or Services
    mesh: str = ""  # service mesh of the cluster, whose proxies replace those of the demo
    replicas: Mapping[str, Any] = field(default_factory=dict)  # checked together with the demo
    change: str = ""
    # A load on the running demo, in place of its traffic and its expectations: `to`, `rate`, `for`, and optionally `path` and `expect`
    load: Mapping[str, Any] = field(default_factory=dict)
    selinux_relabel: bool = False  # docker: whether mounts get the label that containers can read
    start_at_boot: bool = False  # local: whether a systemd user unit starts the demo
    hosts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # address by name of the host
    placement: Mapping[str, str] = field(default_factory=dict)  # name of the host by group or instance
    # What the deployment folder records of the deployment, and what module deployment_info returns about the ports of the host
    deployed: DeploymentRecord = field(default_factory=DeploymentRecord)
    used_ports: tuple[int, ...] = ()
    free_block: int = 0  # the first of 100 free ports, for a demo that states no `ports`
    # local: whether the kernel gives the connections of a socket that is closed to another socket of its port
    migrates_connections: bool = False

    def all_hosts(self) -> dict[str, Host]:
        """Return the hosts by name, the default host first. Without `hosts` there is one, whose address is `bind`."""
        if not self.hosts:
            return {DEFAULT_HOST: Host(DEFAULT_HOST, self.bind)}
        return {name: Host(name, str(one["address"])) for name, one in self.hosts.items()}


PROGRAMS = tuple(one.name for one in fields(Context) if one.type == "Program")
SWITCHES = tuple(one.name for one in fields(Context) if one.type == "bool")
MAPPINGS = tuple(one.name for one in fields(Context) if one.type.startswith("Mapping"))


def read_context(data: Mapping[str, Any], platforms: Iterable[str]) -> Context:
    """Return the context that `data` describes. A key that is missing or null has its default.

    Args:
        data: The keys of `Context`.
        platforms: Names of the known platforms.

    Raises:
        DemoError: A key is unknown, missing or has a wrong value.
    """
    _check_mapping(data, CONTEXT)
    _check_keys(data, [one.name for one in fields(Context)], CONTEXT)
    values = {key: value for key, value in data.items() if value is not None}
    for key in ("platform", "folder"):
        if not values.get(key):
            raise DemoError(CONTEXT, f"{key}: missing. Add the key.")
    check_known(values["platform"], platforms, CONTEXT, "platform", "platform")
    for key, value in values.items():
        where = f"{CONTEXT}.{key}"
        if key in PROGRAMS:
            values[key] = _program(value, where)
        elif key in MAPPINGS:
            _check_mapping(value, where)
        elif key in SWITCHES:
            if not isinstance(value, bool):
                raise DemoError(where, f"expected true or false, got '{value}'.")
        elif key == "deployed":
            values[key] = _record(value, where)
        elif key == "used_ports":
            values[key] = _ports(value, where)
        elif key == "free_block":
            _check_port(value, where, 0, LOWEST_BLOCK)
        elif not isinstance(value, str):
            raise DemoError(where, f"expected text, got '{value}'.")
    context = Context(**values)
    _check_address(context.bind, f"{CONTEXT}.bind")
    _check_hosts(context)
    return context


def check_context_keys(data: Mapping[str, Any], known: Iterable[str], key: str) -> None:
    """Raise DemoError for an unknown key in the mapping `key` of the context."""
    _check_keys(data, known, f"{CONTEXT}.{key}")


def check_context_choice(value: str, choices: Iterable[str], key: str, kind: str) -> None:
    """Raise DemoError if the value of `key` in the context is not one of `choices`."""
    check_known(value, choices, CONTEXT, key, kind)


def _check_hosts(context: Context) -> None:
    for name, host in context.hosts.items():
        where = f"{CONTEXT}.hosts.{name}"
        _check_mapping(host, where)
        _check_keys(host, ["address"], where)
        _check_address(str(host.get("address", "")), f"{where}.address")
    for name, host_name in context.placement.items():
        check_known(host_name, context.all_hosts(), CONTEXT, f"placement.{name}", "host")


def _check_address(address: str, where: str) -> None:
    if not is_ip(address):
        raise DemoError(where, f"expected an IP address, such as 127.0.0.1 or 0.0.0.0, got '{address}'.")


def _program(data: Any, where: str) -> Program:
    _check_mapping(data, where)
    _check_keys(data, [one.name for one in fields(Program)], where)
    return Program(**{key: str(value) for key, value in data.items() if value is not None})


def _record(data: Any, where: str) -> DeploymentRecord:
    try:
        return DeploymentRecord.read(data)
    except RecordError as error:
        raise DemoError(where, f"{error}. Use the value that module deployment_info returns.") from None


def _ports(data: Any, where: str) -> tuple[int, ...]:
    if not isinstance(data, (list, tuple)):
        raise DemoError(where, f"expected a list, got '{data}'.")
    for one in data:
        _check_port(one, where, 1)
    return tuple(data)


def _check_port(value: Any, where: str, *lowest: int) -> None:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if not is_number or not (value in lowest or lowest[-1] <= value <= HIGHEST_PORT):
        raise DemoError(where, f"expected a number from {lowest[-1]} to {HIGHEST_PORT}, got '{value}'.")


def _check_mapping(value: Any, where: str) -> None:
    if not isinstance(value, Mapping):
        raise DemoError(where, f"expected a mapping, got '{value}'.")


def _check_keys(data: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    for key in data:
        check_known(str(key), known, where, "", "key")
