# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the settings of a cluster."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.cluster_settings import (
    SettingsError,
    read_settings,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.openshift.layout import (
    OpenShiftPlatform,
)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ({"typ": 1}, "unknown key 'typ'. Use one of"),
        ({"service_type": "Cluster"}, "service_type: unknown choice 'Cluster'. Did you mean 'ClusterIP'?"),
        ({"uid": 0}, "uid: expected the number of a user other than root, got '0'."),
        ({"pull_secrets": "mine"}, "pull_secrets: expected a list"),
        ({"routes": "maybe"}, "routes: expected true or false, got 'maybe'"),
    ],
)  # fmt: skip
def test_wrong_setting_is_refused(data: dict[str, Any], value: str) -> None:
    with pytest.raises(SettingsError, match=value):
        read_settings(data, {})


OPENSHIFT_DEFAULTS = OpenShiftPlatform.default_settings


@pytest.mark.parametrize("openshift", [True, False])
@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, True), (False, False), ("False", False), ("no", False), ("True", True), ("on", True)],
)
def test_boolean_can_be_text_of_a_template(value: object, expected: bool, openshift: bool) -> None:
    assert read_settings({"routes": value}, OPENSHIFT_DEFAULTS if openshift else {}).routes is expected
    assert read_settings({"routes": ""}, OPENSHIFT_DEFAULTS if openshift else {}).routes is openshift
