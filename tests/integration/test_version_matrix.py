# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks, the roles and two sanity tests with the oldest and the newest ansible-core, on each Python of the controller.

make installs the environments (tools/release/matrix_environments.py). `make sanity` runs all sanity tests with the Python of the tests, so
this module runs two of them with the other Pythons.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import live
import pytest
import yaml
from interpreters import interpreter
from live import ROOT, Home
from packaging.requirements import Requirement
from rotation import cases_of_week

PYTHONS = yaml.safe_load((ROOT / "meta" / "versions.yml").read_text(encoding="utf-8"))["pythons"][
    "controller"
]
THIS = f"{sys.version_info.major}.{sys.version_info.minor}"
LOCKED = (ROOT / "requirements" / "demo.txt").read_text(encoding="utf-8")


def core(python: str) -> str:
    """Return the version of ansible-core that make installs with a Python."""
    stated = (
        Requirement(line.removesuffix("\\").strip())
        for line in LOCKED.splitlines()
        if line.startswith("ansible-core==")
    )
    environment = {"python_full_version": f"{python}.0"}
    [found] = [one for one in stated if one.marker is None or one.marker.evaluate(environment)]
    return str(found.specifier).removeprefix("==")


@pytest.fixture(params=cases_of_week(PYTHONS, weeks=2))
def python(request: pytest.FixtureRequest) -> str:
    """Return a Python version whose environment exists."""
    return environment_of(str(request.param))


def environment_of(version: str) -> str:
    """Return the version if its environment exists."""
    interpreter(version)  # skips the test if the Python is missing, or fails it in CI
    assert program(version, "ansible-playbook").exists(), "run `make matrix-environments`"
    return version


@pytest.fixture
def home(python: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """Yield a home whose playbooks run with the ansible-core of the matrix."""
    monkeypatch.setattr(live, "PLAYBOOK", program(python, "ansible-playbook"))
    found = Home("local")
    try:
        yield found
    finally:
        found.close()


def program(python: str, name: str) -> Path:
    return ROOT / ".venv-matrix" / python / "bin" / name


def test_playbooks_run_a_demo(home: Home, python: str) -> None:
    version = subprocess.run(
        [program(python, "ansible"), "--version"], capture_output=True, text=True, check=True
    ).stdout
    assert f"[core {core(python)}]" in version
    assert f"python version = {python}." in version
    demo = home.demo("front_proxy")
    held = re.compile(r"(\d+) of \1 expectations hold")
    try:
        assert held.search(home.play("site", demo=demo).words)
        assert held.search(home.play("verify", demo=demo).words)
        assert held.search(home.play("change", demo=demo, change="scaled").words)
    finally:
        home.play("teardown", demo=demo)
    assert home.remaining("front_proxy") == []


def test_roles_run_and_are_removed(home: Home) -> None:
    first = 8000 + home.shift
    variables = {
        "demo_app_name": home.name("app"),
        "demo_app_publish": first,
        "demo_app_ports": first + 100,
        "statsd_exporter_name": home.name("exporter"),
        "statsd_exporter_publish": first + 201,
        "statsd_exporter_statsd_port": first + 202,
        "statsd_exporter_ports": first + 300,
        "envoy_sidecar_name": home.name("envoy"),
        "envoy_sidecar_ports": first + 400,
        "envoy_sidecar_listener": {"port": first + 501, "publish": first + 501},
        "envoy_sidecar_cluster": {"address": "127.0.0.1", "port": first},
        "envoy_sidecar_statsd": {"address": "127.0.0.1", "port": first + 202, "style": "dog_statsd"},
        "envoy_sidecar_admin": {"publish": first + 502},
    }
    roles = ("demo_app", "statsd_exporter", "envoy_sidecar")
    tasks: list[dict[str, object]] = [
        {"ansible.builtin.include_role": {"name": f"meshlab.envoy.{role}"}} for role in roles
    ]
    traffic = {
        "url": f"http://127.0.0.1:{first + 501}/",
        "requests": 5,
        "expect": [{"status": "200", "op": "eq", "value": 5}],
    }
    # After the removal, the task that sends the requests is skipped.
    tasks.append({"meshlab.envoy.http_traffic": traffic, "when": "demo_app_state == 'present'"})
    play = {
        "hosts": "envoy_hosts",
        "gather_facts": False,
        "vars": {"demo_app_state": "present"},
        "tasks": tasks,
    }
    book = home.folder / "roles.yml"
    book.write_text(yaml.safe_dump([play]), encoding="utf-8")
    try:
        assert home.play(str(book), **variables).recap["changed"] >= 3
    finally:
        absent = {f"{role}_state": "absent" for role in roles}
        home.play(str(book), **variables, **absent)
    state = home.folder / ".local" / "state" / "meshlab.envoy"
    assert [path for path in state.rglob("*") if not path.is_dir()] == []
    assert live.processes_of(home.folder) == []


@pytest.mark.parametrize(
    "version", cases_of_week([version for version in PYTHONS if version != THIS], weeks=2)
)
def test_sanity_accepts_modules_and_imports(version: str) -> None:
    python = environment_of(version)
    command = [program(python, "python"), ROOT / "tools" / "lint" / "sanity.py"]
    ran = subprocess.run(
        [*command, "--test", "validate-modules", "--test", "import"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for name in ("validate-modules", "import"):
        assert re.search(rf'Running sanity test "{name}"', ran.stdout + ran.stderr), ran.stdout
