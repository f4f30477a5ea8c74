# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts for failures of docker exec."""

from __future__ import annotations

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.container_exec import (
    explain,
    open_in_container,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("permission denied while trying to connect to the Docker daemon socket", "no permission to use the Docker daemon;"),
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock", "the Docker daemon does not answer; start it"),
        ("meshlab-no-tool", "container web has no program that opens connections (bash, python3, nc); bind"),
        ("Error response from daemon: No such container: web", "there is no container named web"),
        ("Error: container abc is not running", "container web is not running"),
        ("connect: Connection refused\n/dev/tcp/127.0.0.1/1: No such file or directory", "inside container web the connection is refused"),
        ('exec: "sh": executable file not found in $PATH', "container web has no shell; bind"),
        ("one\ntwo", "container web: two"),
        ("", "container web: docker exec ended without a response"),
    ],
)  # fmt: skip
def test_text_of_a_failure(output: str, text: str) -> None:
    assert explain(output, "web").startswith(text)


def test_missing_docker_command_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ScrapeError, match="the docker command is not installed on this host"):
        open_in_container(Endpoint("web", "http", "127.0.0.1", 9901, container="web"))
