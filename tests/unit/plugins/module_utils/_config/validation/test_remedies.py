# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The remedy for an error of Envoy."""

from __future__ import annotations

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.remedies import (
    DEFAULT,
    remedy,
)


@pytest.mark.parametrize(
    ("error", "clusters", "sentence"),
    [
        (
            "route: unknown cluster 'webb'",
            ["far", "web"],
            (
                "Did you mean 'web'? The clusters of this proxy are: far, web."
                " Correct the name, or add the cluster under 'proxies.edge.clusters'."
            ),
        ),
        (
            "route: unknown cluster 'x'",
            [],
            "This proxy has no clusters. Correct the name, or add the cluster under 'proxies.edge.clusters'.",
        ),
        (
            "Didn't find a registered implementation for 'envoy.filters.http.router' with type URL: ''",
            [],
            "Add the configuration of the extension in 'typed_config', with its '@type'.",
        ),
        (
            "Only unique values for domains are permitted. Duplicate entry of domain *",
            [],
            "Rename or remove one of the two.",
        ),
        ("never seen before", [], DEFAULT),
    ],
)
def test_remedy_of_an_error(error: str, clusters: list[str], sentence: str) -> None:
    assert remedy(error, clusters, "proxies.edge") == sentence
