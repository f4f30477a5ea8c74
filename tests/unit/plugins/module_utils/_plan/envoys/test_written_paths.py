# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the files that an Envoy writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.envoys.written_paths import (
    FILE_ACCESS_LOG,
    without_written_files,
)

Planner = Callable[..., dict[str, Any]]
WHERE = "proxies.edge.listeners.http.http_connection_manager.access_log[0].typed_config.path"


def demo(path: str) -> dict[str, Any]:
    log = {"name": "file", "typed_config": {"@type": f"type.googleapis.com/{FILE_ACCESS_LOG}", "path": path}}
    listener = {
        "port": 8080,
        "publish": 8080,
        "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 200}}],
        "http_connection_manager": {"access_log": [log]},
    }
    return {"summary": "s", "ports": 20000, "proxies": {"edge": {"listeners": {"http": listener}}}}


@pytest.mark.parametrize(
    ("platform", "path"),
    [
        ("docker", "/var/log/envoy/access.log"),
        ("docker", "access.log"),
        ("kubernetes", "/var/log/envoy/access.log"),
        ("kubernetes", "/srv/case/access.log"),
        ("kubernetes", "edge/run/access.log"),
        ("kubernetes", "/tmp/../etc/access.log"),
    ],
)
def test_log_that_a_container_cannot_write_is_refused(plan: Planner, platform: str, path: str) -> None:
    with pytest.raises(DemoError) as caught:
        plan(demo(path), platform)
    assert str(caught.value).startswith(
        f"shop.yml: {WHERE}: Envoy cannot write '{path}', because the file system of its container is read-only."
        " Use ${data}/access.log, /dev/stdout, a path below /tmp"
    )


@pytest.mark.parametrize(
    ("platform", "path"),
    [
        ("local", "/var/log/envoy/access.log"),
        ("local", "${data}/access.log"),
        ("docker", "edge/run/access.log"),
        ("docker", "${data}/access.log"),
        ("kubernetes", "/dev/stdout"),
        ("kubernetes", "${data}/access.log"),
    ],
)
def test_log_that_envoy_can_write_is_planned(plan: Planner, platform: str, path: str) -> None:
    planned = plan(demo(path), platform)
    ((candidate,),) = (one["files"] for one in planned["checks"])
    written = path.replace("${data}", "data/edge" if platform == "local" else "/tmp")
    (deployed,) = (one["content"] for one in planned["files"] if one["path"] == "edge/listeners.yaml")
    assert f"path: {written}\n" in deployed
    # The host that validates the configuration of a pod writes no log.
    opens_log = platform != "kubernetes" or path.startswith("/dev/")
    assert (f"path: {written}\n" in candidate["content"]) == opens_log
    assert ("path: /dev/null\n" in candidate["content"]) != opens_log


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ('{"@type": type.googleapis.com/' + FILE_ACCESS_LOG + ', path: "/a.log"}', {"path": "/dev/null"}),
        ("{event_log_path: /a.log, path: /b}", {"event_log_path": "/dev/null", "path": "/b"}),
        ("{path: /a.log}", {"path": "/a.log"}),
    ],
)
def test_validated_configuration_writes_no_log(field: str, expected: dict[str, str]) -> None:
    found = yaml.safe_load(without_written_files(f"a: [{field}]"))["a"][0]
    assert {key: value for key, value in found.items() if key != "@type"} == expected
