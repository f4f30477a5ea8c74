# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands that run in one container of an image, in a folder that the container can only read."""

from __future__ import annotations

import contextlib
import re
import secrets
import shlex
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import (
    CommandResult,
    CommandRunner,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import (
    ConfigRefused,
    RequirementMissing,
)

WORK_FOLDER = "/etc/envoy"
SCRATCH_FOLDER = "/tmp"  # noqa: S108 - a tmpfs of the container
# Commands that run at the same time in the container.
PARALLEL = 4
RUN_TIMEOUT = 300  # seconds, with the pull of the image
LIMITS = (
    "--network",
    "none",
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges",
    "--read-only",
    "--user",
    "101:101",
)
# Exit codes of `docker run` when the container's command did not run (the reference of `docker run`).
RUN_FAILED, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127
# What Docker and Podman print when a container did not start, although their exit code is that of a command.
NOT_STARTED = re.compile(r"exec format error|unable to upgrade to tcp, received 409|setrlimit", re.I)
# The error, by what Docker prints.
DOCKER_ERRORS: tuple[tuple[type[ConfigRefused], str, str], ...] = (
    (ConfigRefused, r"permission denied.*(docker\.sock|daemon socket)|dial unix .*permission denied",
     "This user may not use the Docker daemon. Add the user to the group 'docker' and log in again, or use become."),
    (RequirementMissing, r"cannot connect to the docker daemon|is the docker daemon running|error during connect",
     "The Docker daemon does not answer. Start it, or set DOCKER_HOST to its address."),
    (ConfigRefused, r"toomanyrequests|rate limit",
     "{image}: the registry's rate limit is reached. Wait, run `docker login`, or pull the image from a mirror."),
    (ConfigRefused, r"no matching manifest",
     "{image}: the image does not exist for the architecture of this machine. Choose another image."),
    (ConfigRefused, r"manifest unknown|manifest for .* not found|not found: manifest",
     "{image}: the image does not exist in its registry. Correct its tag."),
    (ConfigRefused, r"pull access denied|unauthorized|authentication required|access to the resource is denied",
     "{image}: the image does not exist, or is private. Correct its name, or run `docker login` on this host."),
    (ConfigRefused, r"invalid reference format",
     "{image}: this is not the name of an image. Correct it."),
    (ConfigRefused, r"dial tcp|no such host|i/o timeout|connection refused|tls handshake|deadline exceeded|server misbehaving",
     "{image}: the registry cannot be reached. Check the network, or run `docker load` on this host."),
    (ConfigRefused, r"setrlimit|unable to upgrade to tcp, received 409",
     "{image}: Podman cannot start the container. `docker run --detach {image}` prints the reason (setrlimit: see docs/platforms.md)."),
    (ConfigRefused, r"exec format error",
     "{image}: the image is built for another architecture. Choose the image for this machine."),
    (RequirementMissing, r"no such image|unable to find image",
     "{image}: this host does not have the image yet. Pull it."),
)  # fmt: skip


def run_in_container(
    image: str,
    commands: Sequence[Sequence[str]],
    folder: Path,
    writable: Sequence[str],
    pull: bool,
    runner: CommandRunner,
    directory: str = "",
    volumes: Sequence[tuple[str, str, str, bool]] = (),
) -> list[CommandResult]:
    """Run commands in one container, or in one container each when the image has no shell.

    Args:
        image: The image.
        commands: Programs with their arguments.
        folder: The folder that the container sees at WORK_FOLDER, read only.
        writable: Paths below `folder` that the container sees as empty and writable.
        pull: Whether an image that the host does not have is pulled.
        runner: Runs `docker`.
        directory: The working directory, relative to `folder`.
        volumes: Further volumes, as `Check.volumes` has them.

    Returns:
        The results, in the order of `commands`.

    Raises:
        ConfigRefused: Docker cannot run the image.
        RequirementMissing: Docker or the image is missing.
    """
    if len(commands) == 1:
        program, *arguments = commands[0]
        return [_docker_run(image, program, arguments, folder, writable, pull, runner, directory, volumes)]
    mark = secrets.token_hex(8)
    script = ["-c", _script(commands, mark)]
    combined = _docker_run(image, "sh", script, folder, writable, pull, runner, directory, volumes)
    outputs = re.findall(rf"^{mark} (\d+) (\d+)\n(.*?)^{mark} end\n", combined.stdout, re.S | re.M)
    if len(outputs) == len(commands):
        return [
            CommandResult(int(exit_code), output, "")
            for _number, exit_code, output in sorted(outputs, key=lambda match: int(match[0]))
        ]
    if combined.exit_code not in (NOT_EXECUTABLE, NOT_FOUND):
        failed = CommandResult(
            combined.exit_code or 1, "", combined.stderr or combined.stdout, combined.timed_out
        )
        return [failed] * len(commands)
    return [
        _docker_run(image, command[0], command[1:], folder, writable, pull, runner, directory, volumes)
        for command in commands
    ]


def docker_error(image: str, stderr: str) -> ConfigRefused:
    """Return the error for what Docker printed; RequirementMissing when Docker or the image is missing."""
    for kind, pattern, text in DOCKER_ERRORS:
        if re.search(pattern, stderr, re.I | re.S):
            return kind(text.format(image=image))
    last = [line for line in stderr.strip().splitlines() if line and "--help" not in line][-1:] or [
        "no reason given"
    ]
    return ConfigRefused(f"{image}: Docker cannot run the image: {last[0].removeprefix('docker: ')}")


def _docker_run(
    image: str,
    program: str,
    arguments: Sequence[str],
    folder: Path,
    writable: Sequence[str],
    pull: bool,
    runner: CommandRunner,
    directory: str,
    volumes: Sequence[tuple[str, str, str, bool]],
) -> CommandResult:
    name = f"meshlab-envoy-check-{secrets.token_hex(6)}"
    tmpfs = [
        option
        for path in (SCRATCH_FOLDER, *(f"{WORK_FOLDER}/{path}" for path in writable))
        for option in ("--tmpfs", f"{path}:mode=1777")
    ]
    options = ["--rm", "--name", name, *LIMITS, *([] if pull else ["--pull", "never"]), *tmpfs]
    # `z` lets the container read the folder, which belongs to this collection, on a host with SELinux. Elsewhere it has no effect.
    mounts = [
        "--volume",
        f"{folder}:{WORK_FOLDER}:ro,z",
        "--workdir",
        f"{WORK_FOLDER}/{directory}".rstrip("/"),
    ]
    for kind, target, source, _writable in volumes:
        # A validation writes nothing to a directory of the host.
        mounts += (
            ["--tmpfs", f"{target}:mode=1777"] if kind == "empty" else ["--volume", f"{source}:{target}:ro"]
        )
    command = ["docker", "run", *options, *mounts, "--entrypoint", program, image, *arguments]
    try:
        result = runner(command, None, RUN_TIMEOUT)
    except OSError:
        raise RequirementMissing(
            "docker: this host does not have the command. Install Docker, or use the platform 'local'."
        ) from None
    if result.timed_out:
        with contextlib.suppress(OSError):
            runner(["docker", "rm", "--force", name], None, 30)
    if result.exit_code == RUN_FAILED or NOT_STARTED.search(result.stderr):
        raise docker_error(image, result.stderr)
    return result


def _script(commands: Sequence[Sequence[str]], mark: str) -> str:
    """Return the shell script that runs the commands, and prints each output between two lines that only `mark` can begin."""
    lines = []
    for number, command in enumerate(commands):
        output = f"{SCRATCH_FOLDER}/{number}"
        lines.append(f"( {shlex.join(command)} >{output} 2>&1; echo $? >{output}.code ) &")
        if number % PARALLEL == PARALLEL - 1:
            lines.append("wait")
    lines.append("wait")
    for number in range(len(commands)):
        output = f"{SCRATCH_FOLDER}/{number}"
        lines += [
            f"echo {mark} {number} $(cat {output}.code)",
            f"cat {output}",
            "echo",
            f"echo {mark} end",
        ]
    return "\n".join(lines)
