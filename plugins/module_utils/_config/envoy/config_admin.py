# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The requests that a transaction sends to the admin interface of an Envoy, and their errors."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused

# Seconds after which it is not known whether an Envoy runs. An Envoy on a busy machine can be unresponsive for a while.
RUNNING_TIMEOUT = 30.0


class AdminUnreachable(Exception):
    """No Envoy responds at the address of the admin interface."""


class AdminTimeout(AdminUnreachable):
    """It is not known whether an Envoy runs: neither a response nor a refusal came in time."""


class AdminForbidden(AdminUnreachable):
    """This user is not permitted to connect; the message states the missing permission."""


class ConfigAdmin:
    """The admin interface of one Envoy at a URL (`Admin.url`), which can apply inside a container.

    A subclass replaces `get` for another way to connect.

    Example:
        >>> admin = ConfigAdmin("unix:///no/such/admin.sock")
        >>> admin.is_running()
        False
    """

    def __init__(self, url: str, container: str = "") -> None:
        self.url = url
        self.container = container

    def is_running(self, timeout: float = RUNNING_TIMEOUT) -> bool:
        """Return whether an Envoy responds, ready or not.

        Raises:
            ConfigRefused: This user is not permitted to connect, or nothing came within `timeout` seconds.
        """
        try:
            self.get("/ready", timeout)
        except AdminForbidden as error:
            raise ConfigRefused(f"{error}.") from None
        except AdminTimeout as error:
            raise ConfigRefused(
                f"{error}. It is not known after {timeout:g} s whether an Envoy runs there."
                " See its log for why it does not respond, or stop it."
            ) from None
        except AdminUnreachable:
            return False
        return True

    def stats(self, pattern: str, timeout: float) -> dict[str, str]:
        """Return the stats whose names match `pattern` (RE2), with values as text. A text readout keeps its quotes."""
        lines = self.get(f"/stats?filter={quote(pattern)}", timeout).splitlines()
        return dict(line.rpartition(": ")[::2] for line in lines)

    def counters(self, pattern: str, timeout: float) -> dict[str, int]:
        """Return the counters and gauges whose names match `pattern` (RE2)."""
        return integers(self.stats(pattern, timeout))

    def json(self, path: str, timeout: float) -> Any:
        """Return the decoded JSON body of a GET."""
        try:
            return json.loads(self.get(path, timeout))
        except ValueError:
            raise AdminUnreachable(f"{self.url}: {path} is not JSON") from None

    def get(self, path: str, timeout: float) -> str:
        """Return the body of a GET, whatever its status.

        Args:
            path: Path and query.
            timeout: Seconds for the whole exchange.

        Raises:
            ConfigRefused: The URL is wrong, or this user may not open the socket.
            AdminTimeout: No complete response came in time.
            AdminUnreachable: No Envoy listens there, or the response cannot be parsed.
        """
        # Imported when it is needed, because most runs change no watched file and asyncio is slow to import.
        from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.admin_client import (
            BlockingAdminClient,
        )
        from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError

        try:
            response = BlockingAdminClient.at(self.url, self.container).request(path, timeout)
        except ArgumentError as error:
            raise ConfigRefused(f"{error}. Use http://host:port or unix:///path.") from None
        except ScrapeError as error:
            if error.denied:
                raise ConfigRefused(
                    f"{self.url}: the user of this task may not open the admin socket. Use become."
                ) from None
            kind = AdminTimeout if error.kind == "timeout" else AdminUnreachable
            raise kind(error.message) from None
        return response.body.decode("utf-8", "replace")


def integers(stats: Mapping[str, str]) -> dict[str, int]:
    """Return the counters and gauges of the result of `ConfigAdmin.stats`."""
    return {name: int(value) for name, value in stats.items() if re.fullmatch(r"\d+", value)}
