# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Configuration files that an author wrote: what they contain, and the copies that are validated and deployed.

Private to this collection: it can change at any time.
"""
