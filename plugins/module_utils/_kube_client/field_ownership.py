# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Field ownership of server-side apply (`metadata.managedFields`), as pure functions.

An apply removes a field that it no longer contains only where no other manager owns the field too. Source: Kubernetes
documentation, "Server-Side Apply"; Kubernetes' package csaupgrade does the same for `kubectl apply --server-side`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# The field managers of kubectl and oc where a person applies a file or creates an object.
MANUAL_MANAGERS = ("kubectl-client-side-apply", "kubectl-create")


def adopt_manual_fields(entries: Sequence[Mapping[str, Any]], manager: str) -> list[dict[str, Any]]:
    """Return `managedFields` in which the fields of MANUAL_MANAGERS belong to an apply of `manager`.

    The fields of all other managers keep their owner.
    """
    moved: list[Mapping[str, Any]] = []
    kept: list[dict[str, Any]] = []
    for entry in entries:
        manual = entry.get("manager") in MANUAL_MANAGERS and entry.get("operation") == "Update"
        applied = entry.get("manager") == manager and entry.get("operation") == "Apply"
        if (manual or applied) and not entry.get("subresource"):
            moved.append(entry)
        else:
            kept.append(dict(entry))
    if not moved:
        return kept
    fields: dict[str, Any] = {}
    for entry in moved:
        fields = _union(fields, entry.get("fieldsV1") or {})
    return [*kept, {**moved[-1], "manager": manager, "operation": "Apply", "fieldsV1": fields}]


def _union(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return the union of two sets of fields, which the API writes as nested mappings."""
    return {
        **first,
        **{key: _union(first[key], value) if key in first else value for key, value in second.items()},
    }
