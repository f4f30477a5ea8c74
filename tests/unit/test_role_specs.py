# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each role's argument specs say what its defaults say, and its names are its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = sorted(path for path in (Path(__file__).resolve().parents[2] / "roles").glob("*") if path.is_dir())
# Keywords of a task, and modules, that make variables.
SETS_FACTS = ("ansible.builtin.set_fact", "set_fact")


def load(path: Path) -> Any:
    """A YAML file's content; an empty mapping where there is no file or nothing in it."""
    return (yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None) or {}


def is_same(one: Any, other: Any) -> bool:
    """Equal in value and in kind: 1 is not true, and "1" is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return type(one) is type(other) and bool(one == other)


def is_template(value: Any) -> bool:
    return isinstance(value, str) and "{{" in value


def undescribed(options: dict[str, Any], where: str) -> Iterator[str]:
    """Options without a description, down into the options of options."""
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
            yield f"{where}: there is no tasks/{entry}.yml"
        for key in ("short_description", "description"):
            if not str(spec.get(key) or "").strip():
                yield f"{where} has no {key}"
        yield from undescribed(spec.get("options") or {}, where)


def default_problems(entries: dict[str, Any], defaults: dict[str, Any]) -> Iterator[str]:
    """Where specs and defaults do not say the same.

    An option that has no default of its own in defaults/main.yml is a required one. A default that is a template has no value that
    a spec of another type could hold: there the spec says the same template, or nothing.
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
                    yield f"{where} has a default that defaults/main.yml does not have"
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
    """Each task of a task file, those in blocks too."""
    for task in content or []:
        yield task
        for key in ("block", "rescue", "always"):
            yield from tasks_of(task.get(key))


def variables_made(role: Path) -> Iterator[tuple[str, str]]:
    """Names that the role gives to what it works out itself, and where."""
    for path in sorted((role / "vars").glob("*.y*ml")):
        yield from ((name, f"vars/{path.name}") for name in load(path))
    for path in sorted((role / "tasks").rglob("*.y*ml")) + sorted((role / "handlers").rglob("*.y*ml")):
        where = str(path.relative_to(role))
        for task in tasks_of(load(path)):
            names = list(task.get("vars") or {}) if not included_role(task) else []
            names += [task["register"]] if "register" in task else []
            for module in SETS_FACTS:
                names += [name for name in task.get(module) or {} if name != "cacheable"]
            yield from ((name, where) for name in names)


def included_role(task: dict[str, Any]) -> bool:
    """Whether a task's vars are the options of another role."""
    return any(key.rpartition(".")[2] in ("include_role", "import_role") for key in task)


def name_problems(role: Path, defaults: dict[str, Any]) -> Iterator[str]:
    """Public names begin with the role's, internal ones with __ and the role's; what a role tells others is in its README."""
    for name in defaults:
        if not name.startswith(f"{role.name}_"):
            yield f"{name} of defaults/main.yml does not begin with {role.name}_"
    readme = (role / "README.md").read_text(encoding="utf-8") if (role / "README.md").is_file() else ""
    for name, where in variables_made(role):
        if name in defaults:
            yield f"{name} is set in {where}, over what a user sets: it is in defaults/main.yml"
        elif name.startswith(f"{role.name}_"):
            if f"`{name}`" not in readme:
                yield f"{name} of {where} is public, but README.md does not tell of it: name it there, or call it __{name}"
        elif not name.startswith(f"__{role.name}_"):
            yield f"{name} of {where} begins neither with __{role.name}_ (internal) nor with {role.name}_ (a result)"


def problems(role: Path) -> list[str]:
    """Everything that is wrong with a role's specs, defaults and names."""
    if not (role / "meta" / "argument_specs.yml").is_file():
        return ["there is no meta/argument_specs.yml"]
    entries = load(role / "meta" / "argument_specs.yml").get("argument_specs") or {}
    defaults = load(role / "defaults" / "main.yml")
    found = [] if "main" in entries else ["argument_specs has no entry point main"]
    found += entry_point_problems(role, entries)
    found += default_problems(entries, defaults)
    found += name_problems(role, defaults)
    return found


@pytest.mark.parametrize("role", [pytest.param(role, id=role.name) for role in ROLES])
def test_role(role: Path) -> None:
    assert not problems(role)


# The checks above, checked: each mistake is found, and a role without any is let through.

OPTION = {"type": "str", "description": "What it is."}
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


def test_a_good_role_has_no_problems(tmp_path: Path) -> None:
    tasks = [{"block": [{"ansible.builtin.set_fact": {"__good_a": 1}, "register": "__good_b"}]}]
    variables = {"__good_c": 1, "good_result": "{{ __good_a }}"}
    assert (
        problems(make_role(tmp_path, tasks=tasks, variables=variables, readme="It sets `good_result`.")) == []
    )


@pytest.mark.parametrize(
    ("specs", "defaults", "message"),
    [
        pytest.param(with_option("good_port", default=81), None, "default 81, defaults/main.yml has 80", id="another value"),
        pytest.param(with_option("good_port", default="80"), None, "default '80', defaults/main.yml has 80", id="another type"),
        pytest.param(None, {**GOOD_DEFAULTS, "good_port": True}, "has True", id="true is not 1"),
        pytest.param(None, {**GOOD_DEFAULTS, "good_new": 1}, "good_new of defaults/main.yml is in no", id="not in specs"),
        pytest.param(None, {**GOOD_DEFAULTS, "other": 1}, "other of defaults/main.yml does not begin with good_", id="prefix"),
        pytest.param(None, {**GOOD_DEFAULTS, "good_key": "x"}, "good_key is required although", id="required with a value"),
        pytest.param(with_option("good_new"), None, "good_new is neither required nor in", id="not in defaults"),
        pytest.param(with_option("good_key", default="x"), None, "has a default that defaults/main.yml does not", id="default of its own"),
        pytest.param(with_option("good_extra", description=""), None, "main.good_extra has no description", id="description"),
        pytest.param(with_option("good_extra", options={"deep": {"type": "str"}}), None, "good_extra.deep has no description", id="deep"),
        pytest.param({**GOOD_SPECS, "gone": GOOD_SPECS["install"]}, None, "there is no tasks/gone.yml", id="no such entry point"),
        pytest.param({"install": GOOD_SPECS["install"]}, None, "no entry point main", id="no main"),
    ],
)  # fmt: skip
def test_specs_that_drift_from_the_defaults_are_found(
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
            None, {"good_port": 1}, "good_port is set in vars/main.yml, over what a user sets", id="overrides"
        ),
        pytest.param(None, {"good_result": 1}, "README.md does not tell of it", id="undocumented result"),
    ],
)
def test_names_that_are_not_the_roles_own_are_found(
    tmp_path: Path, tasks: Any, variables: Any, message: str
) -> None:
    assert message in "\n".join(problems(make_role(tmp_path, tasks=tasks, variables=variables)))


def test_a_role_without_specs_is_found(tmp_path: Path) -> None:
    (tmp_path / "bare" / "tasks").mkdir(parents=True)
    assert problems(tmp_path / "bare") == ["there is no meta/argument_specs.yml"]
