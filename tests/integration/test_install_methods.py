# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of each documented way to install and run the collection, with an empty home folder and no make."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from live import ROOT, Home, Run

BIN = Path(sys.executable).parent  # of the test tools, which ansible-runner is among
HELD = "16 of 16 expectations hold"


def run(home: Home, program: str, *arguments: str, cwd: Path) -> Run:
    """Run one of Ansible's programs as a new user does: nothing in the environment points to this checkout."""
    environment = {key: value for key, value in home.environment.items() if not key.startswith("ANSIBLE_")}
    command = [str(BIN / program), *arguments]
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment | {"PATH": f"{BIN}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    return Run(done.returncode, done.stdout)


def variables(home: Home, demo: Path) -> list[str]:
    """Return the options that give a test ports and a name of its own."""
    settings = home.folder / "settings.yml"
    settings.write_text(yaml.safe_dump(home.variables | {"demo": str(demo)}), encoding="utf-8")
    return ["-e", f"@{settings}"]


@pytest.fixture
def home() -> Iterator[Home]:
    """Yield an empty home folder."""
    found = Home("local")
    try:
        yield found
    finally:
        found.close()


@pytest.fixture
def clone(home: Home) -> Path:
    """Return a clone of this repository that includes uncommitted changes."""
    folder = home.folder / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    changed = subprocess.run(
        ["git", "ls-files", "--modified", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in changed.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
        elif (ROOT / name).is_symlink() and not (folder / name).is_symlink():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to(os.readlink(ROOT / name))
    return folder


@pytest.fixture
def tarball(home: Home) -> Path:
    """Return the tarball of this collection."""
    folder = home.folder / "dist"
    built = run(
        home,
        "ansible-galaxy",
        "collection",
        "build",
        str(ROOT),
        "--output-path",
        str(folder),
        cwd=home.folder,
    )
    assert built.code == 0, built.words
    [found] = folder.glob("*.tar.gz")
    return found


def test_clone_deploys_with_site_yml(home: Home, clone: Path) -> None:
    chosen = variables(home, home.demo("front_proxy"))
    try:
        deployed = run(home, "ansible-playbook", "site.yml", *chosen, cwd=clone)
        assert HELD in deployed.words, deployed.words
        verified = run(home, "ansible-playbook", "playbooks/verify.yml", *chosen, cwd=clone)
        assert HELD in verified.words, verified.words
    finally:
        removed = run(home, "ansible-playbook", "playbooks/teardown.yml", *chosen, cwd=clone)
    assert removed.code == 0, removed.words
    assert home.remaining("front_proxy") == []


def test_clone_deploys_with_ansible_pull(home: Home, clone: Path) -> None:
    chosen = variables(home, home.demo("front_proxy"))
    subprocess.run(["git", "add", "--all"], cwd=clone, check=True)
    author = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    subprocess.run(
        ["git", *author, "commit", "--quiet", "--allow-empty", "-m", "state"], cwd=clone, check=True
    )
    checkout = home.folder / "pulled"
    pull = ["--url", f"file://{clone}", "--directory", str(checkout), *chosen]
    try:
        deployed = run(home, "ansible-pull", *pull, "site.yml", cwd=home.folder)
        assert HELD in deployed.words, deployed.words
    finally:
        removed = run(home, "ansible-playbook", "playbooks/teardown.yml", *chosen, cwd=checkout)
    assert removed.code == 0, removed.words


def test_clone_deploys_as_an_automation_controller_project(home: Home, clone: Path) -> None:
    # The layout in which AWX and Automation Platform run a project: ansible-runner, with the inventory beside the clone.
    folder = home.folder / "runner"
    (folder / "inventory").mkdir(parents=True)
    (folder / "env").mkdir()
    clone.rename(folder / "project")
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    inventory = {"envoy_hosts": {"hosts": {"controller": local}}}
    (folder / "inventory" / "hosts.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
    settings = home.variables | {"demo": str(home.demo("front_proxy"))}
    (folder / "env" / "extravars").write_text(yaml.safe_dump(settings), encoding="utf-8")
    try:
        deployed = run(home, "ansible-runner", "run", str(folder), "-p", "site.yml", cwd=home.folder)
        assert HELD in deployed.words, deployed.words
    finally:
        removed = run(
            home, "ansible-runner", "run", str(folder), "-p", "playbooks/teardown.yml", cwd=home.folder
        )
    assert removed.code == 0, removed.words
    assert home.remaining("front_proxy") == []


def test_clone_uses_its_roles_despite_an_installed_version(home: Home, clone: Path, tarball: Path) -> None:
    installed = run(
        home,
        "ansible-galaxy",
        "collection",
        "install",
        "--no-deps",
        "--offline",
        str(tarball),
        cwd=home.folder,
    )
    assert installed.code == 0, installed.words
    role = (
        home.folder / ".ansible/collections/ansible_collections/meshlab/envoy/roles/deployment/tasks/main.yml"
    )
    role.write_text("- ansible.builtin.fail: {msg: the installed role}\n", encoding="utf-8")
    chosen = variables(home, home.demo("front_proxy"))
    own = run(home, "ansible-playbook", "playbooks/assert_not_deployed.yml", *chosen, cwd=clone)
    assert own.code == 0, own.words
    other = run(home, "ansible-playbook", "meshlab.envoy.assert_not_deployed", *chosen, cwd=home.folder)
    assert "the installed role" in other.words, other.words


def test_tarball_deploys_to_localhost_without_an_inventory(home: Home, tarball: Path) -> None:
    requirements = home.folder / "requirements.yml"
    requirements.write_text(
        yaml.safe_dump({"collections": [{"name": str(tarball), "type": "file"}]}), encoding="utf-8"
    )
    installed = run(
        home,
        "ansible-galaxy",
        "collection",
        "install",
        "--no-deps",
        "--offline",
        "-r",
        str(requirements),
        cwd=home.folder,
    )
    assert installed.code == 0, installed.words
    chosen = variables(home, home.demo("front_proxy"))
    try:
        deployed = run(home, "ansible-playbook", "meshlab.envoy.site", *chosen, cwd=home.folder)
        assert HELD in deployed.words, deployed.words
    finally:
        removed = run(home, "ansible-playbook", "meshlab.envoy.teardown", *chosen, cwd=home.folder)
    assert removed.code == 0, removed.words
    assert home.remaining("front_proxy") == []


@pytest.mark.parametrize(
    "playbook", ["site", "verify", "change", "render", "teardown", "assert_not_deployed"]
)
def test_inventory_without_the_group_is_refused(home: Home, playbook: str) -> None:
    inventory = home.folder / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"all": {"hosts": {"web1.example.com": {}}}}), encoding="utf-8")
    path = f"playbooks/{playbook}.yml"
    refused = run(home, "ansible-playbook", "-i", str(inventory), path, "-e", "change=x", cwd=ROOT)
    assert refused.code != 0
    assert "no host is in the group 'envoy_hosts'" in refused.words, refused.words
