# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the Envoys that started accepted their watched files, of which validation does not find all faults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.thread_pool import map_to_dict
from ansible_collections.meshlab.envoy.plugins.module_utils._config.config_target import ConfigTarget
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import Check
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import AdminUnreachable
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.live_update import LiveFile
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import Finding
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.error_location import rejection


def start_findings(
    targets: Mapping[str, ConfigTarget], files: Mapping[str, Sequence[LiveFile]], checks: Sequence[Check]
) -> list[Finding]:
    """Return a finding for each file that an Envoy rejected since it started, and for each Envoy that does not respond.

    Args:
        targets: Where the files of each proxy are deployed.
        files: The files that each proxy read.
        checks: The checks by which an error is located.
    """

    def findings_of(proxy: str) -> list[Finding]:
        try:
            rejections = {file.path: targets[proxy].rejected_since_start(file.kind) for file in files[proxy]}
        except AdminUnreachable as error:
            return [Finding(f"the Envoy that was started does not respond: {error}.", proxy)]
        return [
            rejection(checks, proxy, "the Envoy that was started rejected", text, path)
            for path, text in rejections.items()
            if text
        ]

    return [finding for found in map_to_dict(findings_of, files).values() for finding in found]
