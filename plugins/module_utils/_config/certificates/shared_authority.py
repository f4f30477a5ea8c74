# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A certificate authority that several deployments share. Its private key stays in one folder of the controller.

The folder has `ca/ca.crt` and `ca/ca.key`, and for each deployment a folder below `issued` with the certificates that were issued for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import (
    CommandRunner,
    run,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.certificates import authority, openssl
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import (
    AUTHORITY,
    AUTHORITY_FILES,
    LOCK,
    Certificate,
    DesiredFiles,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import file_tree
from ansible_collections.meshlab.envoy.plugins.module_utils._config.prepare import prepare

ISSUED = "issued"


def issue(
    folder: Path,
    deployment: str,
    certificates: Sequence[Certificate],
    check_mode: bool = False,
    runner: CommandRunner = run,
) -> dict[str, bytes]:
    """Return the files of certificates that the authority in a folder of this machine signs.

    The authority is created if it is missing. Certificates are kept in the folder, so that the next run returns the same ones, and
    renewed before their end.

    Args:
        folder: The folder of the authority. `~` is expanded.
        deployment: Name of the deployment on its host, unique for the authority, such as `shop@host1`.
        certificates: The certificates of the deployment.
        check_mode: Whether to change nothing. A certificate that is missing is then created in a temporary folder.
        runner: Runs openssl.

    Returns:
        The content of `tls.crt`, `tls.key` and `ca.crt` of each certificate, by path relative to the deployment folder, and
        `ca/ca.crt`. Without the private key of the authority.

    Raises:
        ConfigRefused: The folder cannot be written, or openssl failed.
        RequirementMissing: This machine has no openssl.
    """
    folder = folder.expanduser().absolute()
    with _writable_copy(folder, deployment, check_mode) as home:
        with file_tree.refusing_os_errors(home):
            file_tree.make_directory(home, 0o700, exact=True)
            with _locked(home):
                _ensure_authority(home, runner)
        own = home / ISSUED / deployment
        with file_tree.refusing_os_errors(own):
            file_tree.make_directory(own / AUTHORITY, 0o700)
            for name in AUTHORITY_FILES:
                file_tree.write(own / AUTHORITY / name, (home / AUTHORITY / name).read_bytes(), 0o600)
        with prepare(own, DesiredFiles(certificates=tuple(certificates)), runner) as transaction:
            transaction.write()
            transaction.finish()
        paths = [f"{one.path}/{name}" for one in certificates for name in ("tls.crt", "tls.key", "ca.crt")]
        return {path: (own / path).read_bytes() for path in (*paths, f"{AUTHORITY}/ca.crt")}


def _ensure_authority(home: Path, runner: CommandRunner) -> None:
    """Create the authority of a folder, unless it exists."""
    paths = {name: home / AUTHORITY / name for name in AUTHORITY_FILES}
    if all(path.exists() for path in paths.values()):
        return
    with tempfile.TemporaryDirectory(dir=home) as private:
        created = openssl.new_authority(Path(private), authority.AUTHORITY_DAYS, runner)
    file_tree.make_directory(home / AUTHORITY, 0o700)
    for name, path in paths.items():
        file_tree.write(path, created[name], 0o600)


@contextlib.contextmanager
def _writable_copy(folder: Path, deployment: str, check_mode: bool) -> Iterator[Path]:
    """Yield the folder, or in check mode a copy of its authority and of the certificates of one deployment."""
    if not check_mode:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="meshlab-envoy-") as temporary:
        copy = Path(temporary) / "authority"
        for part in (AUTHORITY, f"{ISSUED}/{deployment}"):
            if (folder / part).is_dir():
                shutil.copytree(folder / part, copy / part)
        yield copy


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Lock the folder, and wait for other runs: Ansible plans for several hosts at the same time."""
    descriptor = os.open(home / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
