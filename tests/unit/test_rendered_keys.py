# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role deployment renders a plan with envoy_config, which has no options for some keys of a plan."""

from __future__ import annotations

from pathlib import Path
from typing import get_type_hints

import pytest
import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy_config_options import (
    CERTIFICATE,
    DIRECTORY,
    FILE,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import (
    Certificate,
    PlannedDirectory,
    PlannedFile,
)

RENDER = Path(__file__).resolve().parents[2] / "roles" / "deployment" / "tasks" / "render.yml"


@pytest.mark.parametrize(
    ("planned", "options"),
    [(PlannedFile, FILE), (PlannedDirectory, DIRECTORY), (Certificate, CERTIFICATE)],
    ids=["files", "directories", "certificates"],
)
def test_keys_without_an_option_are_left_out(planned: type, options: dict[str, object]) -> None:
    [_key, _in, left_out] = yaml.safe_load(RENDER.read_text())[-1]["vars"]["__deployment_is_of_plan"]
    assert set(get_type_hints(planned)) - set(options) <= set(left_out)
    assert not set(left_out) & set(options)
