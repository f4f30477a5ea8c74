# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of sources, and the documentation that has to match it."""

from __future__ import annotations

from pathlib import Path

import yaml

from ansible_collections.meshlab.envoy.plugins.doc_fragments.assertions import ModuleDocFragment
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion_options import (
    ASSERTION_OPTIONS,
    INFO_ARGS,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.sources import SELECTABLE, SOURCES

DOCUMENTED = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]["assertions"]["suboptions"]["source"]


def test_each_source_is_documented_as_in_the_list() -> None:
    paragraphs = [text for name in SELECTABLE for text in SOURCES[name].description]
    assert DOCUMENTED["description"][1:] == paragraphs


def test_choices_are_those_of_the_list() -> None:
    assert DOCUMENTED["choices"] == list(SELECTABLE)
    assert ASSERTION_OPTIONS["source"]["choices"] == list(SELECTABLE)
    assert INFO_ARGS["sources"]["choices"] == list(SELECTABLE)


def test_each_admin_page_has_a_path_and_a_parser() -> None:
    pages = [source for source in SOURCES.values() if source.name not in ("stats", "prometheus")]
    assert all(page.path.startswith("/") and page.parse is not None for page in pages)


def test_guide_lists_the_sources() -> None:
    guide = Path(__file__).resolve().parents[5] / "docs" / "assert-on-envoy.md"
    (row,) = (
        line for line in guide.read_text(encoding="utf-8").splitlines() if line.startswith("| `source` |")
    )
    assert row.split("|")[3].split("`")[1::2] == list(SELECTABLE)
