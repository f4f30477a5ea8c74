# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Only the packages of the platforms depend on which platform runs a demo."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.registry import DEPLOYERS, PLANNERS

ROOT = Path(__file__).resolve().parents[2] / "plugins" / "module_utils"
PACKAGES = ("_common", "_envoy", "_demo", "_plan", "_deploy", "_verify")
# The modules that map the names of platforms to their classes.
REGISTRIES = ("registry.py", "observers.py")
# The modules of _platform that all platforms share.
SHARED = [path for path in sorted((ROOT / "_platform").glob("*.py")) if path.name not in REGISTRIES]
MODULES = [*SHARED, *(path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))]


def imports_of(tree: ast.AST) -> Iterator[str]:
    """Yield the name of each module that a module imports, and of each name in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{one.name}" for one in node.names)


def platform_names(tree: ast.AST) -> Iterator[str]:
    """Yield each string that is the name of a platform. A docstring is longer."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in PLANNERS:
            yield str(node.value)


def platform_tests(tree: ast.AST) -> Iterator[str]:
    """Yield each condition on the platform of a context or of a request."""
    for node in ast.walk(tree):
        tests = [node.test] if isinstance(node, (ast.If, ast.IfExp, ast.While)) else []
        tests += [node] if isinstance(node, ast.Compare) else []
        for test in tests:
            for one in ast.walk(test):
                if isinstance(one, ast.Attribute) and one.attr in ("platform", "local", "pods"):
                    yield ast.unparse(test)


def test_each_planner_has_a_deployer() -> None:
    assert set(PLANNERS) == set(DEPLOYERS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_does_not_depend_on_the_platform(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    folders = tuple(f"_platform.{name}" for name in PLANNERS)
    assert not [name for name in imports_of(tree) if any(folder in name for folder in folders)]
    assert not list(platform_names(tree))
    assert not list(platform_tests(tree))


def test_checks_find_a_condition_on_the_platform() -> None:
    tree = ast.parse("if context.platform == 'local':\n    from ._platform.docker import layout\n")
    assert list(platform_names(tree)) == ["local"]
    assert list(platform_tests(tree))
    assert list(imports_of(tree)) == ["_platform.docker.layout"]
