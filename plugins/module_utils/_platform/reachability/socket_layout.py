# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Unix sockets of an instance: their directory, which its containers share, and their paths in a container and on the host."""

from __future__ import annotations

from abc import ABC
from typing import ClassVar

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.addresses.unix_sockets import (
    uses_unix_sockets,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Instance
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.reachability.standby import (
    StandbyLayout,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Mount

# The directory of Unix sockets in each container of an instance. Not below Envoy's own directory, which a pod mounts read-only.
SOCKETS = "/sockets"


class SocketLayout(StandbyLayout, ABC):
    """A layout with the directories that programs of an instance share. The base class describes containers."""

    # Permissions of Unix sockets and of their directories. The user of a container is not the owner of the directories; the
    # deployment folder, which is 0700, keeps them private.
    socket_mode: ClassVar[int] = 0o666
    run_directory_mode: ClassVar[str] = "0777"

    def mounts(self, *mounts: Mount) -> tuple[Mount, ...]:
        """Return the directories of the deployment folder that a container must see."""
        return mounts

    def path_in_workload(self, source: str, target: str) -> str:
        """Return the path by which a workload opens `source` of the deployment folder, which is mounted at `target`."""
        del source
        return target

    def socket_directories(self, instance: Instance) -> list[tuple[str, str]]:
        """Return (path, mode) of the directory for the Unix sockets of an instance, which its app and its Envoy share."""
        return (
            [(self._socket_directory(instance), self.run_directory_mode)]
            if self._has_sockets(instance)
            else []
        )

    def socket_mounts(self, instance: Instance) -> tuple[Mount, ...]:
        """Return the mount of that directory in each container of an instance."""
        if not self._has_sockets(instance):
            return ()
        return self.mounts(Mount(self._socket_directory(instance), SOCKETS, writable=True))

    def socket_path(self, instance: Instance, name: str) -> str:
        """Return the path of a Unix socket as the programs of an instance open it."""
        return f"{self.path_in_workload(self._socket_directory(instance), SOCKETS)}/{name}"

    def socket_in_folder(self, instance: Instance, name: str) -> str:
        """Return the path of a Unix socket in the deployment folder."""
        return f"{self._socket_directory(instance)}/{name}"

    def socket_on_host(self, instance: Instance, socket: str) -> str:
        """Return the path of a Unix socket on the host. Empty: programs on the host cannot reach it.

        Args:
            instance: The instance that listens.
            socket: The name of a socket in the directory of the instance, or the path of an author's own socket.
        """
        if "/" not in socket:
            return f"{self.context.folder}/{self.socket_in_folder(instance, socket)}"
        if not socket.startswith("/"):
            return f"{self.context.folder}/{socket}"  # the working directory of Envoy has the directories of the folder
        folder, _slash, name = socket.rpartition("/")
        return (
            self.socket_on_host(instance, name) if folder == SOCKETS and self._has_sockets(instance) else ""
        )

    def _socket_directory(self, instance: Instance) -> str:
        return f"{instance.name}/sockets"

    def _has_sockets(self, instance: Instance) -> bool:
        return uses_unix_sockets(self.demo, instance.group)
