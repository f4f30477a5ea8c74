# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The docker command and its compose plugin, for one compose project."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import (
    CommandResult,
    run,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.terminal_command import (
    run_on_terminal,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.thread_pool import map_to_pairs
from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import attempts
from ansible_collections.meshlab.envoy.plugins.module_utils._common.timeout_errors import TIMEOUT_ERRORS
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import RequirementMissing
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.container_checks import (
    docker_error,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    PlatformFailed,
    PlatformRefused,
    PlatformUnavailable,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.daemon.compose_plugin import (
    compose_program,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.daemon.docker_engine import (
    DockerEngine,
    EngineUnavailable,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_output import (
    COLUMNS,
    InspectedContainer,
    ListedContainer,
    listed_container,
    parse_inspected,
    parse_listed,
)

T = TypeVar("T")

# The first version with all of --dry-run, --progress and depends_on.restart.
OLDEST_COMPOSE = (2, 20)
LONG_TIMEOUT = 600  # seconds, for commands that pull images or wait for containers to stop
# Seconds for all other commands. `docker inspect` of a hundred containers that start took more than 60 s on two busy cores.
TIMEOUT = 180
PROCESSES_AT_ONCE = 8

RETRY_SECONDS = 120  # until a command that Docker could not run at that moment is not repeated any more
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 2.0  # seconds between two attempts

# Errors that pass by themselves: a container that is being removed, a connection that the daemon or a registry closed.
_PASSING_ERROR = re.compile(
    r"has active endpoints|removal of container \S+ is already in progress|is marked for removal|is being removed|i/o timeout"
    r"|did not receive an exit event|TLS handshake timeout|connection reset by peer|unexpected EOF|context deadline exceeded",
    re.I,
)
DAEMON_ERROR = re.compile(
    r"cannot connect to the docker daemon|permission denied|error during connect|is the docker daemon running",
    re.I,
)


class DockerTimeout(PlatformFailed):
    """A docker command did not end in time: the daemon hangs, or the machine is busy."""


def run_docker(command: Sequence[str], timeout: float, stdin: str = "") -> CommandResult:
    """Run a command without the variables COMPOSE_*, which a user sets for other compose projects."""
    return run(command, Path("/"), timeout, stdin, _environment())


def run_docker_on_terminal(
    command: Sequence[str], timeout: float, receive: Callable[[str], None]
) -> CommandResult:
    """Run a command that prints to a pseudo-terminal."""
    return run_on_terminal(command, timeout, {**_environment(), "TERM": "xterm"}, receive)


def _environment() -> dict[str, str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COMPOSE_")}
    return {**environment, "LC_ALL": "C"}


@dataclass
class DockerCommand:
    """The docker command for one project. Each method raises PlatformUnavailable where docker or its daemon cannot be used.

    Attributes:
        project: The name of the compose project.
        folder: The folder of compose.yaml.
        runner: Runs a command; a test replaces it.
        terminal_runner: Runs a command whose output is a terminal; a test replaces it.
        engine: The API of the daemon, for the calls that are made often. None: each call is a docker command.
        compose_program: Path of the compose plugin. Empty: the docker command finds it.
    """

    project: str
    folder: Path
    runner: Callable[..., CommandResult] = field(default_factory=lambda: run_docker)
    terminal_runner: Callable[..., CommandResult] = field(default_factory=lambda: run_docker_on_terminal)
    engine: DockerEngine | None = None
    compose_program: str = ""

    @classmethod
    def of_host(cls, project: str, folder: Path) -> DockerCommand:
        """Return the docker command of this host, with the API of the daemon if it is on a Unix socket."""
        return cls(
            project,
            folder,
            engine=DockerEngine.of_environment(),
            compose_program=compose_program(),
        )

    def run(self, *arguments: str, timeout: float = TIMEOUT, stdin: str = "") -> CommandResult:
        """Run `docker` with `arguments`, whatever its exit code is. Raises DockerTimeout after `timeout` seconds."""
        result = self.result(*arguments, timeout=timeout, stdin=stdin)
        if result.timed_out:
            raise DockerTimeout(_timeout_text(arguments[0], timeout))
        return result

    def result(self, *arguments: str, timeout: float, stdin: str = "") -> CommandResult:
        """Run `docker` with `arguments`, as `run` does, and return `timed_out` after `timeout` seconds."""
        program, *words = ["docker", *arguments]
        if self.compose_program and arguments[0] == "compose":
            program, words = self.compose_program, [*arguments[1:]]
        try:
            result = self.runner([program, *words], timeout, stdin)
        except FileNotFoundError:
            raise PlatformUnavailable(
                "This host has no docker command. Install Docker, or use the platform local"
            ) from None
        if result.exit_code and DAEMON_ERROR.search(result.stderr):
            raise refused("Docker", result)
        return result

    def retried(
        self,
        call: Callable[[], CommandResult],
        passes: Callable[[str], bool] | None = None,
        timeout: float = RETRY_SECONDS,
    ) -> CommandResult:
        """Return the result of a command that is safe to repeat, repeated after errors that pass by themselves.

        Args:
            call: Runs the command.
            passes: Whether a further error, the text that the command printed, passes by itself.
            timeout: Seconds until the command is not repeated any more.
        """
        for _left in attempts(timeout, first_pause=FIRST_PAUSE, longest_pause=LONGEST_PAUSE):
            result = call()
            known = _PASSING_ERROR.search(result.stderr) or (passes and passes(result.stderr))
            if not result.exit_code or not known:
                break
        return result

    def run_each(self, command: str, containers: Sequence[str]) -> None:
        """Run a command such as `stop` for each container, several at once."""
        map_to_pairs(
            lambda container: self.run(command, container, timeout=LONG_TIMEOUT),
            containers,
            PROCESSES_AT_ONCE,
        )

    def compose(self, *arguments: str, document: str | None = None) -> CommandResult:
        """Run `docker compose` with the folder's compose.yaml, or with the text `document` in its place."""
        file = str(self.folder / "compose.yaml") if document is None else "-"
        options = ["--project-directory", str(self.folder), "--file", file]
        return self.compose_project(*options, *arguments, stdin=document or "")

    def compose_project(self, *arguments: str, stdin: str = "") -> CommandResult:
        """Run `docker compose` for the project by its name, without a file."""
        options = ["--ansi", "never", "--progress", "plain", "--project-name", self.project]
        return self.run("compose", *options, *arguments, timeout=LONG_TIMEOUT, stdin=stdin)

    def compose_up(self, *arguments: str, passes: Callable[[str], bool] | None = None) -> CommandResult:
        """Run `docker compose up` for the folder's compose.yaml, repeated as `retried` describes."""
        command = ("up", "--detach", "--no-build", "--quiet-pull", *arguments)
        return self.retried(lambda: self.compose(*command), passes)

    def remove(self, containers: Sequence[str]) -> CommandResult:
        """Remove containers with their anonymous volumes, repeated as `retried` describes."""
        return self.retried(lambda: self.run("rm", "--force", "--volumes", *containers))

    def compose_version(self) -> str:
        """Return the version of the compose plugin, an empty text where it is not installed."""
        result = self.run("compose", "version", "--short")
        return result.stdout.strip().removeprefix("v") if result.exit_code == 0 else ""

    def containers(self) -> list[ListedContainer]:
        """Return all containers of the daemon, also those of other projects."""

        def listed(engine: DockerEngine) -> list[ListedContainer]:
            return [listed_container(entry) for entry in engine.containers(TIMEOUT)]

        found = self._from_engine("ps", listed)
        if found is not None:
            return found
        result = self.run("ps", "--all", "--no-trunc", "--format", "\t".join(COLUMNS))
        if result.exit_code:
            raise PlatformUnavailable(f"`docker ps` fails: {result.last_line}")
        return [parse_listed(line) for line in result.stdout.splitlines() if line.strip()]

    def inspect(self, names: Iterable[str]) -> dict[str, InspectedContainer]:
        """Return the containers of these names by service; those that do not exist are left out."""
        listed = list(names)
        if not listed:
            return {}

        def inspected(engine: DockerEngine) -> dict[str, InspectedContainer]:
            found = map(parse_inspected, engine.inspect(listed, TIMEOUT))
            return {container.service: container for container in found}

        containers = self._from_engine("container inspect", inspected)
        if containers is not None:
            return containers
        result = self.run("container", "inspect", *listed)
        try:
            found = [parse_inspected(entry) for entry in json.loads(result.stdout or "[]")]
        except (ValueError, KeyError, TypeError):
            raise PlatformUnavailable(f"`docker container inspect` fails: {result.last_line}") from None
        return {container.service: container for container in found}

    def missing_images(self, images: Iterable[str]) -> list[str]:
        """Return those of `images` that the daemon does not have."""
        needed = list(dict.fromkeys(images))

        def missing(engine: DockerEngine) -> list[str]:
            return [image for image in needed if not engine.has_image(image, TIMEOUT)]

        found = self._from_engine("image inspect", missing)
        if found is not None:
            return found
        inspected = map_to_pairs(
            lambda image: self.run("image", "inspect", "--format", "{{.Id}}", image),
            needed,
            PROCESSES_AT_ONCE,
        )
        return [image for image, result in inspected if result.exit_code]

    def logs(
        self, container: str, lines: int, since: float | None = None, timeout: float = TIMEOUT
    ) -> list[str]:
        """Return the last lines of a container's log, or of its part since a time, in seconds since the epoch."""
        part = () if since is None else ("--since", f"{since:.3f}")
        result = self.run("logs", "--tail", str(lines), *part, container, timeout=timeout)
        # Envoy writes its access log to standard output, and all else to standard error.
        return [] if result.exit_code else [*result.stdout.splitlines(), *result.stderr.splitlines()]

    def _from_engine(self, command: str, call: Callable[[DockerEngine], T]) -> T | None:
        """Return what the API of the daemon returns in place of a command. None: it cannot be used, so the command has to run."""
        if self.engine is None:
            return None
        try:
            return call(self.engine)
        except TIMEOUT_ERRORS:
            raise DockerTimeout(_timeout_text(command, TIMEOUT)) from None
        except (EngineUnavailable, KeyError, TypeError):
            return None

    def container_name(self, service: str) -> str:
        """Return the name that compose gives to the container of a service."""
        return f"{self.project}-{service}-1"


def _timeout_text(command: str, timeout: float) -> str:
    return f"`docker {command}` did not end within {timeout:g} s. Look at the log of the Docker daemon"


def refused(image: str, result: CommandResult) -> PlatformRefused:
    """Return what to do about a docker command that failed, with the text that Docker printed."""
    known = docker_error(image, result.stderr)
    kind = PlatformUnavailable if isinstance(known, RequirementMissing) else PlatformRefused
    sentence = known.message.rstrip(".")
    return kind(
        sentence if result.last_line in sentence else f"{sentence} (Docker prints: {result.last_line})"
    )
