# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects that are wanted against objects that are there. Pure."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.config_maps import (
    CERTIFICATE,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.object_names import (
    FOLDER,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.rollout import REVISION

Object = dict[str, Any]
# Annotation: the digest of what was applied last, so that what is wanted no more is noticed without asking the API server.
APPLIED = "meshlab.envoy/applied"
# Annotation: what `kubectl apply` wrote last, of which it stays an owner.
APPLIED_BY_HAND = "kubectl.kubernetes.io/last-applied-configuration"
# Annotation of a pod: touched, it makes the kubelet look at the pod's volumes at once.
SYNCED = "meshlab.envoy/synced"
# What the API server keeps for itself, and what says how an object fares.
BOOKKEEPING = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid")
QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|k|M|G|Ki|Mi|Gi)?")
UNITS = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000**power) for power, unit in enumerate("kMG", 1)},
    **{f"{unit}i": Decimal(1024**power) for power, unit in enumerate("KMG", 1)},
}
HIDDEN = "(not shown)"
# The first versions that have them without being asked: init containers that go on, and a kubelet that waits before a stop.
NATIVE_SIDECARS = (1, 29)
SLEEPS = (1, 30)


def key_of(thing: Mapping[str, Any]) -> tuple[str, str]:
    """Return an object's kind and name; the kind with its group where others have that kind too."""
    kind, group = str(thing["kind"]), str(thing.get("apiVersion", "")).partition("/")[0]
    return (f"{kind}.{group}" if kind == "Gateway" else kind), str(thing["metadata"]["name"])


def shown_name(key: tuple[str, str]) -> str:
    """Return what an object is called in messages and results: `Deployment/front-proxy-edge`."""
    return "/".join(key)


def folder_of(thing: Mapping[str, Any]) -> str:
    """Return the folder whose files an object holds, '' where it holds none."""
    return str((thing["metadata"].get("annotations") or {}).get(FOLDER) or "")


def stamped(thing: Mapping[str, Any]) -> Object:
    """Return an object with the digest of what it says."""
    metadata = thing["metadata"]
    annotations = metadata.get("annotations") or {}
    text = json.dumps(thing, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return {**thing, "metadata": {**metadata, "annotations": {**annotations, APPLIED: digest}}}


def is_as_wanted(wanted: Any, there: Any) -> bool:
    """Whether all that `wanted` (a stamped object) says is there already, as the API server would have it.

    Where this is not certain the answer is no, and the API server is asked. What is there and not wanted was made by others,
    or the digest tells.
    """
    if isinstance(wanted, Mapping):
        return isinstance(there, Mapping) and all(
            (key in there and is_as_wanted(value, there[key]))
            or (key not in there and value in (None, "", [], {}))
            for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(there, list)
            and len(wanted) == len(there)
            and all(is_as_wanted(one, other) for one, other in zip(wanted, there, strict=True))
        )
    return bool(wanted == there) or (_quantity(wanted) is not None and _quantity(wanted) == _quantity(there))


def holds_the_same(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> bool:
    """`is_as_wanted` for whole objects: a ConfigMap or Secret has no keys but those that are wanted."""
    if not is_as_wanted(wanted, there):
        return False
    return (
        wanted["kind"] not in ("ConfigMap", "Secret")
        or (wanted.get("data") or {}).keys() == (there.get("data") or {}).keys()
    )


def is_by_hand(there: Mapping[str, Any] | None) -> bool:
    """Whether a person made an object, or applied it since, without this collection."""
    annotations = ((there or {}).get("metadata") or {}).get("annotations") or {}
    return there is not None and (APPLIED_BY_HAND in annotations or APPLIED not in annotations)


def filled(thing: Mapping[str, Any], folder: Path) -> Object | None:
    """Return an object with what is made in the state folder: a Secret's data, a Route's authority. None where that is not made yet."""
    source = folder_of(thing)
    if not source or thing["kind"] not in ("Secret", "Route"):
        return dict(thing)
    try:
        if thing["kind"] == "Secret":
            contents = {name: (folder / source / name).read_bytes() for name in CERTIFICATE}
            data = {name: base64.b64encode(content).decode() for name, content in contents.items()}
            return {**thing, "data": data}
        authority = (folder / source / "ca.crt").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    spec = thing["spec"]
    return {**thing, "spec": {**spec, "tls": {**spec["tls"], "destinationCACertificate": authority}}}


def widened(wanted: Mapping[str, Any], there: Mapping[str, Any] | None) -> Object:
    """Return a NetworkPolicy (stamped) that lets in whom it has let in besides, until nobody of before calls; all else as it is."""
    if wanted["kind"] != "NetworkPolicy" or there is None:
        return dict(wanted)
    rules = wanted["spec"]["ingress"]
    before = [
        one
        for one in there["spec"].get("ingress") or ()
        if not any(is_as_wanted(rule, one) for rule in rules)
    ]
    if not before:
        return dict(wanted)
    return stamped({**wanted, "spec": {**wanted["spec"], "ingress": [*rules, *before]}})


def for_version(thing: Mapping[str, Any], version: tuple[int, int]) -> Object:
    """Return an object as a cluster of that version knows it."""
    if thing["kind"] != "Deployment":
        return dict(thing)
    if version < SLEEPS:
        thing = _with_program_that_sleeps(thing)
    return _without_native_sidecars(thing) if version < NATIVE_SIDECARS else dict(thing)


def _with_program_that_sleeps(thing: Mapping[str, Any]) -> Object:
    """Return a Deployment whose containers wait before a stop by a program of their image."""

    def slept(container: Mapping[str, Any]) -> Object:
        wait = ((container.get("lifecycle") or {}).get("preStop") or {}).get("sleep")
        if not wait:
            return dict(container)
        command = ["sleep", str(wait["seconds"])]
        return {**container, "lifecycle": {"preStop": {"exec": {"command": command}}}}

    return _with_pod(
        thing,
        lambda pod: {
            key: [*map(slept, value)] if key in ("initContainers", "containers") else value
            for key, value in pod.items()
        },
    )


def _with_pod(thing: Mapping[str, Any], change: Callable[[Mapping[str, Any]], Object]) -> Object:
    spec = thing["spec"]
    template = spec["template"]
    return {**thing, "spec": {**spec, "template": {**template, "spec": change(template["spec"])}}}


def _without_native_sidecars(thing: Mapping[str, Any]) -> Object:
    """Return a Deployment whose native sidecars are containers as the others are, and come first."""

    def change(pod: Mapping[str, Any]) -> Object:
        inits = pod.get("initContainers") or []
        sidecars = [
            {key: value for key, value in one.items() if key != "restartPolicy"}
            for one in inits
            if one.get("restartPolicy") == "Always"
        ]
        left = [one for one in inits if one.get("restartPolicy") != "Always"]
        changed = {**pod, "initContainers": left, "containers": [*sidecars, *pod["containers"]]}
        if not left:
            del changed["initContainers"]
        return changed

    return _with_pod(thing, change)


def sample_pod(deployment: Mapping[str, Any]) -> Object:
    """Return a pod as the Deployment makes them, to ask the cluster whether it would let it in.

    Its ServiceAccount may not be there yet, and is left out.
    """
    template = deployment["spec"]["template"]
    spec = {key: value for key, value in template["spec"].items() if key != "serviceAccountName"}
    name = f"{deployment['metadata']['name']}-would-it-be-let-in"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name[:63].rstrip("-"), "labels": template["metadata"].get("labels", {})},
        "spec": spec,
    }


def is_going(thing: Mapping[str, Any]) -> bool:
    """Whether an object is being deleted, and is there until all who have to let it go did so."""
    return bool(thing["metadata"].get("deletionTimestamp"))


def template_of(thing: Mapping[str, Any] | None) -> Any:
    """Return what decides whether the pods of a Deployment are replaced."""
    return thing["spec"]["template"] if thing and thing["kind"] == "Deployment" else None


def mounts(pod: Mapping[str, Any], kind: str, name: str) -> bool:
    """Whether a pod has the ConfigMap or Secret `name` in one of its volumes."""
    volumes = pod.get("spec", {}).get("volumes") or []
    sources = [
        source for one in volumes for source in (one, *(one.get("projected", {}).get("sources") or ()))
    ]
    if kind == "Secret":
        return any(
            one.get("secret", {}).get("name") == name or one.get("secret", {}).get("secretName") == name
            for one in sources
        )
    return any(one.get("configMap", {}).get("name") == name for one in sources)


def difference(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> dict[str, str]:
    """Return one entry of Ansible's diff; what a Secret holds is not in it."""
    name = shown_name(key_of(before or after or {}))
    old, new = _shown(before), _shown(after)
    if before and after and before["kind"] == "Secret" and before.get("data") != after.get("data"):
        new += "# another one than before\n"
    return {
        "before": old,
        "after": new,
        "before_header": name if before else f"{name} (absent)",
        "after_header": name if after else f"{name} (absent)",
    }


def differs(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> bool:
    """Whether more than bookkeeping differs between an object as it was and as it is."""
    return before is None or _substance(before) != _substance(after)


def _substance(thing: Mapping[str, Any]) -> Object:
    metadata = {key: value for key, value in thing["metadata"].items() if key not in BOOKKEEPING}
    annotations = {
        key: value
        for key, value in (metadata.pop("annotations", None) or {}).items()
        if key not in (APPLIED, REVISION)
    }
    if annotations:
        metadata["annotations"] = annotations
    return {**{key: value for key, value in thing.items() if key != "status"}, "metadata": metadata}


def _quantity(value: Any) -> Decimal | None:
    """Return what a quantity says (`0.5` and `500m` are one), None for what is none."""
    found = QUANTITY.fullmatch(str(value)) if isinstance(value, (str, int)) else None
    return Decimal(found[1]) * UNITS[found[2] or ""] if found else None


def _shown(thing: Mapping[str, Any] | None) -> str:
    if thing is None:
        return ""
    shown = _substance(thing)
    annotations = shown["metadata"].get("annotations") or {}
    if APPLIED_BY_HAND in annotations:
        # All of the object once more, with what a Secret holds.
        annotations[APPLIED_BY_HAND] = HIDDEN
    if thing["kind"] == "Secret":
        shown["data"] = dict.fromkeys(thing.get("data") or {}, HIDDEN)
    return json.dumps(shown, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
