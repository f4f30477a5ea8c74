# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules print the path of a kubeconfig, but never its content."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.meshlab.envoy.plugins.modules import (
    demo_deploy,
    demo_verify,
    envoy_admin,
    envoy_clusters_info,
    envoy_config_dump_info,
    envoy_stats,
    envoy_stats_info,
    http_traffic,
)

PATH = "/no/such/kubeconfig"
TOKEN = "secret-token"
DATA = {"contexts": [], "users": [{"name": "me", "user": {"token": TOKEN}}]}
PODS = {"endpoints": [{"selector": "app=web"}]}
STAT = {"stat": "server.live", "op": "eq", "value": 1}
MODULES: list[tuple[ModuleType, dict[str, Any]]] = [
    (demo_verify, {"plan": {**PODS, "traffic": [], "assertions": [STAT]}, "timeout": 0.1}),
    (envoy_admin, {**PODS, "healthcheck": "ok"}),
    (envoy_clusters_info, {**PODS, "strict": True}),
    (envoy_config_dump_info, {**PODS, "strict": True}),
    (envoy_stats, {**PODS, "assertions": [STAT], "wait": False}),
    (envoy_stats_info, {**PODS, "strict": True}),
    (http_traffic, {"url": "http://x:8080/", "pod": {"selector": "app=web"}}),
    (
        demo_deploy,
        {
            "plan": {
                "name": "x",
                "platform": "kubernetes",
                "folder": "/nonexistent/x",
                "files": [{"path": "manifests.yaml", "content": ""}],
            }
        },
    ),
]


def output_of(module: ModuleType, arguments: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> str:
    with patch_module_args(arguments), pytest.raises(SystemExit):
        module.main()
    printed = capsys.readouterr().out
    assert json.loads(printed)
    return printed


@pytest.mark.parametrize(("module", "arguments"), MODULES, ids=lambda one: getattr(one, "__name__", ""))
def test_path_is_printed_and_content_is_not(
    module: ModuleType, arguments: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    printed = output_of(module, {**arguments, "cluster": {"kubeconfig": PATH}}, capsys)
    assert f"here is no kubeconfig {PATH}" in printed
    for data in (DATA, json.dumps(DATA)):
        assert TOKEN not in output_of(module, {**arguments, "cluster": {"kubeconfig": data}}, capsys)
