# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names of the objects of a demo, and the labels and annotations that identify them in a shared namespace."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

MANAGER = "meshlab.envoy"
DEMO = "meshlab.envoy/demo"  # label: the demo's name, as in its file
NAME = "app.kubernetes.io/name"  # label: the group
FOLDER = "meshlab.envoy/folder"  # annotation: the directory of a ConfigMap or Secret in the deployment folder
STANDBY = "standby"  # last part of the name of a Service for standby endpoints
LONGEST_PORT = (
    30  # characters of a port in the name of an object, after the names of the demo and of the group
)
LONGEST = 63  # characters of a DNS label, and so of the name of a Service


def dns(name: str) -> str:
    """Return `name` as a DNS label, with `-` in place of `_`, which Envoy and Docker allow but Kubernetes does not."""
    return name.replace("_", "-")


def port_name(name: str, longest: int = LONGEST) -> str:
    """Return the name of a port as a DNS label, in which a listener's name can have any character.

    A name that `dns` cannot convert gets a digest, because other names could have the same letters.

    Example:
        >>> port_name("read_only"), port_name("outbound|8080||web.shop")
        ('read-only', 'outbound-8080-web-shop-ff61e2')
    """
    label = dns(name)
    if re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", label) and len(label) <= longest:
        return label
    digest = hashlib.sha256(name.encode()).hexdigest()[:6]
    letters = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[: longest - len(digest) - 1]
    return f"{letters.rstrip('-')}-{digest}" if letters else f"port-{digest}"


def object_name(demo: str, *parts: str) -> str:
    """Return the name of an object of `demo`: `front-proxy-service1`."""
    return "-".join(dns(part) for part in (demo, *parts))


def route_name(demo: str, group: str, port: str) -> str:
    """Return the name of a Route or HTTPRoute to a port of `group`."""
    return object_name(demo, group, port_name(port, LONGEST_PORT))


def labels(demo: str, group: str = "") -> dict[str, str]:
    """Return the labels of an object of `demo`, or of an object of one of its groups."""
    found = {"app.kubernetes.io/managed-by": MANAGER, "app.kubernetes.io/part-of": dns(demo), DEMO: demo}
    return {**found, **({NAME: dns(group)} if group else {})}


def group_label(thing: Mapping[str, Any]) -> str:
    """Return the value of the group label of an object; empty if it has none."""
    return str((thing["metadata"].get("labels") or {}).get(NAME) or "")


def match(demo: str, group: str) -> dict[str, str]:
    """Return the labels that select the pods of `group`."""
    return {DEMO: demo, NAME: dns(group)}


def selector(demo: str, *groups: str) -> str:
    """Return the selector of the pods of `groups`, as `kubectl --selector` takes it."""
    if len(groups) == 1:
        return ",".join(f"{key}={value}" for key, value in match(demo, groups[0]).items())
    return f"{DEMO}={demo},{NAME} in ({', '.join(map(dns, groups))})"


def metadata(demo: str, name: str, group: str = "", **more: Any) -> dict[str, Any]:
    """Return the metadata of an object, without a namespace, which the user chooses."""
    return {"name": name, "labels": labels(demo, group), **more}


def config_key(path: str) -> str:
    """Return the key of a ConfigMap for a file whose path is `path` below the ConfigMap's folder."""
    return re.sub(r"[^-._a-zA-Z0-9]", "_", path.replace("/", "__"))


def standby_name(demo: str, group: str) -> str:
    """Return the name of the Service that resolves to one address for all pods of `group`, for the standby endpoints of clusters."""
    return object_name(demo, group, STANDBY)


def standby_names_in(text: str) -> list[str]:
    """Return the names in a text that `standby_name` can return.

    Example:
        >>> standby_names_in("shop-web-standby:80, shop-my-standby-pods:80")
        ['shop-web-standby']
    """
    if STANDBY not in text:
        return []
    return [name for name in re.findall(r"[a-z0-9-]+", text) if name.endswith(f"-{STANDBY}")]


def pods_name(demo: str, group: str) -> str:
    """Return the name of the headless Service that resolves to each pod of `group`."""
    return object_name(demo, group, "pods")
