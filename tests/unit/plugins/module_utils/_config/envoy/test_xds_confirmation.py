# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a running Envoy is asked during a change. A stand-in for its admin says what it answers."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.xds_confirmation import XdsMonitor


class FakeCluster:
    """Answers this, whatever is asked."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def json(self, path: str, timeout: float) -> Any:
        assert timeout > 0, path
        return self.answer


def test_the_admin_tells_the_hosts_of_each_cluster() -> None:
    host = {"address": {"socket_address": {"address": "10.0.0.1", "port_value": 80}}, "weight": 1}
    client: Any = FakeCluster(
        {"cluster_statuses": [{"name": "web", "host_statuses": [host]}, {"name": "empty"}]}
    )
    assert XdsMonitor(client).hosts() == {"web": {"10.0.0.1"}, "empty": set()}
