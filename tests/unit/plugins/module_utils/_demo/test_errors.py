# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the error of a demo."""

from __future__ import annotations

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError, check_known


def test_error_names_file_and_key() -> None:
    assert (
        str(DemoError("shop.yml", "ports: missing. Add the key.")) == "shop.yml: ports: missing. Add the key."
    )


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("services", "shop.yml: services: unknown service 'wbe'. Did you mean 'web'?"),
        ("", "shop.yml: unknown service 'wbe'. Did you mean 'web'?"),
    ],
)
def test_unknown_name_is_refused_with_a_suggestion(path: str, message: str) -> None:
    with pytest.raises(DemoError) as caught:
        check_known("wbe", ["web", "db"], "shop.yml", path, "service")
    assert str(caught.value) == message


def test_known_name_is_accepted() -> None:
    check_known(8080, [8080], "shop.yml", "ports", "port")
