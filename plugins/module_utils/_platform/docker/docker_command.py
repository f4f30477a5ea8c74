# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the docker command and its compose plugin."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common.command import CommandResult, run
from ansible_collections.meshlab.envoy.plugins.module_utils._common.thread_pool import map_to_pairs
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import RequirementMissing
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.container_checks import (
    complaint,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    PlatformFailed,
    PlatformRefused,
    PlatformUnavailable,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_output import (
    COLUMNS,
    Container,
    Details,
    parse_container,
    parse_details,
)

# The first with all of --dry-run, --progress and depends_on.restart.
OLDEST_COMPOSE = (2, 20)
LONG = 600
AT_ONCE = 8  # each is a process of the docker command

_NO_DAEMON = re.compile(
    r"cannot connect to the docker daemon|permission denied|error during connect|is the docker daemon running",
    re.I,
)


@dataclass
class Docker:
    """Runs docker commands. Raises PlatformUnavailable where docker, or its daemon, cannot be used."""

    project: str
    folder: Path
    run: Callable[..., CommandResult] = field(default_factory=lambda: execute)

    def ask(self, *arguments: str, timeout: float = 60, stdin: str = "") -> CommandResult:
        """Run `docker` with `arguments`."""
        try:
            ran = self.run(["docker", *arguments], timeout, stdin)
        except FileNotFoundError:
            raise PlatformUnavailable(
                "The docker command is not on this host: install Docker, or use the local platform"
            ) from None
        if ran.timed_out:
            raise PlatformFailed(
                f"`docker {arguments[0]}` did not end within {timeout:g} s: look at the daemon's log"
            )
        if ran.exit_code and _NO_DAEMON.search(ran.stderr):
            raise _refused("Docker", ran)
        return ran

    def compose(self, *arguments: str, document: str | None = None) -> CommandResult:
        """Run `docker compose` on the folder's document, or on the text `document` as if it were there."""
        file = str(self.folder / "compose.yaml") if document is None else "-"
        where = ["--project-directory", str(self.folder), "--file", file]
        return self.project_command(*where, *arguments, stdin=document or "")

    def project_command(self, *arguments: str, stdin: str = "") -> CommandResult:
        options = ["--ansi", "never", "--progress", "plain", "--project-name", self.project]
        return self.ask("compose", *options, *arguments, timeout=LONG, stdin=stdin)

    def compose_version(self) -> str:
        """Return the version of the compose plugin, empty where there is none."""
        ran = self.ask("compose", "version", "--short")
        return ran.stdout.strip().removeprefix("v") if ran.exit_code == 0 else ""

    def containers(self) -> list[Container]:
        """Return all containers of this daemon, whoever's they are."""
        ran = self.ask("ps", "--all", "--no-trunc", "--format", "\t".join(COLUMNS))
        if ran.exit_code:
            raise PlatformUnavailable(f"`docker ps` says: {ran.last_line}")
        return [parse_container(line) for line in ran.stdout.splitlines() if line.strip()]

    def details(self, names: Iterable[str]) -> dict[str, Details]:
        """Return what there is of the containers `names`, by service."""
        wanted = list(names)
        ran = self.ask("container", "inspect", *wanted) if wanted else CommandResult(0, "[]", "")
        try:
            found = [parse_details(one) for one in json.loads(ran.stdout or "[]")]
        except (ValueError, KeyError, TypeError):
            raise PlatformUnavailable(f"`docker container inspect` says: {ran.last_line}") from None
        return {one.service: one for one in found}

    def missing_images(self, images: Iterable[str]) -> list[str]:
        wanted = list(dict.fromkeys(images))
        return [
            image
            for image, ran in map_to_pairs(
                lambda one: self.ask("image", "inspect", "--format", "{{.Id}}", one), wanted, AT_ONCE
            )
            if ran.exit_code
        ]

    def pull(self, images: Iterable[str]) -> list[PlatformRefused]:
        """Pull images side by side; return what stands in the way of each that cannot be had."""
        pulled = map_to_pairs(lambda image: self.ask("pull", "--quiet", image, timeout=LONG), images, AT_ONCE)
        return [_refused(image, ran) for image, ran in pulled if ran.exit_code]

    def logs(self, container: str, lines: int) -> list[str]:
        ran = self.ask("logs", "--tail", str(lines), container)
        return [*ran.stdout.splitlines(), *ran.stderr.splitlines()]

    def container_name(self, service: str) -> str:
        return f"{self.project}-{service}-1"


def _refused(image: str, ran: CommandResult) -> PlatformRefused:
    """Return what to do about a docker command that failed, with Docker's own words."""
    known = complaint(image, ran.stderr)
    kind = PlatformUnavailable if isinstance(known, RequirementMissing) else PlatformRefused
    sentence = known.message.rstrip(".")
    return kind(sentence if ran.last_line in sentence else f"{sentence} (Docker says: {ran.last_line})")


def execute(command: Sequence[str], timeout: float, stdin: str = "") -> CommandResult:
    """Run a command; nothing that the user has set for other projects reaches compose."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("COMPOSE_")}
    return run(command, Path("/"), timeout, stdin, {**kept, "LC_ALL": "C"})
