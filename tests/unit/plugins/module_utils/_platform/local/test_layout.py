# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the planner's view of processes."""

from __future__ import annotations

from typing import Any

from platform_objects import platform_of

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Validator
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Mount


def test_process_runs_the_executable_of_the_host() -> None:
    platform = platform_of("local")
    assert platform.program(platform.context.envoy, "/bin/envoy") == "~/bin/program"
    assert platform.validator(platform.context.envoy, "/bin/envoy") == Validator("~/bin/program")
    assert platform.server_program({"program": "web"}, "/usr/bin/web", None) == "web"
    assert platform.server_program({"program": None}, "/usr/bin/web", None) == "/usr/bin/web"


def test_process_opens_the_deployment_folder_itself() -> None:
    platform = platform_of("local")
    assert platform.path_in_workload("app", "/app") == "app"
    assert platform.mounts(Mount("app", "/app")) == ()
    assert platform.working_directory("/app") == "."


def test_replicas_have_their_own_files_and_data() -> None:
    platform = platform_of("local")
    first, second = platform.instances("web")
    assert platform.files_directory(first) != platform.files_directory(second)
    assert platform.created_directories(second) == [("data/web-2", "0700")]


def test_folder_of_the_logs_is_created_with_the_document() -> None:
    assert platform_of("local").document_directories() == [("logs", "0700")]


def test_command_names_the_executable_for_a_shell() -> None:
    def command(**context: Any) -> str:
        return platform_of("local", **context).documents("default", [], [], []).commands[0]

    assert command() == "supervisord -c supervisord.conf"
    assert (
        command(supervisord={"executable": "~/a b/supervisord"}) == "~/'a b/supervisord' -c supervisord.conf"
    )


def test_port_is_published_or_of_the_block() -> None:
    platform = platform_of("local")
    assert platform.port("db", "app") == 18081
    assert 20000 <= platform.port("web", "app") < 20100
    assert platform.port("web", "app", 2) != platform.port("web", "app", 1)
    assert platform.published_port("web", "app") == platform.port("web", "app")


def test_process_is_reached_by_port_on_loopback() -> None:
    platform = platform_of("local")
    (edge,) = [one for one in platform.proxies() if one.name == "edge"]
    addresses = platform.target_addresses("web", edge, "clusters.web")
    assert addresses == [("127.0.0.1", platform.port("web", "ingress", one)) for one in (1, 2)]


def test_document_is_supervisord_conf() -> None:
    documents = platform_of("local").documents("default", [], [], [])
    assert [one.path for one in documents.files] == ["supervisord.conf"]
    assert documents.objects == ()
