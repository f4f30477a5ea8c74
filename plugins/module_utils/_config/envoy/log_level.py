# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Set the level of the loggers of running Envoys, which needs no restart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.thread_pool import map_to_dict

_TIMEOUT = 10  # seconds


def set_log_levels(admins: Iterable[Mapping[str, Any]]) -> list[str]:
    """Set the log level that each admin interface of a plan states; return a sentence for each proxy that does not accept it."""
    # Imported when it is needed, because asyncio is slow to import.
    from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.admin_client import (
        BlockingAdminClient,
    )
    from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError

    stated = {admin["proxy"]: admin for admin in admins if admin.get("log_level") and not admin.get("pods")}

    def problem(proxy: str) -> str:
        admin = stated[proxy]
        try:
            client = BlockingAdminClient.at(admin["url"], admin.get("container") or "")
            response = client.request(f"/logging?level={admin['log_level']}", _TIMEOUT, "POST")
        except ScrapeError as error:
            return f"{proxy}: log_level was not changed: {error.message}."
        return (
            "" if response.status == 200 else f"{proxy}: log_level was not changed: status {response.status}."
        )

    return [text for text in map_to_dict(problem, stated).values() if text]
