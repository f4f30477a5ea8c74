# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The error for a wrong argument."""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError


def test_text_has_the_key_and_the_problem() -> None:
    error = ArgumentError("traffic[0].timeout", "expected a number above 0, got 0.")
    assert isinstance(error, ValueError)
    assert str(error) == "traffic[0].timeout: expected a number above 0, got 0."
