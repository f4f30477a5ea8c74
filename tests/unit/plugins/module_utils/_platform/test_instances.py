# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of instances and proxies."""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Proxy


def test_sidecar_has_its_own_workload_and_key() -> None:
    sidecar = Proxy("web-1", "web", 1, "default", "sidecar", {})
    assert (sidecar.workload, sidecar.key) == ("web-1-envoy", "services.web.sidecar")


def test_edge_proxy_is_its_own_workload() -> None:
    edge = Proxy("edge", "edge", 1, "default", "edge", {})
    assert (edge.workload, edge.key) == ("edge", "proxies.edge")
