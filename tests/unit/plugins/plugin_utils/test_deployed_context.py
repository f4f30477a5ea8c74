# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The programs that a platform runs on the host itself, from the planning context."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.plugin_utils._deployed_context import host_programs

ENVOY = {"executable": "/opt/envoy", "version": "1.40.0", "image": "envoy"}
SUPERVISORD = {"executable": "/opt/supervisord"}


@pytest.mark.parametrize(
    ("platform", "names"),
    [
        ("local", ["openssl", "envoy", "statsd_exporter", "supervisord"]),
        ("docker", []),
        ("kubernetes", ["envoy"]),
        ("openshift", ["envoy"]),
        ("no_such_platform", []),
        (None, []),
    ],
)
def test_programs_are_those_of_the_platform(platform: Any, names: list[str]) -> None:
    assert [one["name"] for one in host_programs({"platform": platform})] == names


def test_programs_have_executable_and_version_of_the_context() -> None:
    context = {"platform": "local", "envoy": ENVOY, "supervisord": SUPERVISORD, "statsd_exporter": "wrong"}
    assert {one["name"]: (one["executable"], one["version"]) for one in host_programs(context)} == {
        "openssl": ("openssl", ""),
        "envoy": ("/opt/envoy", "1.40.0"),
        "statsd_exporter": ("statsd_exporter", ""),
        "supervisord": ("/opt/supervisord", ""),
    }
