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


class EnvoyIdentity:
    """The Envoy with the restart epoch `epoch`, whose admin interface is at `url`."""

    def __init__(self, url: str, epoch: int) -> None:
        self._admin = ConfigAdmin(url)
        self._epoch = epoch

    def problem(self, timeout: float = _TIMEOUT) -> str:
        """Return why this Envoy does not serve yet, an empty text when it does."""
        problem, state = self._answer(timeout)
        return problem or ("" if state == "LIVE" else f"it is {state}")

    def answers(self) -> bool:
        """Return whether this Envoy answers at its admin interface, whatever its state."""
        problem, _state = self._answer(_TIMEOUT)
        return not problem

    def _answer(self, timeout: float) -> tuple[str, str]:
        """Return why this Envoy does not answer, an empty text when it does, and its state."""
        try:
            info = self._admin.json("/server_info", timeout)
        except (AdminUnreachable, ConfigRefused) as error:
            return str(error), ""
        epoch = info.get("command_line_options", {}).get("restart_epoch", 0)
        problem = "" if epoch == self._epoch else f"the Envoy of epoch {epoch} still answers"
        return problem, info.get("state", "LIVE")
