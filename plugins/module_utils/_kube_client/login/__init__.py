# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins without the package `kubernetes`: options, plain kubeconfigs and service accounts.

Private to this collection: it can change at any time. The import of the package `kubernetes` costs 0.15 to 0.27 s of CPU in each task,
which is more than the requests of most tasks.
"""
