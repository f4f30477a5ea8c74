# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the import of the collection in tests: this checkout, and the collections of the `ansible` package."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_collection_is_this_checkout() -> None:
    package = importlib.import_module("ansible_collections.meshlab.envoy")
    assert Path(package.__file__ or package.__path__[0]).resolve().is_relative_to(ROOT)


@pytest.mark.parametrize("name", ["community.docker"])
def test_dependency_is_importable(name: str) -> None:
    importlib.import_module(f"ansible_collections.{name}.plugins.module_utils")
