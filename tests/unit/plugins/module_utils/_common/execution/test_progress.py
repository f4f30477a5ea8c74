# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The texts about progress: their examples, and numbers of one."""

from __future__ import annotations

import doctest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution import progress
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.progress import (
    pulling_text,
    waiting_text,
)


def test_examples() -> None:
    result = doctest.testmod(progress)
    assert (result.failed, result.attempted > 0) == (0, True)


def test_wait_names_the_first_workload_that_is_not_ready() -> None:
    assert waiting_text({"b": "x", "a": "y"}, 3) == "waiting for b (1 of 3 ready): x"


def test_pull_lists_three_images() -> None:
    assert pulling_text(["a", "b", "c", "d"]) == "pulling 4 images: a, b, c and 1 more"
