# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Booleans as text."""

from __future__ import annotations

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.boolean import to_boolean


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("Yes", True), ("ON", True), ("False", False), ("no", False), ("off", False)],
)
def test_words_of_yaml_become_booleans(text: str, value: bool) -> None:
    assert to_boolean(text) is value


@pytest.mark.parametrize("text", ["", "1", "0", "y", "maybe", " true"])
def test_other_text_is_no_boolean(text: str) -> None:
    assert to_boolean(text) is None
