# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who owns which fields of an object, as server-side apply counts it (`metadata.managedFields`). Pure.

A field that somebody else owns too stays when an apply says it no more. Source: Kubernetes' documentation, "Server-Side Apply";
its own package csaupgrade does the same for `kubectl apply --server-side`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# What kubectl and oc call themselves where a person makes an object by a file or by hand.
BY_HAND = ("kubectl-client-side-apply", "kubectl-create")


def taken_over(entries: Sequence[Mapping[str, Any]], manager: str) -> list[dict[str, Any]]:
    """Return `managedFields` with what was made by hand as applied by `manager`; what others own stays theirs."""
    moved: list[Mapping[str, Any]] = []
    kept: list[dict[str, Any]] = []
    for one in entries:
        by_hand = one.get("manager") in BY_HAND and one.get("operation") == "Update"
        applied = one.get("manager") == manager and one.get("operation") == "Apply"
        if (by_hand or applied) and not one.get("subresource"):
            moved.append(one)
        else:
            kept.append(dict(one))
    if not moved:
        return kept
    fields: dict[str, Any] = {}
    for one in moved:
        fields = _union(fields, one.get("fieldsV1") or {})
    return [*kept, {**moved[-1], "manager": manager, "operation": "Apply", "fieldsV1": fields}]


def _union(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Sets of fields are written as mappings of mappings."""
    return {
        **one,
        **{key: _union(one[key], value) if key in one else value for key, value in other.items()},
    }
