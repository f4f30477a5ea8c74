# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The links that enable the systemd unit of a demo in the user's configuration.

They are those that `systemctl --user enable PATH` creates. They are created directly, because systemctl needs a running user manager.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.user_folder import user_folder
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.error_text import error_text
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    PlatformFailed,
    PlatformRefused,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.boot_unit import (
    WANTED_BY,
    unit_name,
)


class BootLinks:
    """The two links of one demo in the configuration of this user.

    Args:
        demo: The name of the demo.
        folder: The state folder, absolute.
        files: The paths of the plan's files. The links are desired if the unit is among them.
    """

    def __init__(self, demo: str, folder: Path, files: Collection[str]) -> None:
        self.path = folder / unit_name(demo)
        self.is_listed = self.path.name in files
        units = user_folder("XDG_CONFIG_HOME", ".config") / "systemd" / "user"
        self.links = (units / self.path.name, units / f"{WANTED_BY}.wants" / self.path.name)

    def check(self) -> None:
        """Refuse a unit of the same name that is not the one of this folder. Raises PlatformRefused."""
        for link in self.links if self.is_listed else ():
            if os.path.lexists(link) and not self._is_own(link):
                raise PlatformRefused(
                    f"{link} is the unit of another program or deployment. Remove it, or choose another name for the demo"
                )

    def apply(self) -> None:
        """Create the links if the unit is listed, and remove them otherwise. Raises PlatformFailed."""
        if self.is_listed:
            self.enable()
        else:
            self.disable()

    def enable(self) -> None:
        """Create the links that are missing. Raises PlatformFailed."""
        for link in self.links:
            try:
                if not os.path.lexists(link):
                    link.parent.mkdir(parents=True, exist_ok=True)
                    link.symlink_to(self.path)
            except OSError as error:
                raise PlatformFailed(f"{link}: the link cannot be created: {error_text(error)}") from None

    def disable(self) -> None:
        """Remove the links to this unit. Raises PlatformFailed."""
        for link in filter(self._is_own, self.links):
            try:
                link.unlink()
            except OSError as error:
                raise PlatformFailed(f"{link}: the link cannot be removed: {error_text(error)}") from None

    def is_enabled(self) -> bool:
        """Return whether a link to this unit exists."""
        return any(map(self._is_own, self.links))

    def _is_own(self, link: Path) -> bool:
        return link.is_symlink() and Path(os.readlink(link)) == self.path
