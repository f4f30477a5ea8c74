# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of several Envoys answers at an admin interface: each generation of a proxy has the same address, and an epoch of its own."""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import (
    AdminUnreachable,
    ConfigAdmin,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused

_TIMEOUT = 3  # seconds
_STATE = "it is "


class EnvoyIdentity:
    """The Envoy with the restart epoch `epoch`, whose admin interface is at `url`."""

    def __init__(self, url: str, epoch: int) -> None:
        self._admin = ConfigAdmin(url)
        self._epoch = epoch

    def problem(self, timeout: float = _TIMEOUT) -> str:
        """Return why this Envoy does not serve yet, an empty text when it does."""
        try:
            info = self._admin.json("/server_info", timeout)
        except (AdminUnreachable, ConfigRefused) as error:
            return str(error)
        epoch = info.get("command_line_options", {}).get("restart_epoch", 0)
        if epoch != self._epoch:
            return f"the Envoy of epoch {epoch} still answers"
        state = info.get("state", "LIVE")
        return "" if state == "LIVE" else f"{_STATE}{state}"

    def answers(self) -> bool:
        """Return whether this Envoy answers at its admin interface, whatever its state."""
        problem = self.problem()
        return not problem or problem.startswith(_STATE)
