# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module in the process of a test as on a managed host."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from functools import partial
from types import ModuleType
from typing import Any
from unittest.mock import patch

import pytest
from ansible.module_utils import basic
from ansible.module_utils.common import warnings
from ansible.module_utils.testing import patch_module_args


def run_module(module: ModuleType, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Run a module in this process as Ansible does, and return its result."""
    printed = io.StringIO()
    # Ansible runs each module in a new process, so a result has no warnings of an earlier module.
    warnings._global_warnings.clear()
    warnings._global_deprecations.clear()
    with (
        # In a process that has imported Ansible's controller, warnings are displayed and not returned.
        patch("ansible.module_utils._internal.is_controller", False),
        patch_module_args(dict(arguments)),
        # Not sys.stdout, which pytest replaces between two tests, while a module runs in another thread.
        patch.object(basic, "print", partial(print, file=printed), create=True),
        pytest.raises(SystemExit),
    ):
        module.main()
    result: dict[str, Any] = json.loads(printed.getvalue())
    return result
