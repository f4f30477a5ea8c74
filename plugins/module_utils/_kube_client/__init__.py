# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Kubernetes cluster's API, and ports of its pods. Knows nothing of demos, of plans or of Envoy.

`api.connect` is where to begin; `access.Access` is for a task that may need no cluster at all. Needs the Python package `kubernetes`,
which is imported when a cluster is connected to.
"""
