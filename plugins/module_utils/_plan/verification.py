# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked of a running demo: its traffic with real URLs, its expectations with real endpoints."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions import value_references
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion import (
    KEYS as ASSERTION_KEYS,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion import (
    is_read,
    parse_assertions,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError, check_known
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import (
    ADMIN,
    ADMIN_LOOPBACK_PORT,
    APP,
    EXPORTER,
    EXPORTER_HTTP,
    Proxy,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.bootstrap import admin_socket
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.listeners import scheme
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.proxy import members
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.object_names import (
    object_name,
    selector,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.layout import LOOPBACK, Layout
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.target import (
    DEFAULT_PORTS,
    ENCRYPTED,
    SCHEMES,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import KEYS as TRAFFIC_KEYS

Entry = dict[str, Any]
# Seconds that a request may take: more than a busy machine stands still for, and than Envoy waits for an answer by itself.
REQUEST_TIMEOUT = 60


def endpoints(layout: Layout) -> list[Entry]:
    """Return where stats can be asked, as envoy_stats takes it: each proxy's admin, the exporter's page, those of servers.

    `proxy` names the proxy. An entry that selects pods is as many endpoints as there are pods.
    """
    found = []
    for one in layout.proxies():
        if layout.context.pods:
            asked = admin_pods(one, layout)
        else:
            asked = {"url": admin_url(one, layout)}
        found.append({"name": one.name, "proxy": one.name, **asked, "format": "envoy"})
    if layout.demo[EXPORTER] is not None:
        host = layout.exporter_host() if layout.context.pods else EXPORTER
        asked = _page(host, "statsd-exporter", EXPORTER, EXPORTER_HTTP, 1, "/metrics", layout)
        found.append({"name": EXPORTER, **asked, "format": "prometheus"})
    for group in layout.demo["services"]:
        for slot, (form, path) in topology.pages(layout.demo, group).items():
            for replica, instance in layout.instances(group):
                asked = _page(group, "app", group, slot, replica, path, layout)
                found.append({"name": f"{instance}/{slot}", **asked, "format": form})
    return found


def _page(pods: str, container: str, group: str, slot: str, replica: int, path: str, layout: Layout) -> Entry:
    """Return where a page, or what answers queries, is; `pods` is the group in whose pods the container runs."""
    if not layout.context.pods:
        asked: Entry = {"url": f"http://{layout.outside(group, slot, replica)}{path}"}
    else:
        asked = {
            "selector": selector(layout.demo["name"], pods),
            "container": container,
            "port": layout.port(group, slot),
            "path": path,
        }
    return {"proxy": None, **asked}


def admin(proxy: Proxy, layout: Layout) -> Entry:
    """Return where the module `workloads` has a change of the proxy's configuration confirmed."""
    if not layout.context.pods:
        return {"proxy": proxy.name, "url": admin_url(proxy, layout), "workload": proxy.workload}
    return {
        "proxy": proxy.name,
        "url": f"http://{LOOPBACK}:{ADMIN_LOOPBACK_PORT}",
        "workload": proxy.workload,
        "pods": admin_pods(proxy, layout),
        "members": members(proxy, layout),
    }


def admin_url(proxy: Proxy, layout: Layout) -> str:
    """Return where the host reaches the proxy's own admin interface."""
    return f"unix://{layout.context.folder}/{admin_socket(proxy.name)}"


def admin_pods(proxy: Proxy, layout: Layout) -> Entry:
    """Return the pods in which the proxy runs."""
    return {
        "selector": selector(layout.demo["name"], proxy.group),
        "container": "envoy",
        "port": ADMIN_LOOPBACK_PORT,
    }


def addresses(layout: Layout) -> list[Entry]:
    """Return what people can open, as `{name, url, what}`, in the order in which they would."""
    demo = layout.demo
    found: list[Entry] = []
    for group in [*demo["proxies"], *demo["services"]]:
        if not layout.replicas(group):
            continue  # it is away
        published = {name: one for name, one in topology.listeners(demo, group).items() if one["publish"]}
        for name, listener in published.items():
            found.append(_address(group, name, scheme(listener), "", "listener", layout))
        service = demo["services"].get(group)
        if service and service["publish"]:
            found.append(_address(group, APP, service["protocol"], "", "straight to the app", layout))
        for name, port in topology.server_ports(demo, group).items():
            if port["publish"]:
                what = "Prometheus metrics" if port["metrics"] else "the server's own"
                found.append(_address(group, name, port["protocol"], port["metrics"] or "", what, layout))
        if published:
            found.append(_address(group, ADMIN, "http", "/stats", "admin, read only", layout))
    if demo[EXPORTER] is not None:
        found.append(_address(EXPORTER, EXPORTER_HTTP, "http", "/metrics", "Prometheus metrics", layout))
        found[-1]["name"] = EXPORTER
    return found


def _address(group: str, slot: str, spoken: str, path: str, what: str, layout: Layout) -> Entry:
    name = f"{group}/{slot}"
    if not layout.context.pods:
        return {"name": name, "url": f"{spoken}://{layout.outside(group, slot)}{path}", "what": what}
    published = layout.published(group, slot)
    domain = layout.context.settings.domain
    if published and domain and layout.context.settings.routes and spoken in ("http", "https"):
        host = f"{object_name(layout.demo['name'], group, slot)}.{domain}"
        return {"name": name, "url": f"https://{host}{path}", "what": what}
    # Services of a cluster are no addresses of this host until somebody forwards a port.
    port = layout.port(group, slot)
    forwarded = (
        f"service/{layout.service_name(group)} {published}" if published else f"{_pods(group, layout)} {port}"
    )
    return {
        "name": name,
        "url": f"{spoken}://{LOOPBACK}:{published or port}{path}",
        "what": f"{what}, after: {layout.context.typed('kubectl')} port-forward {forwarded}",
    }


def _pods(group: str, layout: Layout) -> str:
    """Return the Deployment in whose pods `group` runs, as kubectl names it."""
    own = layout.exporter_host() if group == EXPORTER else group
    return f"deployment/{object_name(layout.demo['name'], own)}"


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
        value_references.check(found, sent)
        parse_assertions([value_references.placeholder(one) for one in found])
    except ValueError as error:
        message = str(error).removeprefix("assertions").removeprefix(where)
        raise DemoError(file, where + message) from None
    return found


def _traffic(entry: Entry, layout: Layout, where: str) -> Entry:
    demo = layout.demo
    for key in entry:
        check_known(str(key), ("to", "scheme", "path", *TRAFFIC_KEYS), demo["file"], where, "key")
    if "url" in entry:
        raise DemoError(demo["file"], f"{where}.url: is computed; name a service or proxy with 'to'")
    if "to" not in entry:
        example = next(iter([*demo["proxies"], *demo["services"]]), "edge")
        raise DemoError(
            demo["file"], f"{where}: has no 'to'; name a service or proxy, such as 'to: {example}'"
        )
    name = str(entry.pop("to"))
    group, slot = _target(name, layout, f"{where}.to")
    spoken = _spoken(group, slot, entry.pop("scheme", None), layout, where)
    entry["url"] = _url(group, slot, spoken, entry.pop("path", None), layout, where)
    entry.setdefault("name", name)
    entry.setdefault("timeout", REQUEST_TIMEOUT)
    if layout.context.pods:
        entry["pod"] = {"selector": selector(demo["name"], group), "port": layout.port(group, slot)}
    if spoken in ENCRYPTED:
        entry.setdefault("ca", f"{layout.context.folder}/ca/ca.crt")
        entry.setdefault("server_name", group)
    expected = entry.get("expect") or []
    if isinstance(expected, list):
        entry["expect"] = _expectations(expected, layout, f"{where}.expect")
    return entry


def _target(name: str, layout: Layout, where: str) -> tuple[str, str]:
    """Return (group, slot) of what traffic goes to: besides what proxies can reach, the read-only admin of one of them."""
    group, _slash, slot = name.partition("/")
    if slot == ADMIN and topology.proxy_of(layout.demo, group) is not None:
        return group, slot
    return topology.target(layout.demo, name, where)


def _spoken(group: str, slot: str, wanted: Any, layout: Layout, where: str) -> str:
    """Return the scheme of traffic: what the target speaks first, or what the traffic wants to speak to it."""
    demo = layout.demo
    usual = topology.spoken(demo, group, slot)
    if wanted is None:
        return usual
    # What is spoken over TCP is the author's to say: a listener may take several, or refuse.
    known = [one for one in SCHEMES if (one == "udp") == (usual == "udp")]
    check_known(str(wanted), known, demo["file"], f"{where}.scheme", "scheme")
    return str(wanted)


def _url(group: str, slot: str, spoken: str, path: str | None, layout: Layout, where: str) -> str:
    """Return the URL by which the host reaches the first instance of `group`."""
    demo = layout.demo
    stated = next(one for one in topology.slots(demo) if (one.group, one.name) == (group, slot))
    if not stated.publish and not stated.browsed:
        own = topology.server_ports(demo, group)
        named = (
            f"services.{group}"
            if slot == APP
            else f"{'port' if slot in own else 'listener'} '{slot}' of '{group}'"
        )
        raise DemoError(
            demo["file"], f"{where}.to: {named} cannot be reached from outside; give it a 'publish:' port"
        )
    if spoken in DEFAULT_PORTS:
        return f"{spoken}://{layout.outside(group, slot)}{path or '/'}"
    if path is not None:
        raise DemoError(demo["file"], f"{where}.path: is for HTTP, and '{group}/{slot}' speaks {spoken}")
    return f"{spoken}://{layout.outside(group, slot)}"


def _expectations(entries: list[Any], layout: Layout, where: str) -> list[Any]:
    """Return what is expected of traffic with names of instances in place of a service's.

    Nobody knows the names of pods before they run: there, that all of them answer is an expectation of its own.
    """
    found: list[Any] = []
    for position, entry in enumerate(entries):
        if not isinstance(entry, Mapping):
            found.append(entry)  # told by whoever reads expectations
            continue
        one = _counted(dict(entry), layout, f"{where}[{position}]")
        if isinstance(one.get("among"), str):
            service = one.pop("among")
            path = f"{where}[{position}].among"
            check_known(service, layout.demo["services"], layout.demo["file"], path, "service")
            if not layout.context.pods:
                one["among"] = [instance for _replica, instance in layout.instances(service)]
            elif not any(isinstance(other, Mapping) and other.get("hosts") == "count" for other in entries):
                found.append({"hosts": "count", "op": "eq", "value": layout.replicas(service)})
        found.append(one)
    return found


def _assertion(entry: Entry, layout: Layout, where: str) -> Entry:
    for key in entry:
        check_known(str(key), ("at", *ASSERTION_KEYS), layout.demo["file"], where, "key")
    entry = _asked(entry, layout, where)
    value: Any = entry.get("value")
    if is_read(value):
        entry["value"] = _asked(dict(value), layout, f"{where}.value")
    return _counted(entry, layout, where)


def _asked(entry: Entry, layout: Layout, where: str) -> Entry:
    """`at` becomes the names of endpoints."""
    wanted = entry.pop("at", None)
    if wanted is None:
        return entry
    names = [endpoint["name"] for endpoint in endpoints(layout)]
    patterns = [wanted] if isinstance(wanted, str) else wanted
    found = [name for pattern in patterns for name in _matching(str(pattern), names, layout, f"{where}.at")]
    return {**entry, "endpoint": list(dict.fromkeys(found))}


def _matching(pattern: str, names: Sequence[str], layout: Layout, where: str) -> list[str]:
    """Return the endpoints that a service's name, or a pattern of names, means."""
    group, slash, slot = pattern.partition("/")
    if group in layout.demo["services"]:
        wanted = [f"{name}{slash}{slot}" for _replica, name in layout.instances(group)]
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
        entry["value"] = layout.replicas(service)
    return entry
