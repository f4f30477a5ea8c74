# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pull of several images at once, with its progress in bytes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import CommandResult
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.progress import (
    Progress,
    no_progress,
    pulling_text,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.thread_pool import map_to_pairs
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_command import (
    DAEMON_ERROR,
    LONG_TIMEOUT,
    PROCESSES_AT_ONCE,
    DockerCommand,
    refused,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_output import PullOutput


def pull(
    docker: DockerCommand, images: Iterable[str], progress: Progress = no_progress
) -> list[PlatformRefused]:
    """Pull images, several at once; return an error for each that cannot be pulled. `progress` receives the bytes."""
    outputs = {image: PullOutput() for image in images}
    if outputs:
        progress(pulling_text([*outputs]))
    lock = threading.Lock()

    def pull_one(image: str) -> CommandResult:
        if progress is no_progress:
            return docker.run("pull", "--quiet", image, timeout=LONG_TIMEOUT)
        result = _pull_on_terminal(docker, image, lambda text: receive(image, text))
        with lock:
            ended.append(image)
        return result

    def receive(image: str, text: str) -> None:
        with lock:
            outputs[image].add(text)
            done = sum(one.done for one in outputs.values())
            total = sum(one.total for one in outputs.values())
            left = [one for one in outputs if one not in ended]
        progress(pulling_text(left, done, total))

    ended: list[str] = []
    pulled = map_to_pairs(pull_one, outputs, PROCESSES_AT_ONCE)
    return [refused(image, result) for image, result in pulled if result.exit_code]


def _pull_on_terminal(docker: DockerCommand, image: str, receive: Callable[[str], None]) -> CommandResult:
    """Pull an image with a terminal as its output, because Docker prints the sizes of layers only there."""
    try:
        result = docker.terminal_runner(["docker", "pull", image], LONG_TIMEOUT, receive)
    except OSError:  # no docker command, which `run` reports, or no pseudo-terminal
        return docker.run("pull", "--quiet", image, timeout=LONG_TIMEOUT)
    if result.exit_code and DAEMON_ERROR.search(result.stderr):
        raise refused("Docker", result)
    return result
