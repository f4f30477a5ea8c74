# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traffic: requests at a stated concurrency, counts of their answers, and expectations about these.

Other parts of the collection use the names below and nothing else.
"""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.counters import Result
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.expectations_check import (
    in_words,
    judge,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load_generator import run, send
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.reading import TrafficError
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_options import TRAFFIC_ARGS
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import (
    Traffic,
    parse_traffic,
)

__all__ = [
    "TRAFFIC_ARGS",
    "Result",
    "Traffic",
    "TrafficError",
    "in_words",
    "judge",
    "parse_traffic",
    "run",
    "send",
]
