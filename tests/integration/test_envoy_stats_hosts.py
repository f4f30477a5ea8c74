# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several managed hosts: each reads its own real Envoy, and a task on the controller asserts on all snapshots together."""

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
RESULTS = "{{ dict(ansible_play_hosts_all | zip(ansible_play_hosts_all | map('extract', hostvars, '%s'))) }}"
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


def read(envoy: Envoy, **arguments: Any) -> dict[str, Any]:
    return run(envoy_stats_info, url=envoy.url, **arguments)


def evaluate_hosts(
    snapshots: dict[str, Any], *assertions: dict[str, Any], **arguments: Any
) -> dict[str, Any]:
    return run(envoy_stats, snapshots=snapshots, assertions=list(assertions), **arguments)


def test_play_over_two_hosts(two: dict[str, Envoy], tmp_path: Path) -> None:
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
    read_stats = {"meshlab.envoy.envoy_stats_info": {"url": "{{ admin }}", "match": ["http\\.main\\..*"]}}
    expected = [
        {"stat": TOTAL, "of": "delta", "across": "sum", "op": "eq", "value": 8},
        {"stat": TOTAL, "of": "delta", "across": "spread", "op": "eq", "value": 0.4},
        {"stat": TOTAL, "of": "delta", "endpoint": "web1/*", "op": "eq", "value": 3},
        {"stat": TOTAL, "of": "delta", "op": "eq", "value": 5},
    ]
    evaluate = {
        "name": "All together",
        STATS: {"snapshots": RESULTS % "after", "since": RESULTS % "before", "assertions": expected},
        "run_once": True,
        "delegate_to": "localhost",
        "register": "evaluated",
        "failed_when": "false",
    }
    tasks = [
        {"name": "Before", **read_stats, "register": "before"},
        {
            "name": "Send",
            "ansible.builtin.uri": {"url": "http://127.0.0.1:{{ port }}/"},
            "loop": "{{ range(requests) | list }}",
        },
        {"name": "After", **read_stats, "register": "after"},
        evaluate,
        # A task with environment variables starts the module in a process of its own.
        {**evaluate, "environment": {"MESHLAB_TEST": "1"}, "register": "by_module"},
        {
            "name": "Keep",
            "ansible.builtin.copy": {
                "content": "{{ [evaluated, by_module] | to_json }}",
                "dest": str(tmp_path / "evaluated.json"),
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
    evaluated, by_module = json.loads((tmp_path / "evaluated.json").read_text())
    by_module.pop("failed_when_suppressed_exception", None)  # of Ansible, for a module only
    assert {**by_module, "elapsed": 0, "warnings": []} == {**evaluated, "elapsed": 0, "warnings": []}
    assert [assertion["ok"] for assertion in evaluated["assertions"]] == [True, True, True, False], evaluated[
        "msg"
    ]
    assert evaluated["assertions"][0]["observed"] == 8
    assert evaluated["assertions"][2]["endpoints"] == ["web1/envoy"]
    assert f"expected 5, got 3 (delta of {TOTAL} at web1/envoy)" in evaluated["msg"]
    assert [(endpoint["name"], endpoint["ok"], endpoint["state"]) for endpoint in evaluated["endpoints"]] == [
        ("web1/envoy", True, "LIVE"),
        ("web2/envoy", True, "LIVE"),
    ]


def test_result_of_a_task_is_since_of_the_next(two: dict[str, Envoy]) -> None:
    before = evaluate_hosts(
        {name: read(envoy) for name, envoy in two.items()}, {"stat": "server.live", "op": "eq", "value": 1}
    )
    later = evaluate_hosts(
        {name: read(envoy)["snapshot"] for name, envoy in two.items()},
        {"stat": "server.live", "of": "delta", "across": "sum", "op": "eq", "value": 0},
        {"stat": "server.uptime", "of": "rate", "op": "ge", "value": 0},
        since=before["snapshot"],
    )
    assert "failed" not in later, later["msg"]


@pytest.mark.parametrize(
    ("given", "kind", "text"),
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
def test_host_without_a_snapshot_fails(two: dict[str, Envoy], given: Any, kind: str, text: str) -> None:
    for operator in ({"across": "sum", "op": "ge", "value": 0}, {"op": "absent"}):
        result = evaluate_hosts(
            {"web1": read(two["web1"]), "web3": given}, {"stat": "server.live", **operator}
        )
        assert result["failed"]
        assert result["failure"] == kind
        assert text in result["msg"]
        assert "web3" in result["msg"]


def test_failure_names_the_host(two: dict[str, Envoy], tmp_path: Path) -> None:
    gone = run(envoy_stats_info, url=f"unix://{tmp_path}/no.sock", strict=False)
    result = evaluate_hosts(
        {"web1": read(two["web1"]), "web2": gone}, {"stat": "server.live", "op": "eq", "value": 1}
    )
    assert result["failure"] == "unreachable"
    assert "expected 1, got no value (server.live at web2/envoy) after 0.0 s: unix://" in result["msg"]


def test_stat_that_was_not_selected_is_refused(two: dict[str, Envoy]) -> None:
    snapshots = {"web1": read(two["web1"], stats=["server.live"], match=[r"http\..*"])}
    for assertion in (
        {"stat": TOTAL.replace("http", "tcp"), "op": "absent"},
        {"match": r"cluster\..*", "across": "sum", "op": "eq", "value": 0},
        {"match": ".*", "across": "count", "op": "ge", "value": 0},
        {"source": "server_info", "stat": "state", "op": "eq", "value": "LIVE"},
        {"stat": "server.live", "over": "server.uptime", "op": "ge", "value": 0},
    ):
        assert (
            "snapshots: web1/envoy: the snapshot does not include "
            in evaluate_hosts(snapshots, assertion)["msg"]
        )
    good = evaluate_hosts(
        snapshots,
        {"match": r"http\..*", "across": "count", "op": "ge", "value": 10},
        {"stat": TOTAL, "op": "ge", "value": 0},
    )
    assert "failed" not in good, good["msg"]


def test_stat_that_usedonly_left_out_is_refused(two: dict[str, Envoy]) -> None:
    snapshots = {"web1": read(two["web1"], usedonly=True)}
    for assertion in ({"op": "eq", "value": 0}, {"op": "absent"}, {"op": "present"}):
        refused = evaluate_hosts(snapshots, {"stat": "cluster_manager.cluster_removed", **assertion})
        assert "does not include cluster_manager.cluster_removed without usedonly" in refused["msg"]
    good = evaluate_hosts(snapshots, {"stat": "server.live", "op": "eq", "value": 1})
    assert "failed" not in good, good["msg"]


def test_message_has_similar_names(two: dict[str, Envoy]) -> None:
    result = evaluate_hosts({"web1": read(two["web1"])}, {"stat": "server.alive", "op": "eq", "value": 1})
    assert result["failure"] == "absent"
    assert "The nearest names are server.live" in result["msg"]


def test_snapshot_in_a_file_is_read(two: dict[str, Envoy], tmp_path: Path) -> None:
    path = str(tmp_path / "web1.json")
    local = read(two["web1"], snapshot_file=path)
    for given in (path, local, local["snapshot"]):
        result = evaluate_hosts({"web1": given}, {"stat": "server.live", "op": "eq", "value": 1})
        assert "failed" not in result, result["msg"]
    (tmp_path / "web1.json").unlink()
    gone = evaluate_hosts({"web1": path}, {"stat": "server.live", "op": "eq", "value": 1})
    assert "snapshots['web1']" in gone["msg"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"wait": True}, "wait: snapshots do not change"),
        ({"snapshots": {}}, "expected a dictionary with the result of the task"),
        ({"snapshots": {"web1": "nonsense"}}, "snapshots['web1']"),
        ({"snapshots": {"web1": {"some": "thing"}}}, "snapshots['web1']: not a snapshot"),
        ({"url": "http://127.0.0.1:1"}, "mutually exclusive"),
    ],
)
def test_wrong_argument_is_refused(two: dict[str, Envoy], arguments: dict[str, Any], text: str) -> None:
    given = {"snapshots": {"web1": read(two["web1"], stats=["server.live"])}, **arguments}
    result = evaluate_hosts(given.pop("snapshots"), {"stat": "server.live", "op": "eq", "value": 1}, **given)
    assert text in result["msg"]


def test_difference_needs_since(two: dict[str, Envoy]) -> None:
    delta = {"stat": "server.live", "of": "delta", "op": "eq", "value": 0}
    snapshots = {name: read(envoy) for name, envoy in two.items()}
    assert "Set since" in evaluate_hosts(snapshots, delta)["msg"]
    one_only = evaluate_hosts(snapshots, delta, since={"web1": snapshots["web1"]})
    assert "has no endpoint web2/envoy" in one_only["msg"]


def test_host_that_is_missing_fails_a_difference(two: dict[str, Envoy]) -> None:
    snapshots = {name: read(envoy) for name, envoy in two.items()}
    live = {"stat": "server.live", "across": "sum", "op": "ge", "value": 0}
    fewer = evaluate_hosts({"web1": snapshots["web1"]}, {**live, "of": "delta"}, live, since=snapshots)
    assert [assertion["failure"] for assertion in fewer["assertions"]] == ["restarted", ""]
    assert "at web2/envoy" in fewer["msg"]
    without = evaluate_hosts(
        snapshots, {**live, "of": "delta"}, since={"web1": snapshots["web1"], "web2": {"failed": True}}
    )
    assert "has no endpoint web2/envoy" in without["msg"]
