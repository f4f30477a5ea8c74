# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the parts that all platforms share, with the platform whose class overrides the least."""

from __future__ import annotations

import pytest
from platform_objects import platform_of

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform, Validator
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.registry import PLANNERS


@pytest.mark.parametrize("name", PLANNERS)
def test_each_platform_describes_each_proxy(name: str) -> None:
    platform = platform_of(name)
    for proxy in platform.proxies():
        assert platform.admin_endpoint(proxy)["url"]
        assert platform.stats_endpoint(proxy)
        assert platform.admin_address(proxy)
        assert proxy.group in platform.certificate_names(proxy)
        assert "127.0.0.1" in platform.certificate_addresses(proxy)


@pytest.mark.parametrize("name", PLANNERS)
def test_each_platform_has_documents_with_commands(name: str) -> None:
    platform = platform_of(name)
    documents = platform.documents("default", [], [], [])
    assert documents.files
    assert documents.commands


def test_platform_without_documents_is_abstract() -> None:
    assert Platform.__abstractmethods__ == {"documents"}


def test_container_runs_programs_of_its_image() -> None:
    platform = platform_of("docker")
    assert platform.program(platform.context.envoy, "/bin/envoy") == "/bin/envoy"
    assert platform.validator(platform.context.envoy, "/bin/envoy") == Validator("/bin/envoy", "program:1")
    assert platform.path_in_workload("app", "/app") == "/app"
    assert platform.working_directory("/app") == "/app"


def test_image_of_the_app_replaces_its_file() -> None:
    assert platform_of("docker").needs_app_file()
    assert not platform_of("docker", app_image="shop:1").needs_app_file()
    assert platform_of("local", app_image="shop:1").needs_app_file()


def test_certificate_has_the_address_that_users_open() -> None:
    (edge,) = [one for one in platform_of("docker", bind="192.0.2.1").proxies() if one.name == "edge"]
    assert platform_of("docker", bind="192.0.2.1").certificate_addresses(edge) == ["127.0.0.1", "192.0.2.1"]
    assert platform_of("docker", bind="0.0.0.0").certificate_addresses(edge) == ["127.0.0.1"]
