# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module in the process of a test as on a managed host."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch


def on_managed_host() -> AbstractContextManager[Any]:
    """Let modules return their warnings. In a process that has imported Ansible's controller, they are displayed instead."""
    return patch("ansible.module_utils._internal.is_controller", False)
