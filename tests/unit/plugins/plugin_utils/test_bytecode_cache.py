# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test that the compiled code of the collection is kept between processes, in a private folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.plugin_utils import _bytecode_cache
from ansible_collections.meshlab.envoy.plugins.plugin_utils._bytecode_cache import (
    CACHED,
    CachedFinder,
    install,
    private_folder,
)

MODULE = f"{CACHED[0]}example"
# Imports an action as Ansible does, and prints how many files of the collection Python compiled.
IMPORT = """
import sys
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
_AnsibleCollectionFinder(paths=[sys.argv[1]])._install()
import ansible.plugins.action
compiled = []
sys.addaudithook(lambda event, given: compiled.append(given[1]) if event == "compile" else None)
import ansible_collections.meshlab.envoy.plugins.action.demo_deploy
print(sum("module_utils" in str(one) for one in compiled))
"""


@pytest.fixture
def python_writes_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    monkeypatch.setattr(sys, "meta_path", [])


def compiled_files(home: Path) -> int:
    """Return how many files below module_utils a new process compiles for an action."""
    root = next(
        one for one in Path(_bytecode_cache.__file__).absolute().parents if one.name == "ansible_collections"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(
        [sys.executable, "-c", IMPORT, str(root.parent)],
        env={**environment, "ANSIBLE_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


def test_second_process_compiles_nothing(tmp_path: Path) -> None:
    assert compiled_files(tmp_path) > 50
    assert compiled_files(tmp_path) == 0


def code_of(finder: CachedFinder, source: Path) -> dict[str, object]:
    spec = finder.find_spec(MODULE, [str(source.parent)])
    assert spec is not None
    names: dict[str, object] = {}
    exec(spec.loader.get_code(MODULE), names)  # type: ignore[union-attr]
    return names


@pytest.mark.usefixtures("python_writes_bytecode")
def test_changed_source_is_compiled_again(tmp_path: Path) -> None:
    source = tmp_path / "source" / "example.py"
    source.parent.mkdir()
    finder = CachedFinder(str(tmp_path / "cache"))
    for value in ("1", "22"):
        source.write_text(f"VALUE = {value}\n")
        assert code_of(finder, source)["VALUE"] == int(value)
    assert list((tmp_path / "cache").rglob("example.*.pyc"))
    assert not list(source.parent.rglob("*.pyc"))
    assert sys.pycache_prefix is None


def test_other_modules_are_left_to_ansible(tmp_path: Path) -> None:
    (tmp_path / "demo_plan.py").write_text("")
    finder = CachedFinder(str(tmp_path))
    assert (
        finder.find_spec("ansible_collections.meshlab.envoy.plugins.action.demo_plan", [str(tmp_path)])
        is None
    )
    assert finder.find_spec("ansible_collections.meshlab.envoy.plugins.module_utils", [str(tmp_path)]) is None


@pytest.mark.usefixtures("python_writes_bytecode")
def test_installs_once(tmp_path: Path) -> None:
    install(tmp_path / "cache")
    install(tmp_path / "cache")
    assert [type(one) for one in sys.meta_path] == [CachedFinder]


@pytest.mark.usefixtures("python_writes_bytecode")
def test_python_that_writes_no_bytecode_has_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    install(tmp_path / "cache")
    assert not sys.meta_path
    assert not (tmp_path / "cache").exists()


def test_folder_that_others_can_write_to_is_not_used(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    assert private_folder(shared) == ""
    shared.chmod(0o755)
    assert private_folder(shared) == str(shared)
    (tmp_path / "link").symlink_to(shared)
    assert private_folder(tmp_path / "link") == ""
    (tmp_path / "file").write_text("")
    assert private_folder(tmp_path / "file") == ""
