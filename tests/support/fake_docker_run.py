# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A replacement for the `docker` command."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import CommandResult


class FakeDockerRun:
    """Runs the command of `docker run` on this machine without a container, or fails with an error of Docker."""

    def __init__(self, shell: bool = True, stderr: str = "", exit_code: int = 125) -> None:
        self.has_shell, self.stderr, self.exit_code = shell, stderr, exit_code
        self.commands: list[list[str]] = []

    def __call__(
        self, command: Sequence[str], folder: Path | None = None, timeout: float = 60
    ) -> CommandResult:
        self.commands.append(list(command))
        if self.stderr:
            return CommandResult(self.exit_code, "", self.stderr)
        rest = list(command[command.index("--entrypoint") + 1 :])
        program, inside = rest[0], rest[2:]
        if program == "sh" and not self.has_shell:
            return CommandResult(127, "", 'docker: exec: "sh": executable file not found in $PATH: unknown.')
        completed = subprocess.run([program, *inside], capture_output=True, text=True, check=False)
        return CommandResult(completed.returncode, completed.stdout, completed.stderr)
