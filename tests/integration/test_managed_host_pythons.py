# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules as Ansible sends them to a managed host, whose Python is the oldest supported one or too old."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from interpreters import interpreter
from live import ROOT, Home, demo_data, processes_of
from planned_envoy import plan
from ssh_host import remote_home, ssh_server

OLDEST = "3.9"
TOO_OLD = "3.8"
DEMO = "service_envoy"
# demo_plan has no module: its action runs on the controller.
MODULES = sorted(
    path.stem for path in (ROOT / "plugins" / "modules").glob("*.py") if path.stem != "demo_plan"
)


@pytest.fixture(scope="module")
def sshd() -> Iterator[dict[str, str]]:
    with ssh_server() as variables:
        yield variables


def play_of(*tasks: dict[str, object], **keywords: object) -> str:
    play = {"name": "Play", "hosts": "all", "gather_facts": False, "tasks": list(tasks), **keywords}
    return yaml.safe_dump([play], sort_keys=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start the SSH server")
def test_oldest_python_runs_a_demo_and_the_modules(sshd: dict[str, str]) -> None:
    home = remote_home("local", "lab", sshd, interpreter(OLDEST))
    # A folder of its own, because Envoy and supervisor are installed with the Python of the host.
    cache, folder = home.folder / "cache", home.folder / "remote"
    home.variables = {
        "deployment_cache": str(cache),
        "deployment_folder": str(folder),
        "deployment_timeout": 300,
        "statsd_exporter_source": "path",
        "statsd_exporter_path": home.exporter,
        "demo_app_python": interpreter(OLDEST),
    }
    demo = home.demo(DEMO)
    url = f"http://127.0.0.1:{9090 + home.shift}/"
    stat = {"stat": "cluster.web.upstream_rq_200", "of": "delta", "op": "eq", "value": 7}
    endpoints = [{"name": "web", "url": f"unix://{folder}/web-1/run/admin.sock"}]
    modules = home.folder / "modules.yml"
    modules.write_text(
        play_of(
            {"meshlab.envoy.envoy_stats_info": {"endpoints": endpoints}, "register": "before"},
            {
                "meshlab.envoy.http_traffic": {
                    "url": url,
                    "requests": 7,
                    "expect": [{"status": "200", "op": "eq", "value": 7}],
                }
            },
            {
                "meshlab.envoy.envoy_stats": {
                    "endpoints": endpoints,
                    "assertions": [stat],
                    "since": "{{ before.snapshot }}",
                    "timeout": 20,
                }
            },
        ),
        encoding="utf-8",
    )
    try:
        deployed = home.play("site", demo=demo)
        assert re.search(r"(\d+) of \1 expectations hold", deployed.words), deployed.output
        pythons = list(cache.glob("*-*/bin/python3"))
        assert len(pythons) == 2
        assert {os.path.realpath(path) for path in pythons} == {os.path.realpath(interpreter(OLDEST))}
        assert home.play("verify", demo=demo).recap["failed"] == 0
        sockets = sorted(folder.glob("*/run/admin.sock"))
        assert [str(path) for path in sockets] == [endpoints[0]["url"].removeprefix("unix://")]
        assert home.play(str(modules)).recap["ok"] == 3
    finally:
        home.play("teardown", demo=demo)
        home.close()
    assert processes_of(folder) == []


def test_too_old_python_is_refused_by_each_module(tmp_path: Path) -> None:
    # With an environment, an action sends its module, as to any other host. The action of demo_watch checks the plan first.
    options = {"demo_watch": {"plan": plan(demo_data(DEMO, 0), DEMO, "local")}}
    tasks = [
        {f"meshlab.envoy.{module}": options.get(module, {}), "ignore_errors": True} for module in MODULES
    ]
    playbook = tmp_path / "modules.yml"
    playbook.write_text(play_of(*tasks, environment={"MESHLAB_TEST": "1"}), encoding="utf-8")
    home = Home("local")
    try:
        home.inventory = "localhost,"
        home.variables = {"ansible_connection": "local", "ansible_python_interpreter": interpreter(TOO_OLD)}
        run = home.play(str(playbook))
    finally:
        home.close()
    assert run.recap["ignored"] == len(MODULES)
    sentence = (
        re.escape(interpreter(TOO_OLD))
        + r" is Python 3\.8\.\d+, but meshlab\.envoy needs Python 3\.9 or newer"
    )
    refused = re.findall(
        f"(?:Module|Action) failed: [^ ]+: {sentence} on the managed host\\. Set ansible_python_interpreter",
        run.words,
    )
    assert len(refused) == len(MODULES), run.output
    assert "Traceback" not in run.output
