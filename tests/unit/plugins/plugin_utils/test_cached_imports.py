# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports from the byte-code cache, in processes that load plugins as Ansible does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[4]
PLUGINS = sorted(path for kind in ("action", "filter") for path in (ROOT / "plugins" / kind).glob("*.py"))
SHARED = "ansible_collections.meshlab.envoy.plugins."

# Prints the number of compiled files of the collection, and the loaders of its shared modules.
PROGRAM = """
import sys
from collections import Counter
from ansible.plugins.loader import action_loader, init_plugin_loader
from ansible.utils.collection_loader import _collection_finder
compiled = []
_collection_finder.compile = lambda source, filename, *rest, **more: (
    compiled.append(filename), compile(source, filename, *rest, **more))[1]
init_plugin_loader([sys.argv[1]])
before = list(sys.meta_path)
for name in sys.argv[2:]:
    assert action_loader.get("meshlab.envoy." + name, class_only=True), name
assert sys.meta_path == before
shared = [one for name, one in sys.modules.items() if name.startswith("ansible_collections.meshlab.envoy.plugins.module_utils._")]
loaders = Counter(type(one.__spec__.loader).__name__ for one in shared)
print(len([one for one in compiled if "meshlab" in str(one)]), len(shared), *sorted(loaders.items()))
"""


@pytest.fixture
def collections(tmp_path: Path) -> Path:
    """Return a folder of collections with a copy of the plugins of this one."""
    target = tmp_path / "collections" / "ansible_collections" / "meshlab" / "envoy"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "plugins", target / "plugins", ignore=ignored)
    shutil.copytree(ROOT / "meta", target / "meta")
    shutil.copy(ROOT / "galaxy.yml", target)
    return tmp_path / "collections"


def loaded(collections: Path, *names: str, **environment: str) -> tuple[int, int, str]:
    """Return how many files Ansible compiles, how many shared modules are imported, and their loaders."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "ANSIBLE_"))}
    command = [sys.executable, "-c", PROGRAM, str(collections), *names]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=kept | environment, cwd=collections
    )
    compiled, shared, loaders = done.stdout.split(maxsplit=2)
    return int(compiled), int(shared), loaders.strip()


def caches(collections: Path) -> list[Path]:
    return sorted(collections.rglob("module_utils/**/*.pyc"))


def test_modules_are_compiled_once(collections: Path) -> None:
    compiled, shared, loaders = loaded(collections, "demo_plan", "demo_deploy", "demo_verify")
    assert shared > 300
    assert loaders == f"('SourceFileLoader', {shared})"
    assert len(caches(collections)) >= shared
    # Only the module that has the finder, and the packages above it, which have no code.
    assert compiled <= 1
    before = {path: path.stat().st_mtime_ns for path in caches(collections)}
    loaded(collections, "demo_plan", "demo_deploy", "demo_verify")
    assert {path: path.stat().st_mtime_ns for path in caches(collections)} == before


def test_changed_file_is_compiled_again(collections: Path) -> None:
    loaded(collections, "demo_plan")
    file = next(iter(collections.rglob("module_utils/_plan/plan.py")))
    file.write_text(file.read_text(encoding="utf-8") + "\nraise SystemExit('changed')\n")
    with pytest.raises(subprocess.CalledProcessError) as error:
        loaded(collections, "demo_plan")
    assert "changed" in error.value.stderr


@pytest.mark.parametrize("case", ["variable", "read-only"])
def test_imports_need_no_cache(collections: Path, case: str) -> None:
    environment = {"PYTHONDONTWRITEBYTECODE": "1"} if case == "variable" else {}
    if case == "read-only":  # also for root: a file in place of the folder
        for folder in {path.parent for path in collections.rglob("module_utils/**/*.py")}:
            (folder / "__pycache__").write_text("")
    _compiled, shared, loaders = loaded(collections, "demo_plan", **environment)
    assert loaders == f"('SourceFileLoader', {shared})"
    assert caches(collections) == []


def test_collection_behind_a_link_is_cached(collections: Path, tmp_path: Path) -> None:
    """A checkout is linked into a folder of collections."""
    linked = tmp_path / "linked" / "ansible_collections" / "meshlab"
    linked.mkdir(parents=True)
    (linked / "envoy").symlink_to(collections / "ansible_collections" / "meshlab" / "envoy")
    _compiled, shared, _loaders = loaded(tmp_path / "linked", "demo_deploy")
    assert len(caches(collections)) >= shared > 0


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_plugin_imports_shared_modules_from_the_cache(plugin: Path) -> None:
    text = plugin.read_text(encoding="utf-8")
    early = re.findall(r"^from (ansible_collections\S+)", text, re.MULTILINE)
    assert set(early) <= {f"{SHARED}plugin_utils._cached_imports"}
    assert "\nwith cached_imports" not in text  # plugin_imports


# Prints the modules of the planner that the filter loads, and what is left of the work of the garbage collector.
FILTER_PROGRAM = """
import gc, sys
from ansible.plugins.loader import filter_loader, init_plugin_loader
init_plugin_loader([sys.argv[1]])
kept = gc.get_freeze_count()
assert filter_loader.get("meshlab.envoy." + sys.argv[2])
print(*[name for name in sys.modules if ".module_utils._plan" in name])
print(gc.isenabled(), gc.get_freeze_count() > kept, len(gc.get_objects()) < 5000)
"""


def test_a_filter_loads_no_planner_and_leaves_no_garbage(collections: Path) -> None:
    """Ansible loads all filters for one of them, in the process that every task is forked from."""
    command = [sys.executable, "-c", FILTER_PROGRAM, str(collections), "target_hosts"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=collections)
    assert done.stdout.splitlines() == ["", "True True True"]


def test_no_shared_module_is_redirected() -> None:
    """The finder does not know redirections."""
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    assert not {"module_utils", "plugin_utils"} & {*runtime.get("plugin_routing", {})}
    assert not runtime.get("import_redirection")
