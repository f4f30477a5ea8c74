# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who there is in a demo: the names of everything that runs, and of everything that listens.

A group is what a demo file names: a service, a proxy, the exporter. What runs for it are its instances: one for each
replica, or, where a platform makes the replicas of one description (`pods`), one for all. A slot is one thing of a group
that listens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import placeholders
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError, check_known
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import Demo
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.server_texts import PAGES, said
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.listeners import scheme

ADMIN = "admin"  # slot of a proxy's read-only admin listener
APP = "app"  # slot of a service's own port
EXPORTER = "statsd_exporter"  # group, and the name of its instance
EXPORTER_HTTP, EXPORTER_STATSD = "http", "statsd"  # slots of the exporter
# Ports that no demo states: the read-only admin's is next to Envoy's usual 9901, the exporter's are its own defaults.
ADMIN_PORT = 9902
ADMIN_LOOPBACK_PORT = 9901  # the admin's own, where it is no Unix socket
EXPORTER_HTTP_PORT, EXPORTER_STATSD_PORT = 9102, 9125


@dataclass(frozen=True)
class Proxy:
    """One Envoy to run: `group` is the service or proxy of the demo file, `name` this instance of it."""

    name: str
    group: str
    place: str  # sidecar | edge
    replica: int
    spec: Mapping[str, Any]

    @property
    def workload(self) -> str:
        return sidecar_workload(self.name) if self.place == "sidecar" else self.name

    @property
    def where(self) -> str:
        """Its key in the demo file."""
        return f"services.{self.group}.sidecar" if self.place == "sidecar" else f"proxies.{self.group}"


@dataclass(frozen=True)
class Slot:
    """One thing of `group` that listens: on port `stated`, reached by people on the host's port `publish`."""

    group: str
    name: str
    stated: int
    publish: int | None
    # People look at it even where no port was stated for them; and expectations at that of each replica.
    browsed: bool = False
    asked: bool = False


def proxies(demo: Demo, pods: bool) -> Iterator[Proxy]:
    """Yield all Envoys: sidecars in the order of the file, then the others."""
    for name, service in demo["services"].items():
        if service["sidecar"] is not None:
            for replica, instance in instances(demo, name, pods):
                yield Proxy(instance, name, "sidecar", replica, service["sidecar"])
    for name, spec in demo["proxies"].items():
        yield Proxy(name, name, "edge", 1, spec)


def instances(demo: Demo, group: str, pods: bool) -> list[tuple[int, str]]:
    """Return (replica, name) of what runs for `group`."""
    number = 1 if pods else replicas(demo, group)
    return [(replica, instance(demo, group, replica, pods)) for replica in range(1, number + 1)]


def instance(demo: Demo, group: str, replica: int, pods: bool) -> str:
    """Return the name of what runs for a replica of `group`, or would if there were that many."""
    return group if pods or group not in demo["services"] else f"{group}-{replica}"


def replicas(demo: Demo, group: str) -> int:
    """Return how many replicas `group` has; everything but a service has one."""
    return int(demo["services"][group]["replicas"]) if group in demo["services"] else 1


def sidecar_workload(instance: str) -> str:
    """Return the workload of the Envoy beside the app `instance`, whose network both share."""
    return f"{instance}-envoy"


def proxy_of(demo: Demo, group: str) -> Mapping[str, Any] | None:
    """Return the proxy that stands before `group`, or None."""
    service = demo["services"].get(group)
    found: Mapping[str, Any] | None = service["sidecar"] if service else demo["proxies"].get(group)
    return found


def listeners(demo: Demo, group: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the listeners of `group` by name; a service without a sidecar has none."""
    found: Mapping[str, Mapping[str, Any]] = (proxy_of(demo, group) or {}).get("listeners", {})
    return found


def server_ports(demo: Demo, group: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the ports of a service's own program, besides the service's, by name."""
    service = demo["services"].get(group)
    found: Mapping[str, Mapping[str, Any]] = ((service and service["server"]) or {}).get("ports", {})
    return found


def pages(demo: Demo, group: str) -> dict[str, tuple[str, str]]:
    """Return (format, path) of what expectations can ask a service's own program for, by slot."""
    service = demo["services"].get(group)
    if service is None or service["server"] is None:
        return {}
    return {
        slot: (form, spec[key])
        for slot, spec in {APP: service["server"], **server_ports(demo, group)}.items()
        for key, form in PAGES.items()
        if spec[key] is not None
    }


def has_metrics(demo: Demo, group: str, slot: str) -> bool:
    """Return whether a port of a service's own program has a page that Prometheus would read."""
    return pages(demo, group).get(slot, ("",))[0] == PAGES["metrics"]


def slots(demo: Demo) -> Iterator[Slot]:
    """Yield everything that listens, in the order of the file."""
    for name, service in demo["services"].items():
        asked = pages(demo, name)
        yield Slot(name, APP, service["port"], service["publish"], asked=APP in asked)
        for key, port in server_ports(demo, name).items():
            yield Slot(name, key, port["port"], port["publish"], asked=key in asked)
        if service["sidecar"] is not None:
            yield from _proxy_slots(name, service["sidecar"])
    for name, proxy in demo["proxies"].items():
        yield from _proxy_slots(name, proxy)
    if demo[EXPORTER] is not None:
        yield Slot(EXPORTER, EXPORTER_HTTP, EXPORTER_HTTP_PORT, demo[EXPORTER]["publish"], browsed=True)
        yield Slot(EXPORTER, EXPORTER_STATSD, EXPORTER_STATSD_PORT, demo[EXPORTER]["statsd_port"])


def places(demo: Demo) -> dict[str, Slot]:
    """Return what has an address for those who ask, by the word for it in a demo's texts."""
    return {
        EXPORTER if one.group == EXPORTER else f"{one.group}/{one.name}": one
        for one in slots(demo)
        if (one.group, one.name) != (EXPORTER, EXPORTER_STATSD)
    }


def told(demo: Demo, group: str) -> dict[str, Slot]:
    """Return of whom the texts of a service's own program tell it, by the word for where they are."""
    service, known = demo["services"].get(group), places(demo)
    named = {placeholders.place(word) for word in said(service["server"] if service else None)}
    return {place: slot for place, slot in known.items() if place in named}


def spoken(demo: Demo, group: str, slot: str) -> str:
    """Return what `slot` of `group` speaks: http, https, tcp, tls or udp."""
    listener = listeners(demo, group).get(slot)
    if listener is not None:
        return scheme(listener)
    own = server_ports(demo, group).get(slot)
    if own is None and slot == APP:
        own = demo["services"].get(group)
    return "http" if own is None else str(own["protocol"])


def target(demo: Demo, name: str, where: str) -> tuple[str, str]:
    """Return (group, slot) for `service`, `service/app`, `service/port`, `proxy` or `proxy/listener` of a demo file.

    Raises DemoError.

    Without a slot it is the first listener, or the app where there is none. `where` is the key that says `name`.
    """
    group, _slash, slot = name.partition("/")
    check_known(group, [*demo["services"], *demo["proxies"]], demo["file"], where, "service or proxy")
    own = [APP, *server_ports(demo, group)] if group in demo["services"] else []
    known = [*listeners(demo, group), *own]
    if not known:
        raise DemoError(demo["file"], f"{where}: '{group}' has no listener")
    if slot:
        check_known(slot, known, demo["file"], where, f"listener of '{group}' called")
    return group, slot or known[0]


def targets(cluster: Mapping[str, Any]) -> list[str]:
    """Return whom of the demo a cluster names, as in `target`."""
    if cluster["to"]:
        return [cluster["to"]]
    return [locality["to"] for locality in cluster["localities"] or []]


def check_names(demo: Demo, pods: bool) -> None:
    """Raise DemoError where two things that run would have one name, as proxy web-1 and the first of service web."""
    taken: dict[str, str] = {}
    for group, key in _groups(demo):
        for _replica, instance in instances(demo, group, pods):
            is_sidecar = group in demo["services"] and proxy_of(demo, group) is not None
            for name in [instance, *([sidecar_workload(instance)] if is_sidecar else [])]:
                other = taken.setdefault(name, key)
                if other != key:
                    raise DemoError(
                        demo["file"], f"{key}: '{name}' is what {other} runs; choose another name"
                    )


def _groups(demo: Demo) -> Iterator[tuple[str, str]]:
    """Yield (group, its key in the demo file)."""
    yield from ((name, f"services.{name}") for name in demo["services"])
    yield from ((name, f"proxies.{name}") for name in demo["proxies"])
    if demo[EXPORTER] is not None:
        yield EXPORTER, EXPORTER


def _proxy_slots(group: str, proxy: Mapping[str, Any]) -> Iterator[Slot]:
    for name, listener in proxy["listeners"].items():
        yield Slot(group, name, listener["port"], listener["publish"])
    # Who may reach the proxy from outside may look at it, too.
    browsed = any(listener["publish"] for listener in proxy["listeners"].values())
    yield Slot(group, ADMIN, ADMIN_PORT, (proxy["admin"] or {}).get("publish"), browsed)
