# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the search for messages in a message."""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.nested_messages import messages_in


def test_messages_of_lists_and_mappings_have_their_paths() -> None:
    found = dict(messages_in({"a": [[{"b": 1}], ({"c": {}},)]}))
    assert list(found) == ["", "a[0][0]", "a[1][0]", "a[1][0].c"]
    assert found["a[0][0]"] == {"b": 1}


def test_scalars_have_no_messages() -> None:
    assert list(messages_in("text", "name")) == []
