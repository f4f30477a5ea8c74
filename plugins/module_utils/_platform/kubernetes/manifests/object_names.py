# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names of the objects of a demo, and the labels and annotations that identify them in a shared namespace."""

from __future__ import annotations

import re
from typing import Any

MANAGER = "meshlab.envoy"
DEMO = "meshlab.envoy/demo"  # label: the demo's name, as in its file
NAME = "app.kubernetes.io/name"  # label: the group
FOLDER = "meshlab.envoy/folder"  # annotation: the directory of a ConfigMap or Secret in the deployment folder
LONGEST = 63  # characters of a DNS label, and so of the name of a Service


def dns(name: str) -> str:
    """Return `name` as a DNS label, with `-` in place of `_`, which Envoy and Docker allow but Kubernetes does not."""
    return name.replace("_", "-")


def object_name(demo: str, *parts: str) -> str:
    """Return the name of an object of `demo`: `front-proxy-service1`."""
    return "-".join(dns(part) for part in (demo, *parts))


def labels(demo: str, group: str = "") -> dict[str, str]:
    """Return the labels of an object of `demo`, or of an object of one of its groups."""
    found = {"app.kubernetes.io/managed-by": MANAGER, "app.kubernetes.io/part-of": dns(demo), DEMO: demo}
    return {**found, **({NAME: dns(group)} if group else {})}


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


def pods_name(demo: str, group: str) -> str:
    """Return the name of the headless Service that resolves to each pod of `group`."""
    return object_name(demo, group, "pods")
