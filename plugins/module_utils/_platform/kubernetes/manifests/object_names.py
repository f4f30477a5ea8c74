# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What objects of a demo are called in a namespace that others use too, and the labels by which they are found."""

from __future__ import annotations

import re
from typing import Any

MANAGER = "meshlab.envoy"
DEMO = "meshlab.envoy/demo"  # label: the demo's name, as in its file
NAME = "app.kubernetes.io/name"  # label: the group
FOLDER = "meshlab.envoy/folder"  # annotation: the folder of the demo that a ConfigMap or Secret holds
LONGEST = 63  # of a DNS label, and so of a Service's name


def dns(name: str) -> str:
    """Return `name` as a DNS label takes it: `_` is a letter to Envoy and Docker, and none to Kubernetes."""
    return name.replace("_", "-")


def object_name(demo: str, *parts: str) -> str:
    """Return the name of an object of `demo`: `front-proxy-service1`."""
    return "-".join(dns(part) for part in (demo, *parts))


def labels(demo: str, group: str = "") -> dict[str, str]:
    """Return the labels of an object of `demo`, or of what runs for one `group` of it."""
    found = {"app.kubernetes.io/managed-by": MANAGER, "app.kubernetes.io/part-of": dns(demo), DEMO: demo}
    return {**found, **({NAME: dns(group)} if group else {})}


def match(demo: str, group: str) -> dict[str, str]:
    """Return the labels that select the pods of `group`."""
    return {DEMO: demo, NAME: dns(group)}


def selector(demo: str, *groups: str) -> str:
    """Return what selects the pods of `groups`, as `kubectl --selector` takes it."""
    if len(groups) == 1:
        return ",".join(f"{key}={value}" for key, value in match(demo, groups[0]).items())
    return f"{DEMO}={demo},{NAME} in ({', '.join(map(dns, groups))})"


def metadata(demo: str, name: str, group: str = "", **more: Any) -> dict[str, Any]:
    """Return an object's metadata, without a namespace: that is chosen when it is applied."""
    return {"name": name, "labels": labels(demo, group), **more}


def config_key(path: str) -> str:
    """Return the key of a ConfigMap for a file whose path is `path` below the ConfigMap's folder."""
    return re.sub(r"[^-._a-zA-Z0-9]", "_", path.replace("/", "__"))


def pods_name(demo: str, group: str) -> str:
    """Return the name of the headless Service by which each of the pods of `group` is found."""
    return object_name(demo, group, "pods")
