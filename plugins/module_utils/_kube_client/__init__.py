# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of the Kubernetes API: objects, logs and port-forwards. Private to this collection: it can change at any time.

Begin with `cluster_client.connect`. A task that reaches pods only in some cases uses `pod_access.PodAccess`, which connects at the
first use. The Python package `kubernetes` is imported only for logins that `login` does not have, such as login commands.
"""
