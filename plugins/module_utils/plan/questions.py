# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked of a running demo: its traffic with real URLs, its expectations with real endpoints."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils.demo.error import DemoError, check_known
from ansible_collections.meshlab.envoy.plugins.module_utils.envoy.bootstrap import admin_socket
from ansible_collections.meshlab.envoy.plugins.module_utils.envoy.listeners import is_tcp
from ansible_collections.meshlab.envoy.plugins.module_utils.plan import topology
from ansible_collections.meshlab.envoy.plugins.module_utils.plan.layout import Layout
from ansible_collections.meshlab.envoy.plugins.module_utils.plan.topology import (
    ADMIN,
    APP,
    EXPORTER,
    EXPORTER_HTTP,
    Proxy,
)
from ansible_collections.meshlab.envoy.plugins.module_utils.stats.assertion import KEYS as ASSERTION_KEYS
from ansible_collections.meshlab.envoy.plugins.module_utils.stats.assertion import parse_assertions
from ansible_collections.meshlab.envoy.plugins.module_utils.traffic.spec import KEYS as TRAFFIC_KEYS
from ansible_collections.meshlab.envoy.plugins.module_utils.traffic.spec import parse_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils.verify import references

Entry = dict[str, Any]


def endpoints(layout: Layout) -> list[Entry]:
    """Return where stats can be asked, as `{name, proxy, url, format}`: each proxy's admin socket, the exporter's page."""
    found = [_endpoint(one.name, one.name, admin_url(one, layout), "envoy") for one in layout.proxies()]
    if layout.demo[EXPORTER] is not None:
        url = f"http://{layout.outside(EXPORTER, EXPORTER_HTTP)}/metrics"
        found.append(_endpoint(EXPORTER, None, url, "prometheus"))
    return found


def admin_url(proxy: Proxy, layout: Layout) -> str:
    """Return where the host reaches the proxy's own admin interface."""
    return f"unix://{layout.context.folder}/{admin_socket(proxy.name)}"


def addresses(layout: Layout) -> list[Entry]:
    """Return what people can open, as `{name, url, what}`, in the order in which they would."""
    demo = layout.demo
    found: list[Entry] = []
    for group in [*demo["proxies"], *demo["services"]]:
        if group in demo["services"] and not topology.instances(demo, group):
            continue  # it is away
        published = {name: one for name, one in topology.listeners(demo, group).items() if one["publish"]}
        for name, listener in published.items():
            url = f"{_scheme(listener)}://{layout.outside(group, name)}"
            found.append({"name": f"{group}/{name}", "url": url, "what": "listener"})
        service = demo["services"].get(group)
        if service and service["publish"]:
            url = f"{service['protocol']}://{layout.outside(group, APP)}"
            found.append({"name": f"{group}/{APP}", "url": url, "what": "straight to the app"})
        if published:
            url = f"http://{layout.outside(group, ADMIN)}/stats"
            found.append({"name": f"{group}/{ADMIN}", "url": url, "what": "admin, read only"})
    if demo[EXPORTER] is not None:
        url = f"http://{layout.outside(EXPORTER, EXPORTER_HTTP)}/metrics"
        found.append({"name": EXPORTER, "url": url, "what": "Prometheus metrics"})
    return found


def traffic(entries: Sequence[Mapping[str, Any]], layout: Layout, where: str) -> list[Entry]:
    """Return `entries` as the module http_traffic takes them: `to` and `path` become a URL.

    In what they expect, `among: SERVICE` becomes the names of its instances, and `value: {replicas: SERVICE}` their
    number. `where` is the key of the demo file that holds them. Raises DemoError for anything that http_traffic would
    refuse.
    """
    found = [_traffic(dict(entry), layout, f"{where}[{position}]") for position, entry in enumerate(entries)]
    try:
        parse_traffic(found)
    except ValueError as error:
        raise DemoError(layout.demo["file"], where + str(error).removeprefix("traffic")) from None
    return found


def assertions(
    entries: Sequence[Mapping[str, Any]], sent: Sequence[Mapping[str, Any]], layout: Layout
) -> list[Entry]:
    """Return `entries` as the module demo_verify takes them: `at` becomes the names of endpoints.

    `value: {replicas: SERVICE}` becomes a number; `value: {traffic: NAME}` refers to one of `sent` and is left to
    demo_verify. Raises DemoError for anything that it would refuse.
    """
    file, where = layout.demo["file"], "expectations"
    found = [
        _assertion(dict(entry), layout, f"{where}[{position}]") for position, entry in enumerate(entries)
    ]
    try:
        references.check(found, sent)
        parse_assertions([references.placeholder(one) for one in found])
    except ValueError as error:
        message = str(error).removeprefix("assertions").removeprefix(where)
        raise DemoError(file, where + message) from None
    return found


def _endpoint(name: str, proxy: str | None, url: str, form: str) -> Entry:
    return {"name": name, "proxy": proxy, "url": url, "format": form}


def _traffic(entry: Entry, layout: Layout, where: str) -> Entry:
    demo = layout.demo
    for key in entry:
        check_known(str(key), ("to", "path", *TRAFFIC_KEYS), demo["file"], where, "key")
    if "url" in entry:
        raise DemoError(demo["file"], f"{where}.url: is computed; name a service or proxy with 'to'")
    if "to" not in entry:
        example = next(iter([*demo["proxies"], *demo["services"]]), "edge")
        raise DemoError(
            demo["file"], f"{where}: has no 'to'; name a service or proxy, such as 'to: {example}'"
        )
    name = str(entry.pop("to"))
    group, slot = topology.target(demo, name, f"{where}.to")
    entry["url"] = _url(group, slot, entry.pop("path", None), layout, where)
    entry.setdefault("name", name)
    listener = topology.listeners(demo, group).get(slot)
    if listener is not None and listener["tls"] is not None:
        entry.setdefault("ca", f"{layout.context.folder}/ca/ca.crt")
        entry.setdefault("server_name", group)
    expected = entry.get("expect") or []
    if isinstance(expected, list):
        entry["expect"] = [
            _expectation(one, layout, f"{where}.expect[{position}]") for position, one in enumerate(expected)
        ]
    return entry


def _url(group: str, slot: str, path: str | None, layout: Layout, where: str) -> str:
    """Return the URL by which the host reaches the first instance of `group`."""
    demo = layout.demo
    listener = topology.listeners(demo, group).get(slot)
    spec = demo["services"][group] if listener is None else listener
    scheme = spec["protocol"] if listener is None else _scheme(listener)
    if not spec["publish"]:
        key = f"services.{group}" if listener is None else f"listener '{slot}' of '{group}'"
        raise DemoError(
            demo["file"], f"{where}.to: {key} cannot be reached from outside; give it a 'publish:' port"
        )
    if scheme in ("http", "https"):
        return f"{scheme}://{layout.outside(group, slot)}{path or '/'}"
    if path is not None:
        raise DemoError(demo["file"], f"{where}.path: is for HTTP, and '{group}/{slot}' speaks {scheme}")
    return f"{scheme}://{layout.outside(group, slot)}"


def _expectation(entry: Any, layout: Layout, where: str) -> Any:
    """Return one expectation of traffic with names of instances in place of a service's."""
    if not isinstance(entry, Mapping):
        return entry  # told by whoever reads expectations
    entry = _counted(dict(entry), layout, where)
    if isinstance(entry.get("among"), str):
        service = entry["among"]
        check_known(service, layout.demo["services"], layout.demo["file"], f"{where}.among", "service")
        entry["among"] = [instance for _replica, instance in topology.instances(layout.demo, service)]
    return entry


def _assertion(entry: Entry, layout: Layout, where: str) -> Entry:
    for key in entry:
        check_known(str(key), ("at", *ASSERTION_KEYS), layout.demo["file"], where, "key")
    wanted = entry.pop("at", None)
    if wanted is not None:
        names = [endpoint["name"] for endpoint in endpoints(layout)]
        patterns = [wanted] if isinstance(wanted, str) else wanted
        found = [
            name for pattern in patterns for name in _matching(str(pattern), names, layout, f"{where}.at")
        ]
        entry["endpoint"] = list(dict.fromkeys(found))
    return _counted(entry, layout, where)


def _matching(pattern: str, names: Sequence[str], layout: Layout, where: str) -> list[str]:
    """Return the endpoints that a service's name, or a pattern of names, means."""
    if pattern in layout.demo["services"]:
        wanted = [name for _replica, name in topology.instances(layout.demo, pattern)]
        found = [name for name in names if name in wanted]
    else:
        found = fnmatch.filter(names, pattern)
    if not found:
        known = [*layout.demo["services"], *names]
        check_known(pattern, known, layout.demo["file"], where, "service or endpoint")
        raise DemoError(layout.demo["file"], f"{where}: '{pattern}' has no Envoy that could be asked")
    return found


def _counted(entry: Entry, layout: Layout, where: str) -> Entry:
    """`value: {replicas: service1}` is the number of replicas that this run has."""
    value = entry.get("value")
    if isinstance(value, Mapping) and set(value) == {"replicas"}:
        service = str(value["replicas"])
        path = f"{where}.value.replicas"
        check_known(service, layout.demo["services"], layout.demo["file"], path, "service")
        entry["value"] = len(topology.instances(layout.demo, service))
    return entry


def _scheme(listener: Mapping[str, Any]) -> str:
    plain, encrypted = ("tcp", "tls") if is_tcp(listener) else ("http", "https")
    return plain if listener["tls"] is None else encrypted
