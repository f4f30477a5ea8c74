# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A certificate authority that several deployments share. Its private key stays in one folder of the controller.

The folder has `ca/ca.crt` and `ca/ca.key`, and for each deployment a folder below `issued` with the certificates that were issued for it.
"""

from __future__ import annotations

import contextlib
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
    Certificate,
    DesiredFiles,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import file_tree
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.folder_lock import locked_folder
from ansible_collections.meshlab.envoy.plugins.module_utils._config.prepare import prepare

ISSUED = "issued"
LOCK_TIMEOUT = 60  # seconds to wait for other runs


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
        own = f"{ISSUED}/{deployment}"
        # Ansible plans for several hosts at the same time.
        with file_tree.refusing_os_errors(home), locked_folder(home, LOCK_TIMEOUT):
            _ensure_authority(home, runner)
            file_tree.make_directory(home, ISSUED, 0o700)
            file_tree.make_directory(home, own, 0o700, exact=True)
            file_tree.make_directory(home, f"{own}/{AUTHORITY}", 0o700)
            for name in AUTHORITY_FILES:
                file_tree.write(
                    home, f"{own}/{AUTHORITY}/{name}", _content(home, f"{AUTHORITY}/{name}"), 0o600
                )
        with prepare(home / own, DesiredFiles(certificates=tuple(certificates)), runner) as transaction:
            transaction.write()
            transaction.finish()
        paths = [f"{one.path}/{name}" for one in certificates for name in ("tls.crt", "tls.key", "ca.crt")]
        return {path: _content(home, f"{own}/{path}") for path in (*paths, f"{AUTHORITY}/ca.crt")}


def _ensure_authority(home: Path, runner: CommandRunner) -> None:
    """Create the authority of a folder, unless it exists."""
    if all(file_tree.exists(home, f"{AUTHORITY}/{name}") for name in AUTHORITY_FILES):
        return
    with tempfile.TemporaryDirectory(dir=home) as private:
        created = openssl.new_authority(Path(private), authority.AUTHORITY_DAYS, runner)
    file_tree.make_directory(home, AUTHORITY, 0o700)
    for name in AUTHORITY_FILES:
        file_tree.write(home, f"{AUTHORITY}/{name}", created[name], 0o600)


def _content(home: Path, path: str) -> bytes:
    found = file_tree.read(home, path)
    if found is None:
        raise ConfigRefused("this file was removed during this run. Run again.", str(home / path))
    return found[0]


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
