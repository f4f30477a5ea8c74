# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The logs of a workload: one file for each generation, of which the last two stay. `<workload>.log` is the last one."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import file_tree
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.documents import LOGS, log_path
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement.generations import (
    generation_of,
    workload_name,
)

# `edge.log`, `edge.2.log`, and the older parts `edge.log.1` of a log.
_LOG = re.compile(r"(?P<program>.+)\.log(?:\.\d+)?")
# The log of generation 0 when another generation has taken over, because `<workload>.log` is then a symbolic link.
_FIRST = "{workload}.0"


def make_way(folder: Path, program: str) -> None:
    """Remove the symbolic link with the name of a log that supervisord is going to create."""
    if (folder / log_path(program)).is_symlink():
        file_tree.remove_file(folder, log_path(program))


def logs_of(folder: Path, workload: str) -> list[Path]:
    """Return the logs of the generations of a workload, the oldest first."""
    found = {
        generation_of(program): path
        for program, path in _logs(folder)
        if workload_name(program) == workload and path.suffix == ".log" and not path.is_symlink()
    }
    return [path for _generation, path in sorted(found.items())]


def replace_log(folder: Path, program: str, previous: str) -> None:
    """Make `<workload>.log` the log of `program`, and keep the log of the previous generation, which has ended."""
    workload = workload_name(program)
    if program == workload:
        return
    kept = {program, previous}
    if previous == workload:
        kept = {program, _FIRST.format(workload=workload)}
        for name, path in _logs(folder):
            if name == workload and not path.is_symlink():
                ending = path.name[len(workload) :]
                path.replace(path.with_name(_FIRST.format(workload=workload) + ending))
    remove_logs(folder, [workload], kept)
    link, new = folder / log_path(workload), folder / LOGS / f".{workload}.log"
    with contextlib.suppress(OSError):
        new.unlink(missing_ok=True)
        new.symlink_to(Path(log_path(program)).name)
        os.replace(new, link)


def remove_logs(folder: Path, workloads: Iterable[str], kept: Iterable[str] = ()) -> None:
    """Remove the logs of workloads, except those of the programs `kept`."""
    names, programs = {*workloads}, {*kept}
    for program, path in _logs(folder):
        if workload_name(program) in names and program not in programs:
            file_tree.remove_file(folder, f"{LOGS}/{path.name}")


def _logs(folder: Path) -> list[tuple[str, Path]]:
    """Return the program and the path of each log."""
    names = file_tree.names(folder, LOGS)
    return [(found["program"], folder / LOGS / name) for name in names if (found := _LOG.fullmatch(name))]
