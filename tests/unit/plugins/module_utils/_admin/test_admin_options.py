# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the modules match their documentation."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._admin.admin_options import (
    ADMIN_ARGS,
    CLUSTERS_ARGS,
    CONFIG_DUMP_ARGS,
)
from ansible_collections.meshlab.envoy.plugins.modules import (
    envoy_admin,
    envoy_clusters_info,
    envoy_config_dump_info,
)


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        (envoy_admin, ADMIN_ARGS),
        (envoy_clusters_info, CLUSTERS_ARGS),
        (envoy_config_dump_info, CONFIG_DUMP_ARGS),
    ],
    ids=lambda value: value.__name__.rpartition(".")[2] if isinstance(value, ModuleType) else "",
)
def test_documented_options_are_in_the_specification(module: Any, arguments: dict[str, Any]) -> None:
    options = yaml.safe_load(module.DOCUMENTATION)["options"]
    # The fragments `once` and `strict` document these.
    assert {*options} == {*arguments} - {"timeout", "strict"}
    for name, option in options.items():
        assert option["type"] == arguments[name]["type"]
        assert option.get("default") == arguments[name].get("default")
