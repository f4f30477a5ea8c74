# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The argument specification and the parser have the same keys."""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic import expectations, traffic_spec
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_options import (
    EXPECT_ARGS,
    TRAFFIC_ARGS,
)


def test_traffic_options_are_the_keys_of_the_parser() -> None:
    assert tuple(TRAFFIC_ARGS) == traffic_spec.KEYS


def test_expectation_options_are_the_keys_of_the_parser() -> None:
    assert set(EXPECT_ARGS) == set(expectations.KEYS)
