# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples in the documentation of the modules, checked against the modules' argument specs."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.meshlab.envoy.plugins import modules

PREFIX = "meshlab.envoy."
FILES = sorted(path for path in Path(modules.__path__[0]).glob("*.py") if path.stem != "__init__")
NAMES = [path.stem for path in FILES]
# demo_plan has no code of its own: its action plugin reads the options on the controller.
WITH_SPEC = [path.stem for path in FILES if "AnsibleModule(" in path.read_text(encoding="utf-8")]
# What a template stands for, by the type of its option.
RENDERED: dict[str, Any] = {"dict": {}, "list": [], "int": 1, "float": 1.0, "bool": True}


class SpecFound(Exception):
    """Raised by a module that is about to read its options; `args` has its argument spec."""


def imported(name: str) -> ModuleType:
    return importlib.import_module(f"{modules.__name__}.{name}")


def argument_spec(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    def read_spec(argument_spec: dict[str, Any], **_settings: Any) -> None:
        raise SpecFound(argument_spec)

    monkeypatch.setattr(module, "AnsibleModule", read_spec)
    with pytest.raises(SpecFound) as found:
        module.main()
    spec: dict[str, Any] = found.value.args[0]
    return spec


def rendered(options: Any, spec: dict[str, Any]) -> Any:
    """Return options with a value of the right type for each template."""
    if not isinstance(options, dict):
        return options
    result = {}
    for key, value in options.items():
        option = spec.get(key, {})
        kind, nested = option.get("type", "str"), option.get("options") or {}
        if isinstance(value, str) and "{{" in value:
            result[key] = RENDERED.get(kind, value)
        elif isinstance(value, list):
            result[key] = [rendered(entry, nested) for entry in value]
        else:
            result[key] = rendered(value, nested)
    return result


@pytest.mark.parametrize("name", WITH_SPEC)
def test_examples_match_the_argument_spec(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = imported(name)
    spec = argument_spec(module, monkeypatch)
    tasks = yaml.safe_load(module.EXAMPLES)
    examples = [task[PREFIX + name] for task in tasks if PREFIX + name in task]
    assert examples
    for options in examples:
        result = ArgumentSpecValidator(spec).validate(rendered(options, spec))
        assert not result.error_messages, (options, result.error_messages)


@pytest.mark.parametrize("name", NAMES)
def test_examples_begin_with_names(name: str) -> None:
    for task in yaml.safe_load(imported(name).EXAMPLES):
        assert next(iter(task)) == "name"
