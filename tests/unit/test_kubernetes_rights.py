# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights in docs/kubernetes are those that a deploy needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.resource_kinds import kind_of
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.deployed_objects import KINDS

ROOT = Path(__file__).resolve().parents[2]


def rights(file: str) -> dict[tuple[str, str], set[str]]:
    """The verbs that the Role in a file allows, by group and resource."""
    items: list[dict[str, Any]] = yaml.safe_load((ROOT / "docs" / "kubernetes" / file).read_text())["items"]
    found: dict[tuple[str, str], set[str]] = {}
    for rule in next(one for one in items if one["kind"] == "Role")["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                found.setdefault((group, resource), set()).update(rule["verbs"])
    return found


def test_who_deploys_may_do_all_with_what_a_demo_consists_of() -> None:
    allowed = rights("deploy.yaml")
    for kind in (*KINDS, "HTTPRoute", "Route"):
        one = kind_of(kind)
        group = one.version.rpartition("/")[0]
        assert allowed[group, one.plural] >= {"get", "list", "create", "patch", "delete"}, kind


def test_who_deploys_may_choose_the_host_of_a_route_and_change_it() -> None:
    """OpenShift asks of a host whether one may `create` it, and of another one later whether one may `update` it."""
    assert rights("deploy.yaml")["route.openshift.io", "routes/custom-host"] == {"create", "update"}
