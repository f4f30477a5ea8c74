# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The error for a wrong option."""

from __future__ import annotations


class SpecError(ValueError):
    """An option is wrong. The message names the option and says what to do; it is raised before any connection is opened."""
