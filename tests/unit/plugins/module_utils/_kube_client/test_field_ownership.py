# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ownership of fields after manual changes with kubectl."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.field_ownership import (
    adopt_manual_fields,
)


def entry(manager: str, operation: str, fields: dict[str, Any], **more: str) -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsV1": fields, **more}


APPLIED = entry("meshlab.envoy", "Apply", {"f:spec": {"f:type": {}, "f:ports": {"k:1": {".": {}}}}})
STATUS = entry("kube-controller-manager", "Update", {"f:status": {}}, subresource="status")
LABELS = entry("kubectl-label", "Update", {"f:metadata": {"f:labels": {"f:team": {}}}})


@pytest.mark.parametrize("manager", ["kubectl-client-side-apply", "kubectl-create"])
def test_fields_of_kubectl_are_adopted(manager: str) -> None:
    made = entry(manager, "Update", {"f:spec": {"f:ports": {".": {}, "k:2": {".": {}}}}})
    others = [STATUS, LABELS]
    assert adopt_manual_fields([made, *others], "meshlab.envoy") == [
        *others,
        {**made, "manager": "meshlab.envoy", "operation": "Apply"},
    ]
    both = {"f:spec": {"f:type": {}, "f:ports": {".": {}, "k:1": {".": {}}, "k:2": {".": {}}}}}
    assert adopt_manual_fields([APPLIED, made, *others], "meshlab.envoy") == [
        *others,
        {**APPLIED, "fieldsV1": both},
    ]


def test_fields_of_other_managers_are_kept() -> None:
    assert adopt_manual_fields([STATUS, LABELS], "meshlab.envoy") == [STATUS, LABELS]
    assert adopt_manual_fields([], "meshlab.envoy") == []
