# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The instances of a demo: one replica of a group on one host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import sidecar_workload


@dataclass(frozen=True)
class Instance:
    """One replica of `group`, or all of its replicas on a platform that plans them as one."""

    name: str
    group: str
    replica: int
    host: str


@dataclass(frozen=True)
class Proxy(Instance):
    """One Envoy: the sidecar of a service instance, or an edge proxy. `spec` is its part of the demo."""

    kind: Literal["sidecar", "edge"]
    spec: Mapping[str, Any]

    @property
    def workload(self) -> str:
        """The name of the workload that runs this Envoy."""
        return sidecar_workload(self.name) if self.kind == "sidecar" else self.name

    @property
    def key(self) -> str:
        """The key of this proxy in the demo file."""
        return f"services.{self.group}.sidecar" if self.kind == "sidecar" else f"proxies.{self.group}"
