# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The structure of plugins/module_utils: layers, import cycles, sizes and names. docs/architecture.md describes it."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "plugins" / "module_utils"
PREFIX = "ansible_collections.meshlab.envoy.plugins.module_utils."
# A package imports only itself and packages before it in this list.
LAYERS = [
    "_common",
    "_envoy",
    "_demo",
    "_kube_client",
    "_readings",
    "_endpoints",
    "_assertions",
    "_admin",
    "_traffic",
    "_config",
    "_platform",
    "_plan",
    "_deploy",
    "_verify",
    "_report",
    "_watch",
]
PUBLIC = ["stats_api"]
PRIVATE_NOTE = "Private to this collection: it can change at any time."
MODULES_PER_FOLDER = 15
LINES = 300
# Names that several packages use on purpose: errors, and the parts that each platform has.
SHARED_NAMES = {"__init__", "errors", "layout", "documents", "deploy", "readiness", "observer"}
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in sorted(ROOT.rglob("*.py"))
}


def tree_of(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def is_for_types(node: ast.AST) -> bool:
    """Return whether a statement is `if TYPE_CHECKING:`, whose imports do not happen when the program runs."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imported_by(module: str, for_types: bool = True) -> Iterator[str]:
    """Yield the modules of module_utils that a module imports, within functions too."""
    tree = tree_of(module)
    if not for_types:
        tree.body = [node for node in tree.body if not is_for_types(node)]
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{one.name}" for one in node.names]
        elif isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        for name in names:
            parts = name.removeprefix(PREFIX).split(".") if name.startswith(PREFIX) else []
            while parts and ".".join(parts) not in MODULES:
                parts.pop()
            if parts and ".".join(parts) != module:
                yield ".".join(parts)


IMPORTS = {module: sorted(set(imported_by(module))) for module in MODULES}


def package_of(module: str) -> str:
    return module.partition(".")[0]


def test_each_package_has_a_layer() -> None:
    assert {package_of(module) for module in MODULES} == {*LAYERS, *PUBLIC}


def test_packages_import_only_lower_layers() -> None:
    upward = [
        f"{module} imports {one}"
        for module, imported in IMPORTS.items()
        for one in imported
        if package_of(module) in LAYERS and package_of(one) in LAYERS
        if LAYERS.index(package_of(one)) > LAYERS.index(package_of(module))
    ]
    assert not upward


def test_private_packages_do_not_import_the_public_module() -> None:
    found = {module for module, imported in IMPORTS.items() if set(PUBLIC) & set(imported)}
    assert not found


def test_modules_have_no_import_cycle() -> None:
    remaining = {module: set(imported_by(module, for_types=False)) for module in MODULES}
    while free := [module for module, imported in remaining.items() if not imported & remaining.keys()]:
        for module in free:
            del remaining[module]
    assert not sorted(remaining)


def test_folder_has_at_most_fifteen_modules() -> None:
    folders = Counter(path.parent for path in MODULES.values() if path.name != "__init__.py")
    large = {
        str(folder.relative_to(ROOT)): count
        for folder, count in folders.items()
        if count > MODULES_PER_FOLDER
    }
    assert not large


@pytest.mark.parametrize("module", MODULES)
def test_long_module_states_its_reason(module: str) -> None:
    lines = len(MODULES[module].read_text(encoding="utf-8").splitlines())
    docstring = ast.get_docstring(tree_of(module)) or ""
    assert lines <= LINES or "300 lines" in docstring, f"{lines} lines"


def test_no_module_name_occurs_in_two_packages() -> None:
    names = Counter(module.rpartition(".")[2] for module in MODULES)
    assert not {name for name, count in names.items() if count > 1} - SHARED_NAMES


def test_no_function_hides_a_module() -> None:
    hidden = []
    for module, path in MODULES.items():
        if path.name != "__init__.py":
            continue
        beside = {one.stem for one in path.parent.glob("*.py")} | {one.name for one in path.parent.iterdir()}
        for node in ast.walk(tree_of(module)):
            if isinstance(node, ast.ImportFrom):
                hidden += [
                    f"{module}: {one.name}" for one in node.names if (one.asname or one.name) in beside
                ]
    assert not hidden


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_no_private_module_of_cpython(module: str) -> None:
    text = MODULES[module].read_text(encoding="utf-8")
    assert not [one for one in ("re._parser", "re._constants", "sre_parse", "sre_constants") if one in text]


@pytest.mark.parametrize("package", LAYERS)
def test_package_is_marked_as_private(package: str) -> None:
    docstring = ast.get_docstring(tree_of(f"{package}.__init__")) or ""
    assert PRIVATE_NOTE in " ".join(docstring.split())
