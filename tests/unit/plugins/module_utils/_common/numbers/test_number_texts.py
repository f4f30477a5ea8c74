# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers as short texts: the documented examples."""

from __future__ import annotations

import doctest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers import number_texts


def test_examples() -> None:
    result = doctest.testmod(number_texts)
    assert (result.failed, result.attempted >= 3) == (0, True)
