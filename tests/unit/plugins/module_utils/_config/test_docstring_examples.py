# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the examples in the docstrings of the packages _config and _envoy, and of yaml_text."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils import _config, _envoy

PREFIX = "ansible_collections.meshlab.envoy.plugins.module_utils"


def modules_with_examples() -> list[str]:
    found = [f"{PREFIX}._common.yaml_text"]
    for package in (_config, _envoy):
        root = Path(str(package.__file__)).parent
        found += [
            ".".join([PREFIX, root.name, *path.relative_to(root).with_suffix("").parts])
            for path in sorted(root.rglob("*.py"))
            if ">>> " in path.read_text(encoding="utf-8")
        ]
    return found


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_in_docstrings_are_correct(name: str) -> None:
    results = doctest.testmod(importlib.import_module(name))
    assert results.attempted > 0
    assert results.failed == 0
