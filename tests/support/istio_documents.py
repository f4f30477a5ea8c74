# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Istio objects of a demo or of the whole gallery, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from demo_data import GALLERY, gallery_demo

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan import make_plan

CONTEXT = {
    "folder": "/state",
    "mesh": "istio",
    "app": "app",
    "registry": "registry",
    "python": {"image": "python"},
}


def istio_objects_of(demo: str, platform: str = "kubernetes", change: str = "") -> list[dict[str, Any]]:
    """Return the Istio objects of a demo; none if Istio cannot replace its proxies."""
    try:
        planned = make_plan(demo, gallery_demo(demo), {**CONTEXT, "platform": platform, "change": change})
    except DemoError:
        return []
    return [one for one in planned["manifests"] if ".istio.io/" in one["apiVersion"]]


def istio_objects_of_gallery(platform: str = "kubernetes") -> dict[str, list[dict[str, Any]]]:
    """Return the Istio objects of each demo, by `demo` and `demo change`."""
    demos = sorted(path.stem for path in GALLERY.glob("*.yml"))
    variants = [
        (demo, change) for demo in demos for change in ("", *(gallery_demo(demo).get("changes") or {}))
    ]
    found = {
        f"{demo} {change}".strip(): istio_objects_of(demo, platform, change) for demo, change in variants
    }
    return {name: objects for name, objects in found.items() if objects}


def as_list(objects: list[dict[str, Any]]) -> Mapping[str, Any]:
    """Return one object for `kubectl apply`."""
    return {"apiVersion": "v1", "kind": "List", "items": objects}
