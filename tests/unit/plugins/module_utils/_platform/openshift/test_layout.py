# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the planner's view of OpenShift."""

from __future__ import annotations

from platform_objects import platform_of

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.openshift.layout import (
    OpenShiftPlatform,
)


def test_defaults_leave_the_user_id_to_the_cluster() -> None:
    platform = platform_of("openshift")
    assert isinstance(platform, OpenShiftPlatform)
    assert (platform.settings.uid, platform.settings.routes) == (None, True)
    changed = platform_of("openshift", kubernetes={"uid": 1000, "routes": False})
    assert isinstance(changed, OpenShiftPlatform)
    assert (changed.settings.uid, changed.settings.routes) == (1000, False)


def test_documents_include_a_template_for_oc() -> None:
    documents = platform_of("openshift", cluster={"namespace": "demos"}).documents("default", [], [], [])
    assert [one.path for one in documents.files] == ["manifests.yaml", "template.yaml"]
    assert documents.commands == (
        "oc --namespace demos process -f template.yaml -p NAMESPACE=demos | oc --namespace demos create -f -",
    )
