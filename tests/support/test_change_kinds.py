# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the kinds of live changes: all 25 exist, and each can be planned on each platform."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from change_kinds import Kind, changing_demo, kinds, names
from planned_envoy import plan

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.versions import OLDEST

FIRST = 31400
OLDER = {"image": f"envoy:v{OLDEST}", "executable": "/old/envoy", "version": OLDEST}
KINDS = kinds(OLDER)
# The kinds of issue 14.
ALL = [
    "route", "weights", "cluster added", "cluster removed", "cluster options", "scale up", "scale down", "listener added",
    "listener removed", "TLS parameters", "certificate names", "route timeout", "connection manager field", "listener field",
    "HTTP filter", "sidecar listener", "service added", "service removed", "no change", "stats_config", "concurrency", "log_level",
    "Envoy version", "app", "sidecar bootstrap",
]  # fmt: skip


def test_all_kinds_of_the_issue_exist() -> None:
    assert sorted(names(KINDS)) == sorted(ALL)
    assert len(ALL) == 25


@pytest.mark.parametrize("platform", ["local", "docker", "kubernetes"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda one: one.name)
def test_each_kind_changes_the_plan(kind: Kind, platform: str) -> None:
    demo = changing_demo(FIRST)
    before = copy.deepcopy(demo)
    planned, changed = planned_part(demo, platform), planned_part(kind.changed(demo), platform)
    assert demo == before
    assert (planned == changed) == (kind.name == "no change")


def planned_part(demo: dict[str, Any], platform: str) -> Any:
    found = plan(demo, "changing", platform)
    return [found[key] for key in ("files", "workloads", "certificates", "manifests")]
