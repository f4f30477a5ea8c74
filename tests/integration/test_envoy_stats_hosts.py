# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several managed hosts: each asks its own Envoy, a real one, and a task on the controller holds all of them to what is expected."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from real_envoy import Envoy, answering, run

from ansible_collections.meshlab.envoy.plugins.modules import envoy_stats, envoy_stats_info

TOTAL = "http.main.downstream_rq_total"
SEEN = "{{ dict(ansible_play_hosts_all | zip(ansible_play_hosts_all | map('extract', hostvars, '%s'))) }}"
STATS = "meshlab.envoy.envoy_stats"


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Envoy]]:
    envoys: dict[str, Envoy] = {}
    try:
        for name in ("web1", "web2"):
            config = {"stats_flush_on_admin": True, "static_resources": {"listeners": [answering()]}}
            envoys[name] = Envoy(tmp_path_factory.mktemp(name), config).start()
        yield envoys
    finally:
        for envoy in envoys.values():
            envoy.stop()


def look(envoy: Envoy, **arguments: Any) -> dict[str, Any]:
    return run(envoy_stats_info, url=envoy.url, **arguments)


def across(snapshots: dict[str, Any], *assertions: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    return run(envoy_stats, snapshots=snapshots, assertions=list(assertions), **arguments)


def test_a_play_over_two_hosts(two: dict[str, Envoy], tmp_path: Path) -> None:
    hosts = {
        name: {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "admin": envoy.url,
            "port": envoy.port(),
            "requests": count,
        }
        for (name, envoy), count in zip(two.items(), (3, 5), strict=True)
    }
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}), encoding="utf-8")
    ask = {"meshlab.envoy.envoy_stats_info": {"url": "{{ admin }}", "match": ["http\\.main\\..*"]}}
    expected = [
        {"stat": TOTAL, "of": "delta", "across": "sum", "op": "eq", "value": 8},
        {"stat": TOTAL, "of": "delta", "across": "spread", "op": "eq", "value": 0.4},
        {"stat": TOTAL, "of": "delta", "endpoint": "web1/*", "op": "eq", "value": 3},
        {"stat": TOTAL, "of": "delta", "op": "eq", "value": 5},
    ]
    judge = {
        "name": "All together",
        STATS: {"snapshots": SEEN % "after", "since": SEEN % "before", "assertions": expected},
        "run_once": True,
        "delegate_to": "localhost",
        "register": "judged",
        "failed_when": "false",
    }
    tasks = [
        {"name": "Before", **ask, "register": "before"},
        {
            "name": "Send",
            "ansible.builtin.uri": {"url": "http://127.0.0.1:{{ port }}/"},
            "loop": "{{ range(requests) | list }}",
        },
        {"name": "After", **ask, "register": "after"},
        judge,
        {
            "name": "Keep",
            "ansible.builtin.copy": {
                "content": "{{ judged | to_json }}",
                "dest": str(tmp_path / "judged.json"),
                "mode": "0600",
            },
            "run_once": True,
            "delegate_to": "localhost",
        },
    ]
    play = [{"name": "Two", "hosts": "all", "gather_facts": False, "tasks": tasks}]
    (tmp_path / "play.yml").write_text(yaml.safe_dump(play), encoding="utf-8")
    ansible = str(Path(sys.executable).parent / "ansible-playbook")
    ran = subprocess.run(
        [ansible, "-i", "hosts.yml", "play.yml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    judged = json.loads((tmp_path / "judged.json").read_text())
    assert [one["ok"] for one in judged["assertions"]] == [True, True, True, False], judged["msg"]
    assert judged["assertions"][0]["observed"] == 8
    assert judged["assertions"][2]["endpoints"] == ["web1/envoy"]
    assert f"expected 5, got 3 (delta of {TOTAL} at web1/envoy)" in judged["msg"]
    assert [(one["name"], one["ok"], one["state"]) for one in judged["endpoints"]] == [
        ("web1/envoy", True, "LIVE"),
        ("web2/envoy", True, "LIVE"),
    ]


def test_what_came_of_a_task_is_counted_from_by_the_next(two: dict[str, Envoy]) -> None:
    before = across(
        {name: look(one) for name, one in two.items()}, {"stat": "server.live", "op": "eq", "value": 1}
    )
    later = across(
        {name: look(one)["snapshot"] for name, one in two.items()},
        {"stat": "server.live", "of": "delta", "across": "sum", "op": "eq", "value": 0},
        {"stat": "server.uptime", "of": "rate", "op": "ge", "value": 0},
        since=before["snapshot"],
    )
    assert "failed" not in later, later["msg"]


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        (None, "unreachable", "it has no snapshot"),
        (
            {"unreachable": True, "msg": "no route"},
            "unreachable",
            "Ansible could not reach the host: no route",
        ),
        ({"failed": True, "msg": "no such module"}, "unreachable", "its task failed: no such module"),
        ({"skipped": True, "changed": False}, "unreachable", "its task was skipped"),
    ],
)
def test_a_host_without_a_snapshot_is_not_left_out(
    two: dict[str, Envoy], given: Any, kind: str, words: str
) -> None:
    for operator in ({"across": "sum", "op": "ge", "value": 0}, {"op": "absent"}):
        result = across({"web1": look(two["web1"]), "web3": given}, {"stat": "server.live", **operator})
        assert result["failed"]
        assert result["failure"] == kind
        assert words in result["msg"]
        assert "web3" in result["msg"]


def test_an_envoy_that_was_gone_is_told_with_its_host(two: dict[str, Envoy], tmp_path: Path) -> None:
    gone = run(envoy_stats_info, url=f"unix://{tmp_path}/no.sock", strict=False)
    result = across(
        {"web1": look(two["web1"]), "web2": gone}, {"stat": "server.live", "op": "eq", "value": 1}
    )
    assert result["failure"] == "unreachable"
    assert "expected 1, got no value (server.live at web2/envoy) after 0.0 s: unix://" in result["msg"]


def test_what_nobody_looked_for_is_neither_0_nor_absent(two: dict[str, Envoy]) -> None:
    seen = {"web1": look(two["web1"], stats=["server.live"], match=[r"http\..*"])}
    for wanted in (
        {"stat": TOTAL.replace("http", "tcp"), "op": "absent"},
        {"match": r"cluster\..*", "across": "sum", "op": "eq", "value": 0},
        {"match": ".*", "across": "count", "op": "ge", "value": 0},
        {"source": "server_info", "stat": "state", "op": "eq", "value": "LIVE"},
        {"stat": "server.live", "over": "server.uptime", "op": "ge", "value": 0},
    ):
        assert "snapshots: web1/envoy: the snapshot does not include " in across(seen, wanted)["msg"]
    good = across(
        seen,
        {"match": r"http\..*", "across": "count", "op": "ge", "value": 10},
        {"stat": TOTAL, "op": "ge", "value": 0},
    )
    assert "failed" not in good, good["msg"]


def test_what_usedonly_left_out_is_neither_0_nor_absent(two: dict[str, Envoy]) -> None:
    seen = {"web1": look(two["web1"], usedonly=True)}
    for wanted in ({"op": "eq", "value": 0}, {"op": "absent"}, {"op": "present"}):
        refused = across(seen, {"stat": "cluster_manager.cluster_removed", **wanted})
        assert "does not include cluster_manager.cluster_removed without usedonly" in refused["msg"]
    good = across(seen, {"stat": "server.live", "op": "eq", "value": 1})
    assert "failed" not in good, good["msg"]


def test_of_everything_the_nearest_name_is_told(two: dict[str, Envoy]) -> None:
    result = across({"web1": look(two["web1"])}, {"stat": "server.alive", "op": "eq", "value": 1})
    assert result["failure"] == "absent"
    assert "The nearest names are server.live" in result["msg"]


def test_a_file_that_was_fetched(two: dict[str, Envoy], tmp_path: Path) -> None:
    path = str(tmp_path / "web1.json")
    here = look(two["web1"], snapshot_file=path)
    for given in (path, here, here["snapshot"]):
        result = across({"web1": given}, {"stat": "server.live", "op": "eq", "value": 1})
        assert "failed" not in result, result["msg"]
    (tmp_path / "web1.json").unlink()
    gone = across({"web1": path}, {"stat": "server.live", "op": "eq", "value": 1})
    assert "snapshots['web1']" in gone["msg"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"wait": True}, "wait on each host"),
        ({"snapshots": {}}, "expected a dictionary with the result of the task"),
        ({"snapshots": {"web1": "nonsense"}}, "snapshots['web1']"),
        ({"snapshots": {"web1": {"some": "thing"}}}, "snapshots['web1'] is no snapshot"),
        ({"url": "http://127.0.0.1:1"}, "mutually exclusive"),
    ],
)
def test_what_cannot_be_meant(two: dict[str, Envoy], arguments: dict[str, Any], words: str) -> None:
    given = {"snapshots": {"web1": look(two["web1"], stats=["server.live"])}, **arguments}
    result = across(given.pop("snapshots"), {"stat": "server.live", "op": "eq", "value": 1}, **given)
    assert words in result["msg"]


def test_a_difference_needs_what_to_count_from(two: dict[str, Envoy]) -> None:
    delta = {"stat": "server.live", "of": "delta", "op": "eq", "value": 0}
    seen = {name: look(one) for name, one in two.items()}
    assert "Set since" in across(seen, delta)["msg"]
    one_only = across(seen, delta, since={"web1": seen["web1"]})
    assert "has no endpoint web2/envoy" in one_only["msg"]


def test_a_host_that_is_gone_takes_what_it_counted_with_it(two: dict[str, Envoy]) -> None:
    seen = {name: look(one) for name, one in two.items()}
    live = {"stat": "server.live", "across": "sum", "op": "ge", "value": 0}
    fewer = across({"web1": seen["web1"]}, {**live, "of": "delta"}, live, since=seen)
    assert [one["failure"] for one in fewer["assertions"]] == ["restarted", ""]
    assert "at web2/envoy" in fewer["msg"]
    unseen = across(seen, {**live, "of": "delta"}, since={"web1": seen["web1"], "web2": {"failed": True}})
    assert "has no endpoint web2/envoy" in unseen["msg"]
