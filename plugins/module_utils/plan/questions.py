# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked of a running demo: its traffic with real URLs, its expectations with real endpoints."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils.demo.read import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils.envoy.bootstrap import admin_socket
from ansible_collections.meshlab.envoy.plugins.module_utils.envoy.listeners import is_tcp
from ansible_collections.meshlab.envoy.plugins.module_utils.plan.layout import ADMIN, APP, EXPORTER, LOOPBACK, Layout

Entry = dict[str, Any]


def endpoints(layout: Layout) -> list[Entry]:
    """Return where stats can be asked: each proxy's admin socket, the exporter's page."""
    folder = layout.context.folder
    found: list[Entry] = [
        {"name": proxy.name, "proxy": proxy.name, "url": f"unix://{folder}/{admin_socket(proxy.name)}", "format": "envoy"}
        for proxy in layout.proxies()
    ]
    if layout.demo[EXPORTER]:
        port = layout.published(EXPORTER, "http")
        found.append({"name": EXPORTER, "proxy": None, "url": f"http://{LOOPBACK}:{port}/metrics", "format": "prometheus"})
    return found


def addresses(layout: Layout) -> list[Entry]:
    """Return what people can open, in the order in which they would."""
    host = LOOPBACK if layout.context.bind == "0.0.0.0" else layout.context.bind
    found: list[Entry] = []
    for group in [*layout.demo["proxies"], *layout.demo["services"]]:
        spec = layout.spec(group)
        shown = False
        for name, listener in (spec["listeners"] if spec else {}).items():
            if listener["publish"]:
                scheme = _scheme(listener)
                found.append({"name": f"{group}/{name}", "url": f"{scheme}://{host}:{listener['publish']}", "what": "listener"})
                shown = True
        service = layout.demo["services"].get(group)
        if service and service["publish"]:
            url = f"{service['protocol']}://{host}:{service['publish']}"
            found.append({"name": f"{group}/{APP}", "url": url, "what": "straight to the app"})
        if shown:
            url = f"http://{LOOPBACK}:{layout.published(group, ADMIN)}/stats"
            found.append({"name": f"{group}/{ADMIN}", "url": url, "what": "admin, read only"})
    if layout.demo[EXPORTER]:
        url = f"http://{LOOPBACK}:{layout.published(EXPORTER, 'http')}/metrics"
        found.append({"name": EXPORTER, "url": url, "what": "Prometheus metrics"})
    return found


def traffic(entries: list[Mapping[str, Any]], layout: Layout, where: str = "traffic") -> list[Entry]:
    """Return `entries` with `to` and `path` turned into a URL, and `among` into the instances of a service."""
    return [_traffic(dict(entry), layout, f"{where}[{position}]") for position, entry in enumerate(entries)]


def assertions(entries: list[Mapping[str, Any]], layout: Layout) -> list[Entry]:
    """Return `entries` with `at` turned into the names of endpoints, and values that refer to the topology into numbers."""
    return [_assertion(dict(entry), layout, f"expectations[{position}]") for position, entry in enumerate(entries)]


def _traffic(entry: Entry, layout: Layout, where: str) -> Entry:
    file = layout.demo["file"]
    if "to" not in entry:
        raise DemoError(file, f"{where}: has no 'to'; name a service or proxy, such as 'to: {_example(layout)}'")
    target = str(entry.pop("to"))
    group, slot = layout.target(target, f"{where}.to")
    port = layout.published(group, slot)
    listener = layout.listener(group, slot)
    stated = listener["publish"] if listener else layout.demo["services"][group]["publish"]
    if not stated:
        raise DemoError(file, f"{where}.to: '{target}' is not published; give it a 'publish:' port, so that it can be reached from outside")
    host = LOOPBACK if layout.context.bind == "0.0.0.0" else layout.context.bind
    scheme = _scheme(listener) if listener else layout.demo["services"][group]["protocol"]
    path = entry.pop("path", "/") if scheme in ("http", "https") else ""
    entry.setdefault("name", target)
    if listener and listener["tls"] is not None:
        entry.setdefault("ca", f"{layout.context.folder}/ca/ca.crt")
        entry.setdefault("server_name", group)
    entry["url"] = f"{scheme}://{host}:{port}{path}"
    entry["expect"] = [_value(dict(one), layout, f"{where}.expect") for one in entry.get("expect", [])]
    for one in entry["expect"]:
        if isinstance(one.get("among"), str):
            service = one["among"]
            if service not in layout.demo["services"]:
                raise DemoError(file, f"{where}.expect.among: there is no service '{service}'")
            one["among"] = [instance for _replica, instance in layout.instances(service)]
    return entry


def _assertion(entry: Entry, layout: Layout, where: str) -> Entry:
    names = [endpoint["name"] for endpoint in endpoints(layout)]
    wanted = entry.pop("at", None)
    if wanted is not None:
        found = []
        for one in [wanted] if isinstance(wanted, str) else wanted:
            group = [name for _replica, name in layout.instances(one)] if one in layout.demo["services"] else [one]
            matched = [name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in group)]
            if not matched:
                raise DemoError(layout.demo["file"], f"{where}.at: nothing is called '{one}'; there is: {', '.join(names)}")
            found += matched
        entry["endpoint"] = found
    return _value(entry, layout, where)


def _value(entry: Entry, layout: Layout, where: str) -> Entry:
    """`value: {replicas: service1}` is the number of replicas that this run has."""
    value = entry.get("value")
    if isinstance(value, Mapping) and set(value) == {"replicas"}:
        service = value["replicas"]
        if service not in layout.demo["services"]:
            raise DemoError(layout.demo["file"], f"{where}.value.replicas: there is no service '{service}'")
        entry["value"] = len(layout.instances(service))
    return entry


def _scheme(listener: Mapping[str, Any]) -> str:
    plain, encrypted = ("tcp", "tls") if is_tcp(listener) else ("http", "https")
    return plain if listener["tls"] is None else encrypted


def _example(layout: Layout) -> str:
    return next(iter([*layout.demo["proxies"], *layout.demo["services"]]), "edge")
