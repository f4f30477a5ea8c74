# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The comparison of an object of the plan with the object in the cluster, and Ansible's diff of it. Pure functions."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.api_server import KubernetesObject
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.rollout import REVISION

ObjectKey = tuple[str, str]  # kind and name, as ("Deployment", "front-proxy-edge")

# Annotation: the digest of the object that was applied last. It differs where the plan has dropped a field.
APPLIED = "meshlab.envoy/applied"
# Annotation of `kubectl apply`: the object that a person applied last.
LAST_APPLIED_BY_KUBECTL = "kubectl.kubernetes.io/last-applied-configuration"
# Metadata that the API server sets.
SERVER_METADATA = (
    "creationTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)
# Quantities as the Kubernetes API documents them (resource.Quantity).
QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?")
UNITS = {
    "": Decimal(1),
    **{unit: Decimal(1000) ** -power for power, unit in enumerate("mun", 1)},
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}
HIDDEN = "(not shown)"


def object_key(thing: Mapping[str, Any]) -> ObjectKey:
    """Return an object's kind and name; the kind includes its group where several groups have a kind of this name."""
    kind, group = str(thing["kind"]), str(thing.get("apiVersion", "")).partition("/")[0]
    return (f"{kind}.{group}" if kind == "Gateway" else kind), str(thing["metadata"]["name"])


def display_name(key: ObjectKey) -> str:
    """Return what messages and results call an object: `Deployment/front-proxy-edge`."""
    return "/".join(key)


def with_digest(thing: Mapping[str, Any]) -> KubernetesObject:
    """Return an object with the annotation APPLIED: the digest of its content."""
    metadata = thing["metadata"]
    annotations = metadata.get("annotations") or {}
    content = json.dumps(thing, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(content.encode()).hexdigest()[:16]
    return {**thing, "metadata": {**metadata, "annotations": {**annotations, APPLIED: digest}}}


def is_subset(planned: Any, existing: Any) -> bool:
    """Return whether `existing` contains all of `planned`, with values as the API server writes them.

    Extra keys in `existing` are defaults or fields of other managers. An empty value equals a missing key, and quantities are compared
    by their value. Where the result is uncertain it is False, and the API server decides.
    """
    if isinstance(planned, Mapping):
        return isinstance(existing, Mapping) and all(
            (key in existing and is_subset(value, existing[key]))
            or (key not in existing and value in (None, "", [], {}))
            for key, value in planned.items()
        )
    if isinstance(planned, list):
        return (
            isinstance(existing, list)
            and len(planned) == len(existing)
            and all(is_subset(*pair) for pair in zip(planned, existing))
        )
    if planned == existing:
        return True
    value = quantity(planned)
    return value is not None and value == quantity(existing)


def quantity(value: Any) -> Decimal | None:
    """Return the value of a quantity; None for other values.

    Example:
        >>> quantity("500m"), quantity("2Ki")
        (Decimal('0.500'), Decimal('2048'))
    """
    found = QUANTITY.fullmatch(str(value)) if isinstance(value, (str, int, float)) else None
    return Decimal(found[1]) * UNITS[found[2] or ""] if found else None


def is_current(planned: Mapping[str, Any], existing: Mapping[str, Any]) -> bool:
    """Return whether an object of the plan, with its digest, needs no apply.

    Besides `is_subset`, the data of a ConfigMap or a Secret has no further keys.
    """
    if not is_subset(planned, existing):
        return False
    return planned["kind"] not in ("ConfigMap", "Secret") or all(
        (planned.get(data) or {}).keys() == (existing.get(data) or {}).keys()
        for data in ("data", "binaryData")
    )


def is_manually_applied(existing: Mapping[str, Any] | None) -> bool:
    """Return whether a person created an object, or applied it since the last run of this collection."""
    annotations = ((existing or {}).get("metadata") or {}).get("annotations") or {}
    return existing is not None and (LAST_APPLIED_BY_KUBECTL in annotations or APPLIED not in annotations)


def is_terminating(thing: Mapping[str, Any]) -> bool:
    """Return whether an object is being deleted: it exists until its finalizers are removed."""
    return bool(thing["metadata"].get("deletionTimestamp"))


def pod_template(thing: Mapping[str, Any] | None) -> Any:
    """Return the pod template of a Deployment, whose change replaces the pods; None for other objects."""
    return thing["spec"]["template"] if thing and thing["kind"] == "Deployment" else None


def differs(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> bool:
    """Return whether two versions of an object differ in more than SERVER_METADATA and status."""
    return before is None or _content(before) != _content(after)


def diff_entry(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> dict[str, str]:
    """Return one entry of Ansible's diff. The data of Secrets is not in it."""
    name = display_name(object_key(before or after or {}))
    old, new = _diff_text(before), _diff_text(after)
    if before and after and before["kind"] == "Secret" and before.get("data") != after.get("data"):
        new += "# the data differs\n"
    return {
        "before": old,
        "after": new,
        "before_header": name if before else f"{name} (absent)",
        "after_header": name if after else f"{name} (absent)",
    }


def _content(thing: Mapping[str, Any]) -> KubernetesObject:
    metadata = {key: value for key, value in thing["metadata"].items() if key not in SERVER_METADATA}
    annotations = {
        key: value
        for key, value in (metadata.pop("annotations", None) or {}).items()
        if key not in (APPLIED, REVISION)
    }
    if annotations:
        metadata["annotations"] = annotations
    return {**{key: value for key, value in thing.items() if key != "status"}, "metadata": metadata}


def _diff_text(thing: Mapping[str, Any] | None) -> str:
    if thing is None:
        return ""
    content = _content(thing)
    annotations = content["metadata"].get("annotations") or {}
    if LAST_APPLIED_BY_KUBECTL in annotations:
        # It repeats the whole object, with the data of a Secret.
        annotations[LAST_APPLIED_BY_KUBECTL] = HIDDEN
    if thing["kind"] == "Secret":
        content["data"] = dict.fromkeys(thing.get("data") or {}, HIDDEN)
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
