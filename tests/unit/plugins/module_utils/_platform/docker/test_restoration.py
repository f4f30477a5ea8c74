# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documents of a restoration. tests/integration restores running containers."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker import restoration
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.documents import compose
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload


def envoy(generation: int) -> dict[str, Any]:
    """Return the service of a generation of an Envoy, whose command has a `$`."""
    workload = Workload(
        name="edge",
        image="envoy:1",
        command=("envoy", "--base-id", "0", "--service-node", "a$b", "--restart-epoch", str(generation)),
        generation=generation,
        replacement="hot_restart",
        digest="4f0c",
    )
    service = workload.program.replace(".", "-g")
    found: dict[str, Any] = compose("demo", [workload], "127.0.0.1")["services"][service]
    return found


@pytest.mark.parametrize("before", [0, 1])
def test_renewed_envoy_has_the_command_of_its_generation(before: int) -> None:
    service = envoy(before)
    restoration._renew("edge-g3", service)
    assert service == envoy(3)
