# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks of a staged folder, which find faults before anything is changed."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import (
    CommandResult,
    CommandRunner,
    not_started,
    program_fingerprint,
    program_path,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.thread_pool import map_to_pairs
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import Check
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import (
    ConfigRefused,
    RequirementMissing,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.state_file import sha256
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation import container_checks
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.error_location import (
    locate_error,
)

CHECK_TIMEOUT = 60  # seconds
# The output of `envoy --version`.
VERSION = re.compile(r"version: [0-9a-f]+/(?P<version>\d+\.\d+\.\d+\S*?)/")
SHARED_LIBRARY = re.compile(r"error while loading shared libraries: .*|version `\S+' not found.*")
# Exit codes of a shell for a command that SIGILL or SIGSEGV ended.
ENDED_BY_SIGILL, ENDED_BY_SIGSEGV = 132, 139

# What Envoy prints for a file that does not exist.
MISSING_FILE = re.compile(
    r"(?:Invalid path: |[Ff]ile )(?P<path>/\S*[^\s.])|(?P<module>\S+\.so) not found in any search path"
)


@dataclass(frozen=True)
class Job:
    """One command to run.

    Attributes:
        image: Image whose container runs it. None runs it on the host.
        command: The program and its arguments.
        check: The check of the command. None when the command prints the version of the program.
        version: The version that the program must print.
    """

    image: str | None
    command: tuple[str, ...]
    check: Check | None = None
    version: str | None = None

    @property
    def directory(self) -> str:
        """The working directory, relative to the staged folder."""
        return self.check.directory if self.check else ""


def own_directories(check: Check) -> set[str]:
    """Return the top-level directories that a check reads; empty if it can read all files.

    A proxy reads only the files in its own top-level directories. A check with a file outside a directory can read all files.
    """
    if not all("/" in path for path in check.validated_files):
        return set()
    return {path.partition("/")[0] for path in check.validated_files}


def check_digest(check: Check, contents: Mapping[str, bytes]) -> str:
    """Return a digest that changes when `check` must run again: of its command, its program and the files that it can read.

    Args:
        check: The check.
        contents: The content of all files of the folder, by path.
    """
    tops = own_directories(check)
    readable = {
        path: sha256(content)
        for path, content in contents.items()
        if not tops or path.partition("/")[0] in tops
    }
    own_files = {file.path: sha256(file.content) for file in check.files}
    program = check.image or program_fingerprint(check.command[0])
    return sha256(
        repr(
            (check.command, check.version, program, sorted(own_files.items()), sorted(readable.items()))
        ).encode()
    )


def run_checks(
    checks: Sequence[Check],
    folder: Path,
    texts: Mapping[str, str],
    writable: Sequence[str],
    pull: bool,
    runner: CommandRunner,
) -> list[str]:
    """Run checks in parallel; return warnings about files that only another machine has.

    Args:
        checks: The checks.
        folder: The staged folder, which is the working directory of each check.
        texts: The text of all deployed files by path, in which errors are located.
        writable: Paths of directories that a container sees as empty and writable.
        pull: Whether an image that the host does not have is pulled.
        runner: Runs the commands.

    Raises:
        ConfigRefused: At least one check failed, with one finding for each.
        RequirementMissing: A program, an image or Docker is missing.
    """
    version_jobs = dict.fromkeys(
        Job(check.image, (check.command[0], "--version"), None, check.version)
        for check in checks
        if check.version
    )
    jobs = [*version_jobs, *(Job(check.image, check.command, check) for check in checks)]
    results: dict[Job, CommandResult] = {}
    containers: dict[tuple[str, str, tuple[Any, ...]], list[Job]] = {}
    for job in jobs:
        if job.image:
            volumes = job.check.volumes if job.check else ()
            containers.setdefault((job.image, job.directory, volumes), []).append(job)
    for (image, directory, volumes), image_jobs in containers.items():
        image_results = container_checks.run_in_container(
            image, [job.command for job in image_jobs], folder, writable, pull, runner, directory, volumes
        )
        results.update(zip(image_jobs, image_results))
    host_jobs = [job for job in jobs if not job.image]
    results.update(
        map_to_pairs(
            lambda job: _run_on_host(job, folder, runner), host_jobs, threads=max(2, os.cpu_count() or 2)
        )
    )
    for job, result in results.items():
        _require_envoy_ran(job, result)
    failed = {
        job.check: f"{result.stdout}\n{result.stderr}"
        for job, result in results.items()
        if job.check and result.exit_code != 0
    }
    elsewhere = {check: path for check, output in failed.items() if (path := _path_elsewhere(check, output))}
    findings = [
        locate_error(check, output, texts) for check, output in failed.items() if check not in elsewhere
    ]
    if findings:
        # The replicas of a service have the same fault of the author.
        unique = {
            (one.file, one.key, one.message.partition(": ")[2] if one.key else one): one
            for one in findings[::-1]
        }
        raise ConfigRefused(list(unique.values())[::-1])
    return [
        f"{check.name}: this host does not have {path}, so only the Envoy that runs the configuration validates it completely."
        for check, path in elsewhere.items()
    ]


def _path_elsewhere(check: Check, output: str) -> str:
    """Return the path that a failed check misses on this host, if the configuration runs on another machine. Empty: none."""
    found = MISSING_FILE.search(output) if check.elsewhere else None
    return (found["path"] or found["module"]) if found else ""


def _run_on_host(job: Job, folder: Path, runner: CommandRunner) -> CommandResult:
    program = program_path(job.command[0])
    try:
        return runner([program, *job.command[1:]], folder / job.directory, CHECK_TIMEOUT)
    except OSError as error:
        problem = not_started(job.command[0], error)
        raise (RequirementMissing if problem.is_missing else ConfigRefused)(str(problem)) from None


def _require_envoy_ran(job: Job, result: CommandResult) -> None:
    """Raise ConfigRefused when the program did not run to its end, is not an Envoy, or has another version."""
    program = job.command[0]
    where = f"{program} in {job.image}" if job.image else program
    output = f"{result.stdout}\n{result.stderr}"
    if missing := SHARED_LIBRARY.search(output):
        raise ConfigRefused(
            f"{where}: it cannot run on this host ({missing.group()}). Use a build for this host, or an image."
        )
    if result.exit_code < 0 or result.exit_code in (ENDED_BY_SIGILL, ENDED_BY_SIGSEGV):
        signal = -result.exit_code if result.exit_code < 0 else result.exit_code - 128
        raise ConfigRefused(
            f"{where}: it was ended by signal {signal}. Use a build for this machine, or provide more memory."
        )
    if job.image and result.exit_code in (container_checks.NOT_EXECUTABLE, container_checks.NOT_FOUND):
        raise ConfigRefused(
            f"{job.image}: {program} is not in the image or not executable. Correct the image or the command."
        )
    if result.timed_out:
        raise ConfigRefused(
            f"{where}: {result.stderr}. Reduce the load of the host, and check that the program is an Envoy."
        )
    found = VERSION.search(output)
    if job.check is None:
        if not found:
            raise ConfigRefused(
                f"{where}: it is not an Envoy; `--version` printed {_shortened(output)}. Use an Envoy."
            )
        if found.group("version") != job.version:
            raise ConfigRefused(
                f"{where}: expected Envoy {job.version}, got {found.group('version')}. Change the version or the program."
            )
    elif "validate" in job.command and result.exit_code == 0 and "OK" not in output:
        raise ConfigRefused(
            f"{where}: it is not an Envoy; `--mode validate` printed {_shortened(output)}. Use an Envoy."
        )


def _shortened(output: str) -> str:
    text = " ".join(output.split())
    return repr(text[:80] + "…" if len(text) > 80 else text) if text else "nothing"
