# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of a deployment, filled phase by phase."""

from __future__ import annotations

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.deploy_request import DeployResult
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import AppliedChanges


def test_changes_of_phases_are_added() -> None:
    result = DeployResult()
    result.add(AppliedChanges(started=("b",)))
    result.add(AppliedChanges(removed=("x",)))
    result.add(AppliedChanges(started=("a", "b"), removed=("x",)))
    assert (result.changed, result.started, result.removed) == (True, ("a", "b"), ("x",))


def test_failed_phase_is_measured_too() -> None:
    result = DeployResult()
    with pytest.raises(ValueError, match=r"^x$"), result.phase("start"):
        raise ValueError("x")
    with result.phase("start"):
        pass
    assert list(result.seconds) == ["start"]
    assert result.seconds["start"] >= 0
