# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Record and restore the changes that daemons make to this machine outside the lab's folders.

Docker and Kubernetes change the same settings, so the state is recorded before the first of them starts, and restored after the last ends.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path

from .base import STATE, run, write_whole

_BEFORE = STATE / "machine.json"
#: dockerd and the lab enable forwarding; kubelet changes the other settings
_SETTINGS = (
    "net/ipv4/ip_forward",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
)
#: paths that daemons and their shims create outside their configured folders, by the part that uses them
_STRAYS = {
    "docker": ("/etc/docker/key.json", "/etc/docker", "/opt/containerd", "/run/docker"),
    "kubernetes": (
        "/var/lib/kubelet/device-plugins/kubelet.sock",
        "/var/lib/kubelet",
        "/var/log/containers",
        "/var/lib/cni",
    ),
    "both": ("/run/containerd",),
}


def remember() -> None:
    """Record the state of the machine, unless a running part has recorded it."""
    if not _BEFORE.exists():
        before = {
            "settings": {name: _setting(name).read_text(encoding="utf-8").strip() for name in _SETTINGS},
            "strays": [path for paths in _STRAYS.values() for path in paths if Path(path).exists()],
        }
        write_whole(_BEFORE, json.dumps(before, indent=2))


def remove_strays(part: str) -> None:
    """Remove the paths of a part that has ended; `both` after both parts."""
    if _BEFORE.exists():
        before = json.loads(_BEFORE.read_text(encoding="utf-8"))
        for path in _STRAYS[part]:
            if path not in before["strays"]:
                _remove_stray(Path(path))


def restore() -> None:
    """Restore the recorded state after the last part has ended."""
    if not _BEFORE.exists():
        return
    remove_strays("both")
    for name, value in json.loads(_BEFORE.read_text(encoding="utf-8"))["settings"].items():
        if _setting(name).read_text(encoding="utf-8").strip() != value:
            _setting(name).write_text(value, encoding="utf-8")
    _BEFORE.unlink()


def unmount(*folders: Path) -> None:
    """Unmount folders and everything below them, innermost first; a mount in use ends with its last user."""
    points = [
        line.split()[4] for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    ]
    for point in reversed(points):
        if any(f"{point}/".startswith(f"{folder}/") for folder in folders):
            run(["umount", "--lazy", point], check=False)


def remove_empty(folders: Iterable[Path]) -> None:
    """Remove folders that are empty."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _setting(name: str) -> Path:
    return Path("/proc/sys", name)


def _remove_stray(path: Path) -> None:
    """Remove a file, or a folder that contains only empty folders."""
    if path.is_dir():
        below = sorted((found for found in path.rglob("*") if found.is_dir()), reverse=True)
        remove_empty([*below, path])
    else:
        path.unlink(missing_ok=True)
