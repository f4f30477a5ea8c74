# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificates that change while an Envoy uses them: Envoy loads them without a restart, and its admin interface confirms that."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.thread_pool import map_to_dict
from ansible_collections.meshlab.envoy.plugins.module_utils._config.certificates.serial_number import (
    serial_number,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.config_target import ConfigTarget
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import AdminUnreachable
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import Finding
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.file_diff import FileDifference


def replaced_certificates(differences: Iterable[FileDifference]) -> dict[int, str]:
    """Return the path of each changed file with a certificate, by the serial number of its previous certificate."""
    found = {}
    for one in differences:
        if one.desired and not one.desired.live:
            old, new = serial_number(one.old or b""), serial_number(one.desired.content)
            if old and new and old != new:
                found[old] = one.path
    return found


def unconfirmed_renewals(
    targets: Mapping[str, ConfigTarget], serials: Mapping[int, str], timeout: float
) -> list[Finding]:
    """Wait until no Envoy uses a replaced certificate; return which ones still do after `timeout` seconds.

    Args:
        targets: The targets of the running proxies.
        serials: The replaced certificates, as `replaced_certificates` returns them.
        timeout: Seconds for all proxies.
    """
    deadline = time.monotonic() + timeout

    def finding_of(proxy: str) -> Finding | None:
        try:
            problem = targets[proxy].wait_until_replaced(serials, deadline)
        except AdminUnreachable as error:
            problem = f"the admin interface stopped responding ({error})"
        if not problem:
            return None
        return Finding(f"the running Envoy did not load a renewed certificate: {problem}. Run again.", proxy)

    return [finding for finding in map_to_dict(finding_of, targets).values() if finding]
