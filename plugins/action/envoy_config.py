# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the files of `envoy_config` on the controller, which has YAML, and hands the module texts and candidates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.meshlab.envoy.plugins.plugin_utils._candidate_config import (
    Wrong,
    as_text,
    candidate,
    check_syntax,
)


class ActionModule(ActionBase):
    """`src` becomes `content`, data becomes text, and each proxy gets a candidate to validate."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        try:
            files = arguments.get("files")
            proxies = arguments.get("proxies")
            if _dicts(files):
                arguments["files"] = [self._file(one) for one in files]
            if _dicts(files) and _dicts(proxies):
                texts = {
                    one["path"]: one["content"]
                    for one in arguments["files"]
                    if "path" in one and "content" in one
                }
                arguments["proxies"] = [_with_candidate(one, texts) for one in proxies]
        except (Wrong, AnsibleError, OSError) as error:
            # Nothing was sent to the host.
            return {**result, "failed": True, "changed": False, "msg": f"{error}. Nothing was changed."}
        result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        return result

    def _file(self, one: dict[str, Any]) -> dict[str, Any]:
        file = dict(one)
        path = str(file.get("path", ""))
        if "src" in file and "content" not in file:
            source = self._find_needle("files", file.pop("src"))
            # A vaulted file is decrypted on the way.
            file["content"] = Path(self._loader.get_real_file(source)).read_text(encoding="utf-8")
        if file.get("content") is not None:
            file["content"] = as_text(path, file["content"])
            if path.endswith((".yaml", ".yml", ".json")):
                check_syntax(path, file["content"])
        return file


def _with_candidate(proxy: dict[str, Any], texts: dict[str, str]) -> dict[str, Any]:
    if proxy.get("candidate") or not isinstance(proxy.get("name"), str):
        return proxy
    return {**proxy, "candidate": candidate(proxy, texts)}


def _dicts(value: Any) -> bool:
    """Say whether the module's own checks will find a list of dictionaries; they tell what is wrong with others."""
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)
