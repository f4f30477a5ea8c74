# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Roles in docs/kubernetes have the permissions that a deployment needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.resource_kinds import kind_of
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.deployed_objects import (
    KINDS,
    OPTIONAL_KINDS,
)

ROOT = Path(__file__).resolve().parents[2]


def permissions(file: str) -> dict[tuple[str, str], set[str]]:
    """Return the verbs of the Role in a file, by group and resource."""
    items: list[dict[str, Any]] = yaml.safe_load((ROOT / "docs" / "kubernetes" / file).read_text())["items"]
    found: dict[tuple[str, str], set[str]] = {}
    for rule in next(one for one in items if one["kind"] == "Role")["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                found.setdefault((group, resource), set()).update(rule["verbs"])
    return found


def test_deploy_role_has_all_verbs_on_objects_of_demos() -> None:
    allowed = permissions("deploy.yaml")
    for kind in (*KINDS, *OPTIONAL_KINDS):
        one = kind_of(kind)
        group = one.version.rpartition("/")[0]
        assert allowed[group, one.plural] >= {"get", "list", "create", "patch", "delete"}, kind


def test_deploy_role_can_set_and_change_hosts_of_routes() -> None:
    """OpenShift requires `create` to set the host of a Route, and `update` to change it."""
    assert permissions("deploy.yaml")["route.openshift.io", "routes/custom-host"] == {"create", "update"}
