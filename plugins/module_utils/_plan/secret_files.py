# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files with values that a demo takes from Ansible Vault or from a template: they are sensitive, wherever the value is."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.generated_files import File

# A shorter line of a value occurs in files by chance.
SHORTEST = 4


def with_sensitive_files(files: Sequence[File], secrets: Collection[str], key_mode: str) -> list[File]:
    """Return files of which those with a secret are sensitive. The watched files of a proxy are sensitive if one of them is.

    Args:
        files: Files of the plan.
        secrets: Values from Ansible Vault and from templates.
        key_mode: Permissions of a private key on the platform.
    """
    found = {file for file in files if file.sensitive or _has_secret(file.content, secrets)}
    proxies = {(file.host, file.live) for file in found if file.live}
    found |= {file for file in files if (file.host, file.live) in proxies}
    return [
        replace(file, sensitive=True, mode=key_mode if file.mode == "0644" else file.mode)
        if file in found
        else file
        for file in files
    ]


def refuse_secrets_in_objects(
    objects: Iterable[Mapping[str, Any]], secrets: Collection[str], file: str
) -> None:
    """Raise DemoError if an object other than a Secret contains a secret, as in an environment variable."""
    for one in objects:
        if one["kind"] != "Secret" and _has_secret(json.dumps(one, ensure_ascii=False), secrets):
            raise DemoError(
                file,
                f"{one['kind']} {one['metadata']['name']} would contain a value from Ansible Vault or a template, which all users of"
                " the namespace can read. Put the value into a file, not into a command or an environment variable.",
            )


def _has_secret(content: str | bytes, secrets: Collection[str]) -> bool:
    """Return whether a text contains the longest line of a secret: YAML indents the lines of a text."""
    text = content if isinstance(content, str) else content.decode(errors="replace")
    lines = [max((line.strip() for line in secret.splitlines()), key=len, default="") for secret in secrets]
    return any(line in text for line in lines if len(line) >= SHORTEST)
