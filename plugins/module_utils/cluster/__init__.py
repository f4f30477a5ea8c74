# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Kubernetes cluster's API, and ports of its pods. Knows nothing of demos, of plans or of Envoy.

Needs the Python package `kubernetes`, which is imported when a cluster is connected to.
"""

from __future__ import annotations

from .api import Answer, Cluster, connect
from .errors import ClusterError
from .options import CLUSTER_ARGS, CLUSTER_OPTIONS

__all__ = ["CLUSTER_ARGS", "CLUSTER_OPTIONS", "Answer", "Cluster", "ClusterError", "connect"]
