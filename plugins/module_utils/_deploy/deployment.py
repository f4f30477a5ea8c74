# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order of a change: preflight → prepare → write → start → ready → live → retire; and its opposite."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import (
    AUTHORITY,
    LOCK,
    STAGING,
    STATE_FILE,
    DesiredFiles,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import state_file
from ansible_collections.meshlab.envoy.plugins.module_utils._config.prepare import prepare
from ansible_collections.meshlab.envoy.plugins.module_utils._config.transaction import Transaction
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    Applied,
    Deployer,
    PlatformRefused,
    PlatformUnavailable,
    ended,
    names,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker import (
    documents as compose_documents,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.deploy import Compose
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes import (
    documents as kubernetes_documents,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.deploy import Kubernetes
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config import Asked
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local import (
    documents as local_documents,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.deploy import Local
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload

DOCUMENTS = {
    "local": local_documents.FILE,
    "docker": compose_documents.FILE,
    "kubernetes": kubernetes_documents.FILE,
    "openshift": kubernetes_documents.FILE,
}


@dataclass(frozen=True)
class Request:
    """What is asked of a host. `runs` says which workload runs a proxy that is asked through its admin."""

    name: str
    platform: str
    folder: Path
    wanted: DesiredFiles = field(default_factory=DesiredFiles)
    workloads: tuple[Workload, ...] = ()
    runs: Mapping[str, str] = field(default_factory=dict)
    # Of a cluster: its objects, where the proxies of its pods are asked, and how it is reached.
    manifests: tuple[Mapping[str, Any], ...] = ()
    asked: Mapping[str, Asked] = field(default_factory=dict)
    cluster: Mapping[str, Any] = field(default_factory=dict)
    bind: str = "127.0.0.1"
    supervisord: str = "supervisord"
    timeout: float = 60
    confirm_timeout: float = 60
    drain_timeout: float = 10
    check_mode: bool = False


@dataclass
class Done:
    """What was done, or in check mode would be; filled while it is, so that a failure can tell it too."""

    changed: bool = False
    started: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    files: list[str] = field(default_factory=list)
    diff: list[dict[str, Any]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, applied: Applied) -> None:
        self.started = names((*self.started, *applied.started))
        self.restarted = names((*self.restarted, *applied.restarted))
        self.removed = names((*self.removed, *applied.removed))
        self.objects = names((*self.objects, *applied.objects))
        self.diff += applied.diff
        self.changed = self.changed or applied.changed

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the seconds that a phase takes."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0) + time.monotonic() - start, 3)


def deployer_of(request: Request) -> Deployer:
    """Return the platform that was asked for. Raises PlatformRefused for a folder that cannot be one's own."""
    folder = Path(os.path.realpath(request.folder))
    if folder in (Path("/"), Path.home().resolve()):
        raise PlatformRefused(f"{folder} cannot be the folder of a demo: choose one of its own")
    if request.platform == "docker":
        return Compose(request.name, folder, request.workloads, request.bind)
    if request.platform in ("kubernetes", "openshift"):
        live: dict[str, list[str]] = {}
        for file in request.wanted.files:
            if file.live:
                live.setdefault(file.live, []).append(file.path)
        return Kubernetes(
            request.name,
            folder,
            request.workloads,
            request.manifests,
            request.asked,
            live,
            request.cluster,
        )
    return Local(folder, request.workloads, request.bind, request.supervisord)


def present(request: Request, done: Done) -> None:
    """Make the host run what is asked. Raises ConfigRefused, PlatformRefused, PlatformFailed."""
    with closing(deployer_of(request)) as deployer:
        _present(request, deployer, _document(request), done)


def _present(request: Request, deployer: Deployer, document: str, done: Done) -> None:
    with done.phase("preflight"):
        _preflight(deployer, state_file.load(request.folder), request, done)
    with done.phase("prepare"):
        change = prepare(
            request.folder,
            request.wanted,
            check_mode=request.check_mode,
            targets=deployer.places(),
            # In check mode nothing is remembered, and it may be that nobody knows yet.
            location="" if request.check_mode else deployer.where(),
        )
    with change:
        done.changed, done.files, done.diff = change.changed, change.changed_files(), change.diff
        try:
            _carry_out(request, deployer, change, document, done)
        finally:
            done.remarks += change.warnings


def _carry_out(request: Request, deployer: Deployer, change: Transaction, document: str, done: Done) -> None:
    if request.check_mode:
        with done.phase("predict"):
            done.add(_predicted(deployer, document, done))
        return
    if change.changed:
        with done.phase("write"):
            restarting = (
                _restarting(request, deployer, document) if DOCUMENTS[request.platform] in done.files else ()
            )
            change.write(restarting)
    with done.phase("start"):
        done.add(deployer.apply())
    with done.phase("ready"):
        deployer.ready(request.timeout)
    if change.changed:
        with done.phase("live"):
            change.confirm_started()
            change.go_live(request.confirm_timeout, request.drain_timeout)
    if done.changed:
        with done.phase("settle"):
            deployer.settle(request.timeout)
    with done.phase("retire"):
        done.add(deployer.retire())
        if change.changed:
            change.finish()


def _preflight(deployer: Deployer, written: state_file.FolderState, request: Request, done: Done) -> None:
    check_mode = request.check_mode
    try:
        _check_where(deployer, written, request.folder)
        deployer.preflight()
        if lacking := deployer.lacking():
            if check_mode:
                done.remarks.append(f"Images that are not here yet would be pulled: {', '.join(lacking)}.")
                return
            deployer.fetch(lacking)
    except PlatformUnavailable as error:
        if not check_mode:
            raise
        done.remarks.append(ended(error))


def _check_where(deployer: Deployer, written: state_file.FolderState, folder: Path) -> None:
    """What reads a folder's files live, and what its authority signed, would be out of reach from anywhere else."""
    if written.location and written.location != deployer.where():
        raise PlatformRefused(
            f"{folder} is of what runs elsewhere ({written.location}, and not {deployer.where()}): take that down first, or have"
            f" another folder for this one (deployment_folder); where there is no such place any more, remove {folder}"
        )


def _predicted(deployer: Deployer, document: str, done: Done) -> Applied:
    try:
        return deployer.predict(document)
    except PlatformUnavailable as error:
        done.remarks.append(ended(error))
        return Applied()


def _restarting(request: Request, deployer: Deployer, document: str) -> Sequence[str]:
    """Return the proxies whose process ends in this change: nobody has to confirm their files.

    In a cluster others run on with those files until new ones serve, and a place of its own knows who does.
    """
    if deployer.places():
        return ()
    try:
        restarted = deployer.predict(document).restarted
    except PlatformUnavailable:
        return ()
    return [proxy for proxy, workload in request.runs.items() if workload in restarted]


def _document(request: Request) -> str:
    path = DOCUMENTS[request.platform]
    for file in request.wanted.files:
        if file.path == path:
            return file.content.decode()
    raise PlatformRefused(
        f"files: there is no {path}, which says what runs on {request.platform}; the plan makes one"
    )


def absent(request: Request, done: Done) -> None:
    """Stop everything and remove what was written. Raises PlatformRefused, PlatformFailed."""
    with closing(deployer_of(request)) as deployer:
        _absent(request, deployer, Path(os.path.realpath(request.folder)), done)


def _absent(request: Request, deployer: Deployer, folder: Path, done: Done) -> None:
    with done.phase("prepare"):
        written = state_file.load(folder)
        _check_where(deployer, written, folder)
        ours = [path for path in written.files if (folder / path).exists()]
        done.files = sorted(ours)
        done.diff = prepare(folder, DesiredFiles(), check_mode=True).diff if ours else []
        left = deployer.leftovers()
        done.changed = left or bool(ours) or (folder / STATE_FILE).exists()
    if request.check_mode:
        if left:
            done.removed = deployer.running()
        return
    with done.phase("stop"):
        if left:
            done.removed = deployer.absent()
    with done.phase("remove"):
        if (folder / STATE_FILE).exists():
            _remove(folder, written)
            if folder.exists():
                strange = ", ".join(sorted(one.name for one in folder.iterdir()))
                done.remarks.append(f"{folder} stays, because somebody else's files are in it: {strange}.")


def _remove(folder: Path, written: state_file.FolderState) -> None:
    """Remove what this collection made in `folder`, and the folder itself where nothing else is in it."""
    for path in written.files:
        (folder / path).unlink(missing_ok=True)
    for path in (*written.directories, AUTHORITY, STAGING):
        shutil.rmtree(folder / path, ignore_errors=True)
    for path in (LOCK, STATE_FILE):
        (folder / path).unlink(missing_ok=True)
    for here, _folders, _files in os.walk(folder, topdown=False):
        if not os.listdir(here):
            Path(here).rmdir()
