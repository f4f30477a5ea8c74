# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The texts of the phases of a deployment, and that each phase shows one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import Check, DesiredFiles
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.deploy_request import (
    DeployRequest,
    DeployResult,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.phases import Phase, phase, phase_text
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload

REQUEST = DeployRequest("shop", "local", Path("/nonexistent"), workloads=(Workload("web", ("true",)),))


@pytest.mark.parametrize("name", get_args(Phase))
def test_each_phase_has_a_text(name: Phase) -> None:
    assert phase_text(name, REQUEST)


def test_texts_have_the_numbers_of_the_demo() -> None:
    assert phase_text("start", REQUEST) == "starting 1 workload"
    checks = tuple(Check(name, ("envoy",), ()) for name in "ab")
    checked = replace(REQUEST, files=DesiredFiles(checks=checks))
    assert phase_text("prepare", checked) == "checking 2 configurations with Envoy"


def test_phase_is_shown_and_measured() -> None:
    texts: list[str] = []
    result = DeployResult()
    request = replace(REQUEST, progress=texts.append)
    with phase(request, result, "start"), phase(request, result, "remove", "removing files"):
        pass
    assert texts == ["starting 1 workload", "removing files"]
    assert {*result.seconds} == {"start", "remove"}
