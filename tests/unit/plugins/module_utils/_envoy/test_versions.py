# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test which Envoy versions are supported."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy import versions


@pytest.mark.parametrize("version", [*versions.SUPPORTED.values(), "1.38.99"])
def test_supported_version_is_returned(version: str) -> None:
    assert versions.require_supported(version) == version


@pytest.mark.parametrize(
    "version", ["1.35.0", "1.41.0", "1.40", "2.40.0", "v1.40.0", "1.40.x", "1.40.0.1", "1.4.0", ""]
)
def test_unsupported_version_is_refused(version: str) -> None:
    with pytest.raises(versions.UnsupportedVersion) as caught:
        versions.require_supported(version)
    assert str(caught.value) == (
        f"Envoy {version} is not supported. Use one of {', '.join(versions.SUPPORTED.values())}, or another patch version of these."
    )


def test_oldest_and_newest_are_the_ends_of_the_range() -> None:
    supported = list(versions.SUPPORTED.values())
    assert [supported[0], supported[-1]] == [versions.OLDEST, versions.NEWEST]


def test_default_version_of_the_role_is_the_newest() -> None:
    root = Path(__file__).parents[5]
    defaults = yaml.safe_load((root / "roles/envoy_image/defaults/main.yml").read_text(encoding="utf-8"))
    assert defaults["envoy_image_version"] == versions.NEWEST
