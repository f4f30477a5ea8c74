# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text for a URL that Python cannot split."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.url_problem import url_problem


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (
            "http://web:8080service",
            "its port is not a number. Write the port in digits, and begin the path with '/'.",
        ),
        ("http://web:99999", "its port is above 65535. Write a port from 1 to 65535."),
        ("http://[::1", "its IPv6 address is not valid. Write the address in brackets, such as [::1]."),
        ("http://[web]:80", "its IPv6 address is not valid. Write the address in brackets, such as [::1]."),
    ],
)
def test_problem_of_a_url_has_a_remedy(url: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r".+") as caught:
        print(urlsplit(url).port)
    assert url_problem(caught.value) == problem
