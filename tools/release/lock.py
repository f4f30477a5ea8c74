# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the versions and hashes of all packages: requirements/*.txt for the controller, and the wheels and Go modules for hosts.

`make lock` keeps the versions that the files pin, and adds missing ones. `make lock UPGRADE=1` moves each package to its newest version.
One resolution has all packages of .venv and .venv-test, so that each package has one version there.
"""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib  # type: ignore[import-not-found]  # mypy checks with Python 3.10
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements"
VERSIONS = ROOT / "meta" / "versions.yml"
BUILD = ROOT / "build" / "lock"
# Installed together with the packages of test.in, so that one resolution contains both.
SHARED = ("test", "docs")
# Resolved independently: these packages have a virtual environment of their own.
SEPARATE = ("release", "lock", "envoy-api", "traffic", "dashboards")
# Installed on hosts, whose Pythons are older than those of the controller. They are in the collection as a module.
FOR_HOSTS = ("traffic",)
LOCKED_PACKAGES = ROOT / "plugins" / "module_utils" / "_traffic" / "libraries" / "locked_packages.py"
# Installed without the packages that they require.
WITHOUT_DEPENDENCIES = ("envoy-api",)
# The packages of the platforms of demos.
DEMOS = ("demo", "docker", "kubernetes")
HEADER = """\
# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The packages of {source} with all packages that they require, for each Python and each machine, with the hashes of their files.
# Written by `make lock`. Do not edit.
"""
# The last quotation marks begin the text.
HEADER_OF_MODULE = '''\
# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The packages of HTTP/2, HTTP/3 and gRPC traffic: requirements/traffic.txt, as hosts without the checkout need it.

More than 300 lines, because it has the hash of each file of each package. Written by `make lock`. Do not edit.
"""

REQUIREMENTS = r"""
'''


def oldest_python(machines: str = "controller") -> str:
    """Return the oldest Python of the controller or of hosts."""
    return str(read_versions()["pythons"][machines][0])


def read_versions() -> dict[str, Any]:
    """Return the content of meta/versions.yml."""
    loaded: dict[str, Any] = yaml.safe_load(VERSIONS.read_text(encoding="utf-8"))
    return loaded


def resolve(
    uv: str, sources: Iterable[Path], output: Path, *options: str, machines: str = "controller"
) -> None:
    """Resolve requirements for all supported Pythons, systems and machines. An existing output contains the versions to keep.

    The controller has one version of each package if possible. Hosts have the newest one of each Python.
    """
    command = [uv, "pip", "compile", "--quiet", "--universal", "--python-version", oldest_python(machines)]
    strategy = "fewest" if machines == "controller" else "requires-python"
    command += ["--fork-strategy", strategy, "--no-header", "--no-annotate", *options]
    # The output on the terminal repeats the file.
    subprocess.run(
        [*command, "--output-file", str(output), *map(str, sources)], check=True, stdout=subprocess.DEVNULL
    )


def lock_requirements(uv: str, upgrade: bool) -> None:
    """Write each requirements/*.txt from its .in file."""
    BUILD.mkdir(parents=True, exist_ok=True)
    upgrades = ["--upgrade"] if upgrade else []
    together = BUILD / "together.txt"
    kept = [REQUIREMENTS / f"{name}.txt" for name in SHARED]
    together.write_text("".join(pins(path.read_text()) for path in kept if path.exists()), encoding="utf-8")
    resolve(uv, [REQUIREMENTS / f"{name}.in" for name in SHARED], together, *upgrades)
    for source in sorted(REQUIREMENTS.glob("*.in")):
        target, locked = source.with_suffix(".txt"), BUILD / f"{source.stem}.txt"
        locked.write_text(pins(target.read_text()) if target.exists() else "", encoding="utf-8")
        options = ["--generate-hashes", *upgrades]
        if source.stem not in SEPARATE:
            options += ["--constraint", str(together)]
        if source.stem in WITHOUT_DEPENDENCIES:
            options.append("--no-deps")
        machines = "hosts" if source.stem in FOR_HOSTS else "controller"
        resolve(uv, [source], locked, *options, machines=machines)
        write(target, HEADER.format(source=source.name) + locked.read_text())
    write(LOCKED_PACKAGES, locked_packages())


def locked_packages() -> str:
    """Return the module with the packages of hosts, because hosts do not have the folder requirements."""
    text = (REQUIREMENTS / "traffic.txt").read_text(encoding="utf-8")
    return HEADER_OF_MODULE + text.removeprefix(HEADER.format(source="traffic.in")).rstrip("\n") + '\n"""\n'


def pins(locked: str) -> str:
    """Return the lines of a locked file without hashes and comments: a package, its version and its marker each."""
    lines = (line.removesuffix("\\").strip() for line in locked.splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith(("#", "--hash")))


def check_platforms(uv: str) -> None:
    """End with an error if a package of a demo has no wheel for a supported machine and Python."""
    versions = read_versions()
    for machines, names in (("controller", DEMOS), ("hosts", FOR_HOSTS)):
        _check_wheels(uv, versions["platforms"], versions["pythons"][machines], names)


def _check_wheels(uv: str, platforms: Iterable[str], pythons: Iterable[str], names: Iterable[str]) -> None:
    command = [uv, "pip", "install", "--quiet", "--dry-run", "--only-binary", ":all:", "--require-hashes"]
    for platform, python in itertools.product(platforms, pythons):
        for name in names:
            options = [
                "--python-platform",
                platform,
                "--python-version",
                python,
                "--target",
                str(BUILD / "none"),
            ]
            subprocess.run(
                [*command, *options, "--requirement", str(REQUIREMENTS / f"{name}.txt")], check=True
            )


def lock_wheels(uv: str) -> None:
    """Write the hash of each wheel of the versions in meta/versions.yml, and the size of the largest wheel of a version."""
    data = read_versions()
    for package, described in data["wheels"].items():
        described["megabytes"] = {}
        for version in described["versions"]:
            described["versions"][version], described["megabytes"][version] = wheels(uv, package, version)
    write_versions(data)


def wheels(uv: str, package: str, version: str) -> tuple[dict[str, str], float]:
    """Return the wheels of a package: their file names with their SHA-256 digests, and the megabytes of the largest one."""
    with tempfile.TemporaryDirectory() as folder:
        project = f'[project]\nname = "hosts"\nversion = "0"\nrequires-python = ">=3.10"\ndependencies = ["{package}=={version}"]\n'
        Path(folder, "pyproject.toml").write_text(project, encoding="utf-8")
        subprocess.run([uv, "lock", "--quiet", "--project", folder], check=True)
        locked = tomllib.loads(Path(folder, "uv.lock").read_text(encoding="utf-8"))
    return wheels_of_lock(locked, package)


def wheels_of_lock(locked: dict[str, Any], package: str) -> tuple[dict[str, str], float]:
    """Return the wheels of a package in a parsed uv.lock, and the megabytes of the largest one.

    A package with requirements is an error, because roles install one wheel.
    """
    names = {found["name"] for found in locked["package"]} - {"hosts"}
    if names != {package}:
        raise SystemExit(
            f"{VERSIONS.name}: wheels.{package}: requires {', '.join(sorted(names - {package}))}. Add these wheels to the roles first."
        )
    [found] = [one for one in locked["package"] if one["name"] == package]
    files = {unquote(Path(urlsplit(wheel["url"]).path).name): wheel for wheel in found["wheels"]}
    # The collection runs no hosts with Windows.
    kept = {name: wheel for name, wheel in sorted(files.items()) if not re.search(r"-win\w*\.whl$", name)}
    digests = {name: str(wheel["hash"]).removeprefix("sha256:") for name, wheel in kept.items()}
    return digests, round(max(wheel.get("size", 0) for wheel in kept.values()) / 1e6, 1)


class _Indented(yaml.SafeDumper):
    """Indents the entries of lists, as yamllint requires."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def lock_go() -> None:
    """Write go.mod and go.sum of the statsd_exporter that role statsd_exporter builds, in its default version."""
    role = ROOT / "roles" / "statsd_exporter"
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text(encoding="utf-8"))
    if shutil.which("go") is None:
        print(
            f"{role.relative_to(ROOT)}/files/go: not updated, because go is in no folder of PATH",
            file=sys.stderr,
        )
        return
    wanted = f"github.com/prometheus/statsd_exporter@v{defaults['statsd_exporter_version']}"
    for command in (["go", "get", wanted], ["go", "mod", "tidy"]):
        subprocess.run(command, cwd=role / "files" / "go", check=True)


def write_versions(data: dict[str, Any]) -> None:
    """Write meta/versions.yml with its leading comment."""
    text = VERSIONS.read_text(encoding="utf-8")
    header = text[: text.index("---\n") + 4]
    body = yaml.dump(data, Dumper=_Indented, sort_keys=False, allow_unicode=True, width=140)
    write(VERSIONS, header + body)


def write(path: Path, text: str) -> None:
    """Write a file if its content changes, so that make does not install unchanged requirements again."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def main() -> None:
    """Write the requirements, the wheels and the Go modules."""
    uv, *arguments = sys.argv[1:]
    lock_requirements(uv, "--upgrade" in arguments)
    check_platforms(uv)
    lock_wheels(uv)
    lock_go()


if __name__ == "__main__":
    main()
