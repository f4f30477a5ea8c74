# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The live view of a running demo: its readings, the numbers of the last seconds, a page on loopback, and a table for a terminal.

Private to this collection: it can change at any time.
"""
