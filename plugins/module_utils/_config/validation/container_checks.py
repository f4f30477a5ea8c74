# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs many commands in one container of an image, in a folder that it can only read."""

from __future__ import annotations

import contextlib
import re
import secrets
import shlex
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common.command import (
    CommandResult,
    CommandRunner,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import (
    ConfigRefused,
    RequirementMissing,
)

HOME = "/etc/envoy"
SCRATCH = "/tmp"  # noqa: S108 - inside the container, and its own
TOGETHER = 4
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
# Ends of `docker run` itself, as against those of the command in the container.
FAILED, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127
SENTENCES: tuple[tuple[type[ConfigRefused], str, str], ...] = (
    (ConfigRefused, r"permission denied.*(docker\.sock|daemon socket)|dial unix .*permission denied",
     "This user may not use the Docker daemon: add them to the group 'docker' and log in again, or use become."),
    (RequirementMissing, r"cannot connect to the docker daemon|is the docker daemon running|error during connect",
     "The Docker daemon does not answer: start it, or say where it is with DOCKER_HOST."),
    (ConfigRefused, r"toomanyrequests|rate limit",
     "{image} cannot be pulled now: the registry limits how often; wait, `docker login`, or pull it from a mirror."),
    (ConfigRefused, r"no matching manifest",
     "{image} does not exist for this machine's architecture: choose another image."),
    (ConfigRefused, r"manifest unknown|manifest for .* not found|not found: manifest",
     "{image} does not exist in its registry: correct its tag."),
    (ConfigRefused, r"pull access denied|unauthorized|authentication required|access to the resource is denied",
     "{image} cannot be pulled: it does not exist, or needs a `docker login` on this host."),
    (ConfigRefused, r"invalid reference format",
     "{image} is not an image's name: correct it."),
    (ConfigRefused, r"dial tcp|no such host|i/o timeout|connection refused|tls handshake|deadline exceeded|server misbehaving",
     "{image} cannot be pulled because its registry cannot be reached: check the network, or `docker load` it on this host."),
    (ConfigRefused, r"exec format error",
     "{image} is built for another architecture than this machine's: choose the image for this one."),
    (RequirementMissing, r"no such image|unable to find image",
     "{image} is not on this host yet."),
)  # fmt: skip


def run_all(
    image: str,
    commands: Sequence[Sequence[str]],
    folder: Path,
    writable: Sequence[str],
    pull: bool,
    runner: CommandRunner,
) -> list[CommandResult]:
    """Return how each of `commands` ended. `writable` are paths below `folder` that are empty and writable inside.

    Raises ConfigRefused when the image cannot be run.
    """
    if len(commands) == 1:
        return [_run(image, commands[0][0], commands[0][1:], folder, writable, pull, runner)]
    mark = secrets.token_hex(8)
    together = _run(image, "sh", ["-c", _script(commands, mark)], folder, writable, pull, runner)
    found = re.findall(rf"^{mark} (\d+) (\d+)\n(.*?)^{mark} end\n", together.stdout, re.S | re.M)
    if len(found) == len(commands):
        return [
            CommandResult(int(code), output, "")
            for _number, code, output in sorted(found, key=lambda one: int(one[0]))
        ]
    if together.exit_code not in (NOT_EXECUTABLE, NOT_FOUND):
        return [CommandResult(together.exit_code or 1, "", together.stderr or together.stdout)] * len(
            commands
        )
    # The image has no shell.
    return [_run(image, one[0], one[1:], folder, writable, pull, runner) for one in commands]


def _run(
    image: str,
    program: str,
    arguments: Sequence[str],
    folder: Path,
    writable: Sequence[str],
    pull: bool,
    runner: CommandRunner,
) -> CommandResult:
    name = f"meshlab-envoy-check-{secrets.token_hex(6)}"
    places = [
        option
        for path in (SCRATCH, *(f"{HOME}/{one}" for one in writable))
        for option in ("--tmpfs", f"{path}:mode=1777")
    ]
    options = ["--rm", "--name", name, *LIMITS, *([] if pull else ["--pull", "never"]), *places]
    mounts = ["--volume", f"{folder}:{HOME}:ro", "--workdir", HOME]
    try:
        ran = runner(
            ["docker", "run", *options, *mounts, "--entrypoint", program, image, *arguments], None, 300
        )
    except OSError:
        raise RequirementMissing(
            "The docker command is not on this host: install Docker, or use the local platform."
        ) from None
    if ran.exit_code == 124:
        with contextlib.suppress(OSError):
            runner(["docker", "rm", "--force", name], None, 30)
    if ran.exit_code == FAILED or re.search(r"exec format error", ran.stderr, re.I):
        raise complaint(image, ran.stderr)
    return ran


def complaint(image: str, err: str) -> ConfigRefused:
    """Return what to do about Docker's complaint `err`; RequirementMissing where Docker or the image is merely not there yet."""
    for kind, pattern, words in SENTENCES:
        if re.search(pattern, err, re.I | re.S):
            return kind(words.format(image=image))
    last = [line for line in err.strip().splitlines() if line and "--help" not in line][-1:] or [
        "no reason given"
    ]
    return ConfigRefused(f"Docker could not run {image}: {last[0].removeprefix('docker: ')}")


def _script(commands: Sequence[Sequence[str]], mark: str) -> str:
    """A few at a time; each output between two lines that no program writes by itself."""
    lines = []
    for number, command in enumerate(commands):
        lines.append(
            f"( {shlex.join(command)} >{SCRATCH}/{number} 2>&1; echo $? >{SCRATCH}/{number}.code ) &"
        )
        if number % TOGETHER == TOGETHER - 1:
            lines.append("wait")
    lines.append("wait")
    for number in range(len(commands)):
        lines += [
            f"echo {mark} {number} $(cat {SCRATCH}/{number}.code)",
            f"cat {SCRATCH}/{number}",
            "echo",
            f"echo {mark} end",
        ]
    return "\n".join(lines)
