# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which programs a host does not have, so that a play runs the tasks that install them only then."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.cached_version import (
    version_output,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.user_folder import expanded_path

# The option `programs` of deployment_info: the programs to look for.
PROGRAMS: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "default": [],
    "options": {
        "name": {"type": "str", "required": True},
        "executable": {"type": "path", "required": True},
        "version": {"type": "str", "default": ""},
    },
}
# Programs that all demos need on a host that runs them itself.
ALWAYS = ("supervisord",)


def missing_programs(programs: Iterable[Mapping[str, Any]], cache: str, check_mode: bool) -> list[str]:
    """Return the names of the programs that do not exist or have another version.

    Args:
        programs: The programs, as PROGRAMS has them.
        cache: Folder of the installed executables, which has the cached versions. Empty: no version is cached.
        check_mode: Whether to cache no further version.

    Example:
        >>> missing_programs([{"name": "shell", "executable": "sh"}, {"name": "gone", "executable": "/no/gone"}], "", True)
        ['gone']
    """
    folder = Path(expanded_path(cache)).absolute() if cache else None
    return [str(one["name"]) for one in programs if not _is_there(one, folder, check_mode)]


def programs_to_provide(
    missing: Collection[str], provided: Iterable[str], plan: Mapping[str, Any]
) -> list[str]:
    """Return the names of the programs that a plan needs and that are missing, or provided in each run.

    Args:
        missing: Names of the programs that the host does not have.
        provided: Names of the programs that are provided in each run.
        plan: The plan.

    Example:
        >>> plan = {"programs": ["envoy", "demo_app"], "certificates": []}
        >>> programs_to_provide(["openssl", "envoy", "supervisord"], ["demo_app"], plan)
        ['envoy', 'supervisord', 'demo_app']
    """
    needed = {*ALWAYS, *plan["programs"], *(["openssl"] if plan["certificates"] else [])}
    return [name for name in dict.fromkeys((*missing, *provided)) if name in needed]


def _is_there(program: Mapping[str, Any], cache: Path | None, check_mode: bool) -> bool:
    executable = expanded_path(str(program["executable"]))
    if not executable or not shutil.which(executable):
        return False
    # `envoy --version` prints the commit, the version, the state of its sources and the kind of its build, with slashes between them.
    version = program.get("version")
    return not version or f"/{version}/" in version_output(executable, cache, writes=not check_mode)
