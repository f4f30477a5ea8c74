# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the result of the module envoy_config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy_config_options import (
    ARGUMENTS,
    ENVOY,
    FILE,
    PROXY,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy_config_task import perform


def options(
    folder: Path, path: str = "edge/a.yaml", proxies: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    def defaults(spec: dict[str, dict[str, Any]]) -> dict[str, Any]:
        return {key: option.get("default") for key, option in spec.items()}

    return defaults(ARGUMENTS) | {
        "folder": str(folder),
        "files": [defaults(FILE) | {"path": path, "content": "x"}],
        "envoy": defaults(ENVOY),
        "proxies": [defaults(PROXY) | proxy for proxy in proxies or []],
    }


def test_result_names_the_changed_files(folder: Path) -> None:
    result = perform(options(folder), check_mode=False)
    assert (result["changed"], result["files"], result["restart"]) == (True, ["edge/a.yaml"], [])
    assert not perform(options(folder), check_mode=False)["changed"]


def test_check_mode_predicts_the_change(folder: Path) -> None:
    assert perform(options(folder), check_mode=True)["changed"]
    assert not folder.exists()


def test_refusal_has_one_error_for_each_finding(folder: Path) -> None:
    result = perform(options(folder, path="../a"), check_mode=False)
    assert result["failed"]
    (error,) = result["errors"]
    assert error["file"] == "../a"
    assert error["message"].startswith("this path is not below the folder.")
    assert result["msg"].startswith("../a: this path is not below the folder. Use a relative path")
    assert result["msg"].endswith(" Nothing was changed.")


def test_missing_envoy_is_an_error_of_the_run(folder: Path) -> None:
    proxies = [{"name": "edge", "bootstrap": "edge/a.yaml"}]
    given = options(folder, proxies=proxies)
    given["envoy"]["executable"] = "/no/envoy"
    result = perform(given, check_mode=False)
    assert result["msg"] == (
        "/no/envoy does not exist. Install it, or correct its path. Nothing was changed."
    )
    assert perform(given, check_mode=True)["warnings"] == [
        "The files were not validated: /no/envoy does not exist. Install it, or correct its path."
    ]


@pytest.mark.parametrize("check_mode", [False, True])
def test_admin_that_does_not_respond_is_an_error(folder: Path, tmp_path: Path, check_mode: bool) -> None:
    proxies = [{"name": "edge", "admin": f"unix://{tmp_path}/no.sock"}]
    result = perform({**options(folder, proxies=proxies), "validate": False}, check_mode)
    assert result["failed"]
    assert result["msg"].startswith("edge: admin: the admin interface does not respond: ")
    assert result["msg"].endswith(
        "or set 'running: false' for an Envoy that does not run yet. Nothing was changed."
    )
    assert not folder.exists()


def test_envoy_that_does_not_run_yet_gets_its_files(folder: Path, tmp_path: Path) -> None:
    proxies = [{"name": "edge", "admin": f"unix://{tmp_path}/no.sock", "running": False}]
    assert perform({**options(folder, proxies=proxies), "validate": False}, check_mode=False)["changed"]
