# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the checks of a staged folder: whatever is wrong is found before anything is changed."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common.command import (
    CommandResult,
    CommandRunner,
    not_started,
    program_fingerprint,
    program_path,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.thread_pool import map_to_pairs
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import Check
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import (
    ConfigRefused,
    RequirementMissing,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.state_file import sha256
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation import container_checks
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.error_location import finding

UNCHANGED = "Nothing was changed; what runs goes on as it was."
VERSION = re.compile(r"version: [0-9a-f]+/(?P<version>\d+\.\d+\.\d+\S*?)/")
SHARED_LIBRARY = re.compile(r"error while loading shared libraries: .*|version `\S+' not found.*")


@dataclass(frozen=True)
class Job:
    """One command to run: a check itself, or (with `check` None) the question for a program's version."""

    image: str | None
    command: tuple[str, ...]
    check: Check | None = None
    wanted: str | None = None


def digest(check: Check, contents: Mapping[str, bytes]) -> str:
    """Return what changes when `check` has to be run again: itself, its program, what it may read."""
    # A proxy's files lie in a folder of its own. Where one does not, it may read anything.
    tops = (
        {path.partition("/")[0] for path in check.validated_files}
        if all("/" in path for path in check.validated_files)
        else set()
    )
    read = {
        path: sha256(content)
        for path, content in contents.items()
        if not tops or path.partition("/")[0] in tops
    }
    own = {file.path: sha256(file.content) for file in check.files}
    program = check.image or program_fingerprint(check.command[0])
    return sha256(
        repr((check.command, check.version, program, sorted(own.items()), sorted(read.items()))).encode()
    )


def run_checks(
    checks: Sequence[Check],
    folder: Path,
    texts: Mapping[str, str],
    writable: Sequence[str],
    pull: bool,
    runner: CommandRunner,
) -> None:
    """Run `checks` in the staged `folder`, side by side. Raises ConfigRefused with all that is wrong, RequirementMissing."""
    asked = dict.fromkeys(
        Job(check.image, (check.command[0], "--version"), None, check.version)
        for check in checks
        if check.version
    )
    jobs = [*asked, *(Job(check.image, check.command, check) for check in checks)]
    ends: dict[Job, CommandResult] = {}
    for image in dict.fromkeys(job.image for job in jobs if job.image):
        mine = [job for job in jobs if job.image == image]
        rans = container_checks.run_all(image, [job.command for job in mine], folder, writable, pull, runner)
        ends.update(zip(mine, rans, strict=True))
    here = [job for job in jobs if not job.image]
    ends.update(
        map_to_pairs(lambda job: _run_here(job, folder, runner), here, threads=max(2, os.cpu_count() or 2))
    )
    for job, ran in ends.items():
        _runs_at_all(job, ran)
    wrong = [
        finding(job.check, f"{ran.stdout}\n{ran.stderr}", texts)
        for job, ran in ends.items()
        if job.check and ran.exit_code != 0
    ]
    if wrong:
        raise ConfigRefused(wrong, outcome=UNCHANGED)


def _run_here(job: Job, folder: Path, runner: CommandRunner) -> CommandResult:
    program = program_path(job.command[0])
    try:
        return runner([program, *job.command[1:]], folder, 60)
    except OSError as error:
        problem = not_started(job.command[0], error)
        raise (RequirementMissing if problem.is_missing else ConfigRefused)(str(problem)) from None


def _runs_at_all(job: Job, ran: CommandResult) -> None:
    """Raise ConfigRefused for a program that cannot run here, or is another than the one it is taken for."""
    program = job.command[0]
    where = f"{program} in {job.image}" if job.image else program
    output = f"{ran.stdout}\n{ran.stderr}"
    if missing := SHARED_LIBRARY.search(output):
        raise ConfigRefused(
            f"{where} cannot run on this host ({missing.group()}): get a build for it, or use the image."
        )
    if ran.exit_code < 0 or ran.exit_code in (132, 139):
        signal = -ran.exit_code if ran.exit_code < 0 else ran.exit_code - 128
        raise ConfigRefused(
            f"{where} was ended by signal {signal}: it is not for this machine, or memory is short."
        )
    if ran.exit_code in (container_checks.NOT_EXECUTABLE, container_checks.NOT_FOUND) and job.image:
        raise ConfigRefused(
            f"{program} is not in {job.image}, or cannot be executed there: correct the image or the command."
        )
    if ran.timed_out:
        raise ConfigRefused(
            f"{where}: {ran.stderr}; the host is overloaded, or it is not the program it is taken for."
        )
    found = VERSION.search(output)
    if job.check is None:
        if not found:
            raise ConfigRefused(f"{where} is not an Envoy: asked for its version it says {_short(output)}.")
        if found.group("version") != job.wanted:
            raise ConfigRefused(
                f"{where} is Envoy {found.group('version')}, and {job.wanted} is wanted: change one of them."
            )
    elif "validate" in job.command and ran.exit_code == 0 and "OK" not in output:
        raise ConfigRefused(f"{where} is not an Envoy: asked to validate it says {_short(output)}.")


def _short(output: str) -> str:
    words = " ".join(output.split())
    return repr(words[:80] + "…" if len(words) > 80 else words) if words else "nothing"
