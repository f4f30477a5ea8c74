# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugin of envoy_config: it reads files on the controller, which has PyYAML, and passes text and candidates to the module."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.meshlab.envoy.plugins.plugin_utils._cached_imports import plugin_imports

with plugin_imports():
    from ansible_collections.meshlab.envoy.plugins.module_utils._common.printable import printable_result
    from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.candidate import (
        FileError,
        candidate,
        check_syntax,
        to_text,
    )
    from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.listener_names import (
        with_listener_names,
    )
    from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.named_clusters import (
        check_named_clusters,
    )
    from ansible_collections.meshlab.envoy.plugins.plugin_utils._envoy_suggestions import with_suggestions
    from ansible_collections.meshlab.envoy.plugins.plugin_utils._worker_end import end_with_parent


class ActionModule(ActionBase):
    """Replaces `src` by `content` and data by text, and adds a candidate to each proxy."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module with the texts of the files, or fail with the location of a syntax error."""
        end_with_parent()
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        notes: list[str] = []
        try:
            files = arguments.get("files")
            proxies = arguments.get("proxies")
            if _is_list_of_dicts(files):
                arguments["files"] = [self._with_text(file) for file in files]
            if _is_list_of_dicts(files) and _is_list_of_dicts(proxies):
                arguments["files"], arguments["proxies"], notes = completed(arguments["files"], proxies)
        except (FileError, AnsibleError, OSError) as error:
            message = str(error).rstrip(".")
            return printable_result(
                **result, failed=True, changed=False, msg=f"{message}. Nothing was changed."
            )
        no_log = self._task.no_log
        # Only while the module starts: it then writes no options to the syslog of the host.
        self._task.no_log = no_log or any(file.get("sensitive") for file in _dicts(files))
        try:
            result.update(with_suggestions(self._execute_module(module_args=arguments, task_vars=task_vars)))
            if self._task.no_log:
                result.pop("invocation", None)
        finally:
            self._task.no_log = no_log
        if notes:
            result["warnings"] = [*notes, *result.get("warnings", ())]
        return printable_result(**result)

    def _with_text(self, file: dict[str, Any]) -> dict[str, Any]:
        file = dict(file)
        path = str(file.get("path", ""))
        if "src" in file and "content" not in file:
            source = self._find_needle("files", file.pop("src"))
            # The loader decrypts a file of Ansible Vault.
            file.update(text_or_base64(Path(self._loader.get_real_file(source)).read_bytes()))
        if file.get("content") is not None and file.get("encoding", "text") == "text":
            file["content"] = to_text(path, file["content"])
            if path.endswith((".yaml", ".yml", ".json")):
                check_syntax(path, file["content"])
        return file


def text_or_base64(content: bytes) -> dict[str, str]:
    """Return the keys `content` and, for bytes that are not text, `encoding` of a file."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return {"content": base64.b64encode(content).decode(), "encoding": "base64"}
    return {"content": text}


def completed(
    files: list[dict[str, Any]], proxies: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[str]]:
    """Return the files with a name for each listener, the proxies with their candidates, and a sentence about each added name.

    Raises:
        FileError: A file cannot be read by Envoy.
    """
    texts = {
        file["path"]: file["content"]
        for file in files
        if "path" in file and "content" in file and file.get("encoding", "text") == "text"
    }
    notes: list[str] = []
    for path in {str(proxy.get("listeners") or "") for proxy in proxies} & texts.keys():
        texts[path], added = with_listener_names(path, texts[path])
        notes += added
    named = [
        {**file, "content": texts[file["path"]]} if file.get("path") in texts else file for file in files
    ]
    return named, [_with_candidate(proxy, texts) for proxy in proxies], notes


def _with_candidate(proxy: dict[str, Any], texts: dict[str, str]) -> dict[str, Any]:
    if proxy.get("candidate") or not isinstance(proxy.get("name"), str):
        return proxy
    made = candidate(proxy, texts)
    if proxy.get("bootstrap"):
        kinds = ("bootstrap", "listeners", "clusters")
        own = {str(proxy[kind]): texts[str(proxy[kind])] for kind in kinds if proxy.get(kind)}
        check_named_clusters(str(proxy["bootstrap"]), own, has_other_clusters=not proxy.get("clusters"))
    return {**proxy, "candidate": made}


def _dicts(value: Any) -> list[dict[str, Any]]:
    return value if _is_list_of_dicts(value) else []


def _is_list_of_dicts(value: Any) -> bool:
    """Return whether `value` is a list of dictionaries. The module reports an error for anything else."""
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)
