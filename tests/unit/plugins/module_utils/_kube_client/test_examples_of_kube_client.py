# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the examples in the docstrings of the Kubernetes client, of the platform kubernetes, and of the WebSocket modules."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils import _kube_client

PREFIX = "ansible_collections.meshlab.envoy.plugins.module_utils"
MODULE_UTILS = Path(str(_kube_client.__file__)).parents[1]


def modules_with_examples() -> list[str]:
    patterns = ("_kube_client/**/*.py", "_platform/kubernetes/**/*.py", "_common/websocket_*.py")
    return [
        ".".join(path.relative_to(MODULE_UTILS).with_suffix("").parts)
        for pattern in patterns
        for path in sorted(MODULE_UTILS.glob(pattern))
        if ">>> " in path.read_text(encoding="utf-8")
    ]


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_in_docstrings_are_correct(name: str) -> None:
    module = importlib.import_module(f"{PREFIX}.{name}")
    results = doctest.testmod(module, optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    assert results.attempted > 0
    assert results.failed == 0
