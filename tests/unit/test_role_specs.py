# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each role's argument specs agree with its defaults, and all its variables have its prefix."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.versions import NEWEST

ROLES = sorted(path for path in (Path(__file__).resolve().parents[2] / "roles").glob("*") if path.is_dir())
# Modules that set variables.
SETS_FACTS = ("ansible.builtin.set_fact", "set_fact")


def load(path: Path) -> Any:
    """Return the content of a YAML file; an empty mapping if the file is missing or empty."""
    return (yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None) or {}


def is_same(first: Any, second: Any) -> bool:
    """Return whether two values are equal and of the same type: 1 differs from true and from "1"."""
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(is_same(first[key], second[key]) for key in first)
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(is_same, first, second))
    return type(first) is type(second) and bool(first == second)


def is_template(value: Any) -> bool:
    return isinstance(value, str) and "{{" in value


def undescribed(options: dict[str, Any], where: str) -> Iterator[str]:
    """Yield the options without a description or a type, including suboptions."""
    for name, option in options.items():
        path = f"{where}.{name}"
        if not str((option or {}).get("description") or "").strip():
            yield f"{path} has no description"
        if not (option or {}).get("type"):
            yield f"{path} has no type"
        yield from undescribed((option or {}).get("options") or {}, path)


def entry_point_problems(role: Path, entries: dict[str, Any]) -> Iterator[str]:
    for entry, spec in entries.items():
        where = f"argument_specs.{entry}"
        if not any((role / "tasks" / f"{entry}.{ending}").is_file() for ending in ("yml", "yaml")):
            yield f"{where}: tasks/{entry}.yml does not exist"
        for key in ("short_description", "description"):
            if not str(spec.get(key) or "").strip():
                yield f"{where} has no {key}"
        yield from undescribed(spec.get("options") or {}, where)


def default_problems(entries: dict[str, Any], defaults: dict[str, Any]) -> Iterator[str]:
    """Yield the differences between specs and defaults.

    An option without a default in defaults/main.yml must be required. If a default is a template, the spec has the same template or no
    default.
    """
    described: set[str] = set()
    for entry, spec in entries.items():
        for name, option in (spec.get("options") or {}).items():
            where = f"argument_specs.{entry}.{name}"
            described.add(name)
            if name not in defaults:
                if not option.get("required"):
                    yield f"{where} is neither required nor in defaults/main.yml"
                if "default" in option:
                    yield f"{where} has a default that is not in defaults/main.yml"
                continue
            if option.get("required"):
                yield f"{where} is required although defaults/main.yml has a value"
            value = defaults[name]
            if "default" not in option:
                if value is not None and not is_template(value):
                    yield f"{where} has no default, defaults/main.yml has {value!r}"
            elif not is_same(option["default"], value):
                yield f"{where} has the default {option['default']!r}, defaults/main.yml has {value!r}"
    for name in defaults:
        if name not in described:
            yield f"{name} of defaults/main.yml is in no argument spec"


def tasks_of(content: Any) -> Iterator[dict[str, Any]]:
    """Yield the tasks of a task file, including those in blocks."""
    for task in content or []:
        yield task
        for key in ("block", "rescue", "always"):
            yield from tasks_of(task.get(key))


def variables_set(role: Path) -> Iterator[tuple[str, str]]:
    """Yield the variables that a role sets itself, with the file."""
    for path in sorted((role / "vars").glob("*.y*ml")):
        yield from ((name, f"vars/{path.name}") for name in load(path))
    for path in sorted((role / "tasks").rglob("*.y*ml")) + sorted((role / "handlers").rglob("*.y*ml")):
        where = str(path.relative_to(role))
        for task in tasks_of(load(path)):
            names = list(task.get("vars") or {}) if not includes_role(task) else []
            names += [task["register"]] if "register" in task else []
            for module in SETS_FACTS:
                names += [name for name in task.get(module) or {} if name != "cacheable"]
            yield from ((name, where) for name in names)


def includes_role(task: dict[str, Any]) -> bool:
    """Return whether the vars of a task are options of another role."""
    return any(key.rpartition(".")[2] in ("include_role", "import_role") for key in task)


def name_problems(role: Path, defaults: dict[str, Any]) -> Iterator[str]:
    """Yield public variables without the role's prefix or missing in its README, and private ones without the prefix __ROLE_."""
    for name in defaults:
        if not name.startswith(f"{role.name}_"):
            yield f"{name} of defaults/main.yml does not begin with {role.name}_"
    readme = (role / "README.md").read_text(encoding="utf-8") if (role / "README.md").is_file() else ""
    for name, where in variables_set(role):
        if name in defaults:
            yield f"{name} is set in {where}, which replaces the user's value: it is in defaults/main.yml"
        elif name.startswith(f"{role.name}_"):
            if f"`{name}`" not in readme:
                yield f"{name} of {where} is public, but missing in README.md. Add it there, or rename it to __{name}."
        elif not name.startswith(f"__{role.name}_"):
            yield f"{name} of {where} begins neither with __{role.name}_ (internal) nor with {role.name}_ (a result)"


def problems(role: Path) -> list[str]:
    """Return all problems of a role's specs, defaults and names."""
    if not (role / "meta" / "argument_specs.yml").is_file():
        return ["meta/argument_specs.yml does not exist"]
    entries = load(role / "meta" / "argument_specs.yml").get("argument_specs") or {}
    defaults = load(role / "defaults" / "main.yml")
    found = [] if "main" in entries else ["argument_specs has no entry point main"]
    found += entry_point_problems(role, entries)
    found += default_problems(entries, defaults)
    found += name_problems(role, defaults)
    return found


@pytest.mark.parametrize("role", [pytest.param(role, id=role.name) for role in ROLES])
def test_role_has_no_problems(role: Path) -> None:
    assert not problems(role)


def test_default_envoy_is_the_newest_supported_version() -> None:
    [role] = [role for role in ROLES if role.name == "envoy_image"]
    assert load(role / "defaults" / "main.yml")["envoy_image_version"] == NEWEST


# Tests of the checks above.

OPTION = {"type": "str", "description": "A description."}
GOOD_SPECS = {
    "main": {
        "short_description": "Runs it",
        "description": "Runs it well.",
        "options": {
            "good_port": {"type": "int", "description": "Where.", "default": 80},
            "good_key": {**OPTION, "required": True},
            "good_home": {"type": "path", "description": "A folder."},
            "good_extra": {
                "type": "dict",
                "description": "More.",
                "default": {},
                "options": {"deep": OPTION},
            },
        },
    },
    "install": {
        "short_description": "Installs it",
        "description": "No more.",
        "options": {"good_port": {"type": "int", "description": "Where.", "default": 80}},
    },
}
GOOD_DEFAULTS = {"good_port": 80, "good_home": "{{ good_key }}/home", "good_extra": {}}


def make_role(
    folder: Path,
    specs: Any = None,
    defaults: Any = None,
    tasks: Any = None,
    variables: Any = None,
    readme: str = "",
) -> Path:
    role = folder / "good"
    content = {
        "meta/argument_specs.yml": {"argument_specs": GOOD_SPECS if specs is None else specs},
        "defaults/main.yml": GOOD_DEFAULTS if defaults is None else defaults,
        "tasks/main.yml": tasks or [],
        "tasks/install.yml": [],
        "vars/main.yml": variables or {},
    }
    for name, data in content.items():
        (role / name).parent.mkdir(parents=True, exist_ok=True)
        (role / name).write_text(yaml.safe_dump(data), encoding="utf-8")
    (role / "README.md").write_text(readme, encoding="utf-8")
    return role


def with_option(name: str, **changes: Any) -> dict[str, Any]:
    options = {
        **GOOD_SPECS["main"]["options"],
        name: {**GOOD_SPECS["main"]["options"].get(name, OPTION), **changes},
    }  # type: ignore[dict-item]
    return {**GOOD_SPECS, "main": {**GOOD_SPECS["main"], "options": options}}


def test_correct_role_has_no_problems(tmp_path: Path) -> None:
    tasks = [{"block": [{"ansible.builtin.set_fact": {"__good_a": 1}, "register": "__good_b"}]}]
    variables = {"__good_c": 1, "good_result": "{{ __good_a }}"}
    assert (
        problems(make_role(tmp_path, tasks=tasks, variables=variables, readme="It sets `good_result`.")) == []
    )


@pytest.mark.parametrize(
    ("specs", "defaults", "message"),
    [
        pytest.param(with_option("good_port", default=81), None, "default 81, defaults/main.yml has 80", id="different value"),
        pytest.param(with_option("good_port", default="80"), None, "default '80', defaults/main.yml has 80", id="different type"),
        pytest.param(None, {**GOOD_DEFAULTS, "good_port": True}, "has True", id="true is not 1"),
        pytest.param(None, {**GOOD_DEFAULTS, "good_new": 1}, "good_new of defaults/main.yml is in no", id="not in specs"),
        pytest.param(None, {**GOOD_DEFAULTS, "other": 1}, "other of defaults/main.yml does not begin with good_", id="prefix"),
        pytest.param(None, {**GOOD_DEFAULTS, "good_key": "x"}, "good_key is required although", id="required with a value"),
        pytest.param(with_option("good_new"), None, "good_new is neither required nor in", id="not in defaults"),
        pytest.param(with_option("good_key", default="x"), None, "has a default that is not in defaults/main.yml", id="spec only"),
        pytest.param(with_option("good_extra", description=""), None, "main.good_extra has no description", id="description"),
        pytest.param(with_option("good_extra", options={"deep": {"type": "str"}}), None, "good_extra.deep has no description", id="deep"),
        pytest.param({**GOOD_SPECS, "missing": GOOD_SPECS["install"]}, None, "tasks/missing.yml does not exist", id="no such entry point"),
        pytest.param({"install": GOOD_SPECS["install"]}, None, "no entry point main", id="no main"),
    ],
)  # fmt: skip
def test_difference_between_specs_and_defaults_is_found(
    tmp_path: Path, specs: Any, defaults: Any, message: str
) -> None:
    assert message in "\n".join(problems(make_role(tmp_path, specs, defaults)))


@pytest.mark.parametrize(
    ("tasks", "variables", "message"),
    [
        pytest.param(
            [{"register": "result"}], None, "result of tasks/main.yml begins neither", id="register"
        ),
        pytest.param(
            [{"block": [{"set_fact": {"fact": 1}}]}],
            None,
            "fact of tasks/main.yml begins neither",
            id="fact in a block",
        ),
        pytest.param(None, {"_good_x": 1}, "_good_x of vars/main.yml begins neither", id="vars"),
        pytest.param(
            None, {"good_port": 1}, "good_port is set in vars/main.yml, which replaces", id="overrides"
        ),
        pytest.param(None, {"good_result": 1}, "missing in README.md", id="undocumented result"),
    ],
)
def test_name_without_prefix_is_found(tmp_path: Path, tasks: Any, variables: Any, message: str) -> None:
    assert message in "\n".join(problems(make_role(tmp_path, tasks=tasks, variables=variables)))


def test_role_without_specs_is_found(tmp_path: Path) -> None:
    (tmp_path / "bare" / "tasks").mkdir(parents=True)
    assert problems(tmp_path / "bare") == ["meta/argument_specs.yml does not exist"]
