# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the docker command and its compose plugin."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common.thread_pool import together
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import Unavailable
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


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """Its last line that says something."""
        lines = [
            line.strip()
            for line in f"{self.out}\n{self.err}".splitlines()
            if line.strip() and "--help" not in line
        ]
        return lines[-1] if lines else f"exit code {self.code}"


@dataclass
class Docker:
    """Runs docker commands. Raises PlatformUnavailable where docker, or its daemon, cannot be used."""

    project: str
    folder: Path
    run: Callable[..., Ran] = field(default_factory=lambda: execute)

    def ask(self, *arguments: str, timeout: float = 60, stdin: str = "") -> Ran:
        """Run `docker` with `arguments`."""
        try:
            ran = self.run(["docker", *arguments], timeout, stdin)
        except FileNotFoundError:
            raise PlatformUnavailable(
                "The docker command is not on this host: install Docker, or use the local platform"
            ) from None
        except subprocess.TimeoutExpired:
            raise PlatformFailed(
                f"`docker {arguments[0]}` did not end within {timeout:g} s: look at the daemon's log"
            ) from None
        if ran.code and _NO_DAEMON.search(ran.err):
            raise _refused("Docker", ran)
        return ran

    def compose(self, *arguments: str, document: str | None = None) -> Ran:
        """Run `docker compose` on the folder's document, or on the text `document` as if it were there."""
        file = str(self.folder / "compose.yaml") if document is None else "-"
        where = ["--project-directory", str(self.folder), "--file", file]
        return self.project_command(*where, *arguments, stdin=document or "")

    def project_command(self, *arguments: str, stdin: str = "") -> Ran:
        options = ["--ansi", "never", "--progress", "plain", "--project-name", self.project]
        return self.ask("compose", *options, *arguments, timeout=LONG, stdin=stdin)

    def compose_version(self) -> str:
        """Return the version of the compose plugin, empty where there is none."""
        ran = self.ask("compose", "version", "--short")
        return ran.out.strip().removeprefix("v") if ran.code == 0 else ""

    def containers(self) -> list[Container]:
        """Return all containers of this daemon, whoever's they are."""
        ran = self.ask("ps", "--all", "--no-trunc", "--format", "\t".join(COLUMNS))
        if ran.code:
            raise PlatformUnavailable(f"`docker ps` says: {ran.complaint}")
        return [parse_container(line) for line in ran.out.splitlines() if line.strip()]

    def details(self, names: Iterable[str]) -> dict[str, Details]:
        """Return what there is of the containers `names`, by service."""
        wanted = list(names)
        ran = self.ask("container", "inspect", *wanted) if wanted else Ran(0, "[]", "")
        try:
            found = [parse_details(one) for one in json.loads(ran.out or "[]")]
        except (ValueError, KeyError, TypeError):
            raise PlatformUnavailable(f"`docker container inspect` says: {ran.complaint}") from None
        return {one.service: one for one in found}

    def missing_images(self, images: Iterable[str]) -> list[str]:
        wanted = list(dict.fromkeys(images))
        return [
            image
            for image, ran in together(
                lambda one: self.ask("image", "inspect", "--format", "{{.Id}}", one), wanted, AT_ONCE
            )
            if ran.code
        ]

    def pull(self, images: Iterable[str]) -> list[PlatformRefused]:
        """Pull images side by side; return what stands in the way of each that cannot be had."""
        pulled = together(lambda image: self.ask("pull", "--quiet", image, timeout=LONG), images, AT_ONCE)
        return [_refused(image, ran) for image, ran in pulled if ran.code]

    def logs(self, container: str, lines: int) -> list[str]:
        ran = self.ask("logs", "--tail", str(lines), container)
        return [*ran.out.splitlines(), *ran.err.splitlines()]

    def container_name(self, service: str) -> str:
        return f"{self.project}-{service}-1"


def _refused(image: str, ran: Ran) -> PlatformRefused:
    """Return what to do about a docker command that failed, with Docker's own words."""
    known = complaint(image, ran.err)
    kind = PlatformUnavailable if isinstance(known, Unavailable) else PlatformRefused
    sentence = known.words.rstrip(".")
    return kind(sentence if ran.complaint in sentence else f"{sentence} (Docker says: {ran.complaint})")


def execute(command: Sequence[str], timeout: float, stdin: str = "") -> Ran:
    """Run a command; nothing that the user has set for other projects reaches compose."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("COMPOSE_")}
    done = subprocess.run(
        list(command),
        cwd="/",
        env={**kept, "LC_ALL": "C"},
        input=stdin,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)
