# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images with the Python packages of servers: an image, and one layer with the packages.

The packages are installed on this host, for the Python of the image. So the image needs no pip, the build needs no network, and pip uses
the index and the certificates that the host is configured for.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import CommandResult
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.python_environment import (
    PackagesFailed,
    cache_folder,
    check_folder,
    install_for_image,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.daemon.image_pull import pull
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_command import (
    LONG_TIMEOUT,
    DockerCommand,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Packages, Workload

HOME = "/opt/packages"
# The version of Python, the machine and the C library, which select wheels.
_PROBE = (
    "import json, platform, sys;"
    " print(json.dumps(['%d.%d' % sys.version_info[:2], platform.machine(), *platform.libc_ver()]))"
)
_OLDEST_GLIBC = 5  # manylinux_2_5 is the oldest tag of a wheel (PEP 600)
_MUSL = range(5, 0, -1)  # of musllinux_1_N; musl's releases since 2020 are compatible
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


def built_images(workloads: Iterable[Workload]) -> dict[str, Workload]:
    """Return the first workload of each image that is built with packages, by name of the image."""
    found: dict[str, Workload] = {}
    for workload in workloads:
        if workload.packages:
            found.setdefault(workload.packages.target, workload)
    return found


def missing_builds(docker: DockerCommand, workloads: Iterable[Workload]) -> tuple[str, ...]:
    """Return the images that are not built, or not pushed to their registry."""
    return tuple(
        image
        for image, workload in built_images(workloads).items()
        if not _is_complete(docker, image, workload.packages)
    )


def build_images(docker: DockerCommand, workloads: Iterable[Workload], images: Iterable[str]) -> None:
    """Build images with packages, and push those that nodes pull. Raises PlatformRefused."""
    wanted = {*images}
    for image, workload in built_images(workloads).items():
        packages = workload.packages
        if image not in wanted or packages is None:
            continue
        try:
            if docker.missing_images([image]):
                _build(docker, packages)
            if packages.is_pushed:
                _check("docker push", docker.run("push", image, timeout=LONG_TIMEOUT))
        except PackagesFailed as error:
            raise PlatformRefused(
                f"services.{workload.group}.server.packages: the image {image} cannot be built from {packages.base}:"
                f" {str(error).rstrip('.')}"
            ) from None


def wheel_platforms(machine: str, libc: str, version: str) -> list[str]:
    """Return the platform tags of the wheels that a Python accepts, the newest first.

    Example:
        >>> wheel_platforms("x86_64", "glibc", "2.17")[:2]
        ['manylinux_2_17_x86_64', 'manylinux2014_x86_64']
    """
    if libc != "glibc":
        return [f"musllinux_1_{minor}_{machine}" for minor in _MUSL]
    found: list[str] = []
    for minor in range(int(version.split(".")[1]), _OLDEST_GLIBC - 1, -1):
        found.append(f"manylinux_2_{minor}_{machine}")
        if minor in _LEGACY:
            found.append(f"{_LEGACY[minor]}_{machine}")
    return found


def _is_complete(docker: DockerCommand, image: str, packages: Packages | None) -> bool:
    """Return whether an image exists, with the digest that its registry returned for the push if there was to be one."""
    found = docker.run("image", "inspect", "--format", "{{json .RepoDigests}}", image)
    if found.exit_code or packages is None:
        return False
    repository = image.rpartition(":")[0]
    return not packages.is_pushed or f'"{repository}@' in found.stdout


def _build(docker: DockerCommand, packages: Packages) -> None:
    base = packages.base
    if docker.missing_images([base]) and (refused := pull(docker, [base])):
        raise PackagesFailed(str(refused[0]))
    probe = docker.run("run", "--rm", "--network", "none", "--entrypoint", "python3", base, "-c", _PROBE)
    _check("python3 in the image", probe)
    version, machine, libc, libc_version = json.loads(probe.stdout)
    with _scratch() as folder:
        context, environment = folder / "context", folder / "pip"
        context.mkdir()
        environment.mkdir()
        install_for_image(
            context / "packages",
            packages.requirements,
            version,
            wheel_platforms(machine, libc, libc_version),
            environment,
        )
        _make_readable(context / "packages")
        (context / "Dockerfile").write_text(
            f"FROM {base}\nCOPY packages {HOME}\nENV PYTHONPATH={HOME}\n", encoding="utf-8"
        )
        arguments = ("build", "--quiet", "--network", "none", "--tag", packages.target, str(context))
        _check("docker build", docker.run(*arguments, timeout=LONG_TIMEOUT))


@contextmanager
def _scratch() -> Iterator[Path]:
    """Yield a new folder, which is removed at the end."""
    check_folder(cache_folder())
    folder = Path(tempfile.mkdtemp(prefix=".packages-", dir=cache_folder()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make_readable(folder: Path) -> None:
    """Let each user of a container read the packages, whatever the umask of this process is."""
    for path, _folders, files in os.walk(folder):
        os.chmod(path, 0o755)  # noqa: S103  (a folder of an image)
        for name in files:
            os.chmod(os.path.join(path, name), 0o644)


def _check(what: str, result: CommandResult) -> None:
    if result.exit_code:
        raise PackagesFailed(f"{what} failed: {result.last_line}. Correct the image, or the registry.")
