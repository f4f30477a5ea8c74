# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traffic: requests at a stated concurrency, counts of their answers, and expectations about these.

Other parts of the collection use the names below and nothing else.
"""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.module_utils.traffic.arguments import TRAFFIC_ARGS
from ansible_collections.meshlab.envoy.plugins.module_utils.traffic.judge import in_words, judge
from ansible_collections.meshlab.envoy.plugins.module_utils.traffic.reading import TrafficError
from ansible_collections.meshlab.envoy.plugins.module_utils.traffic.sender import run, send
from ansible_collections.meshlab.envoy.plugins.module_utils.traffic.spec import Traffic, parse_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils.traffic.tally import Result

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
