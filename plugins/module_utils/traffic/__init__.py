# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traffic: requests at a stated concurrency, counts of their answers, and expectations about these.

Other parts of the collection use the names below and nothing else.
"""

from __future__ import annotations

from .arguments import TRAFFIC_ARGS
from .judge import judge
from .reading import TrafficError
from .sender import run, send
from .spec import Traffic, parse_traffic
from .tally import Result

__all__ = ["TRAFFIC_ARGS", "Result", "Traffic", "TrafficError", "judge", "parse_traffic", "run", "send"]
