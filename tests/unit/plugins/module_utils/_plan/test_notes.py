# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the notes of a plan."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError

Planner = Callable[..., dict[str, Any]]


def demo(*notes: str, **service: Any) -> dict[str, Any]:
    return {
        "summary": "one",
        "notes": list(notes),
        "ports": 20000,
        "services": {"web": {"app": {}, "publish": 8081, **service}},
        "proxies": {
            "edge": {
                "listeners": {"http": {"port": 8080, "publish": 8090, "routes": []}, "inner": {"port": 8082, "routes": []}}
            }
        },
        "statsd_exporter": {"publish": 9102, "style": "statsd"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("note", "platform", "more", "expected"),
    [
        ("curl ${edge/http}/x", "local", {}, "curl http://127.0.0.1:8090/x"),
        ("curl ${web/app}/", "docker", {"bind": "10.0.0.7"}, "curl http://10.0.0.7:8081/"),
        ("nc ${edge/http.host} ${edge/http.port}", "docker", {}, "nc 127.0.0.1 8090"),
        ("${statsd_exporter}/metrics", "local", {}, "http://127.0.0.1:9102/metrics"),
        ("${edge/http.port}", "openshift", {"kubernetes": {"domain": "apps.example.com"}}, "443"),
        ("ls ${folder}, PLATFORM=${platform}", "kubernetes", {"folder": "/state"}, "ls /state, PLATFORM=kubernetes"),
        ("for n in {1..3}; do echo $n ${N} $${edge/http}; done", "local", {}, "for n in {1..3}; do echo $n ${N} ${edge/http}; done"),
    ],
)  # fmt: skip
def test_placeholder_becomes_the_address(
    plan: Planner, note: str, platform: str, more: Any, expected: str
) -> None:
    assert plan(demo(note), platform, **more)["notes"] == [expected]


def test_note_about_missing_address_is_left_out(plan: Planner) -> None:
    two = demo("curl ${web/app}", "curl ${edge/http}")
    assert plan(two, "local", replicas={"web": 0})["notes"] == ["curl http://127.0.0.1:8090"]


@pytest.mark.parametrize("word", ["edge/htp", "edge/inner", "edge", "web/app.name", "demo"])
def test_unknown_placeholder_in_a_note_is_refused(plan: Planner, word: str) -> None:
    with pytest.raises(DemoError) as caught:
        plan(demo("one", f"curl ${{{word}}}"), "local")
    assert (
        f"notes[1]: unknown placeholder '${{{word}}}'. Use one of: platform, folder, web/app, edge/http, "
        in str(caught.value)
    )


FILES = sorted((Path(__file__).resolve().parents[5] / "playbooks" / "demos").glob("*.yml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_gallery_notes_contain_no_fixed_address(path: Path) -> None:
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    for note in data.get("notes", []):
        assert not re.search(r"127\.0\.0\.1[: ]\d|~/|ansible-playbook", note)
