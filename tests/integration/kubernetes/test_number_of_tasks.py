# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The number of tasks, which determines the time of a playbook, does not depend on the number of services."""

from __future__ import annotations

import re

from cluster_home import ClusterHome
from front_proxy_demo import write_demo


def test_20_services_run_as_many_tasks_as_2(home: ClusterHome) -> None:
    def tasks(services: int) -> list[str]:
        ran = home.play("site", "--check", demo=write_demo(home.folder, services))
        return re.findall(r"^TASK \[(.+)\]", ran.output, re.MULTILINE)

    two = tasks(2)
    assert len(two) >= 5
    assert tasks(20) == two
