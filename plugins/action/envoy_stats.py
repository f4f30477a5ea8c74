# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action of envoy_stats: runs in this process on localhost."""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.plugin_utils._cached_imports import plugin_imports

with plugin_imports():
    from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.stats_modules.stats_options import (
        ARGUMENTS,
        EXCLUSIVE,
        perform,
    )
    from ansible_collections.meshlab.envoy.plugins.plugin_utils._local_execution import LocalExecutionAction


class ActionModule(LocalExecutionAction):
    """The action of the module of the same name."""

    _supports_async = True
    relative_to_playbook = True
    arguments = ARGUMENTS
    exclusive = EXCLUSIVE
    perform = staticmethod(perform)
