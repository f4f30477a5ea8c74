# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks a plan that is given to demo_deploy, which may be written by hand, against the plan schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from difflib import get_close_matches
from typing import Any, Union, get_args, get_origin, get_type_hints

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.suggestions import unknown_name
from ansible_collections.meshlab.envoy.plugins.module_utils._config import desired_files
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import Plan
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload

# The keys of a plan that a deployment uses, each with the class that its entries become.
USED = {
    "files": desired_files.File,
    "directories": desired_files.Directory,
    "certificates": desired_files.Certificate,
    "checks": desired_files.Check,
    "workloads": Workload,
    "admins": desired_files.Admin,
    "manifests": None,
    "during": None,
    "deployed": None,
}
IDENTITY = ("name", "platform", "folder")
# The ratio of difflib from which on two keys resemble each other; `failed` and `files` have 0.73.
SIMILAR = 0.8


def check_plan(plan: Mapping[str, Any]) -> None:
    """Check the keys of a plan that a deployment uses. A key that has a default in its class may be missing.

    Args:
        plan: The plan, or a part of it: `name`, `platform`, `folder` and any of the keys of USED.

    Raises:
        ArgumentError: A key is missing or unknown, or a value does not have the type in the schema.

    Example:
        >>> check_plan({"name": "a", "platform": "local", "folder": "/a", "files": [{"pth": "x"}]})
        Traceback (most recent call last):
          ...
        ansible_collections...ArgumentError: plan.files[0]: unknown key 'pth'. Did you mean 'path'?
    """
    for key in IDENTITY:
        if not plan.get(key):
            raise ArgumentError("plan", f"has no {key}. Use a plan of meshlab.envoy.demo_plan, or add it")
    hints = get_type_hints(Plan)
    # A registered plan has the keys of a task's result too, such as `changed`. A key that resembles a used one is a mistake.
    for key in plan:
        if key not in hints and get_close_matches(str(key), (*IDENTITY, *USED), 1, SIMILAR):
            raise ArgumentError("plan", f"{unknown_name('key', key, (*IDENTITY, *USED))}")
    for key in (*IDENTITY, *USED):
        _check(plan.get(key), hints[key], f"plan.{key}")
    for key, entry_class in USED.items():
        required = [field.name for field in fields(entry_class) if _is_required(field)] if entry_class else []
        for number, entry in enumerate(plan.get(key) or ()):
            for name in required:
                if entry.get(name) in (None, []):
                    raise ArgumentError(f"plan.{key}[{number}]", f"has no {name}. Add it")


def _is_required(field: Any) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _check(value: Any, hint: Any, where: str) -> None:
    """Check one value against an annotation. Null has the default everywhere."""
    if value is None or hint is Any:
        return
    origin, arguments = get_origin(hint), get_args(hint)
    if hasattr(hint, "__total__"):  # a TypedDict; is_typeddict needs Python 3.10
        _expect(value, Mapping, "a mapping", where)
        known = get_type_hints(hint)
        for key, entry in value.items():
            if key not in known:
                raise ArgumentError(where, f"{unknown_name('key', key, known)}")
            _check(entry, known[key], f"{where}.{key}")
    elif origin is list:
        _expect(value, (list, tuple), "a list", where)
        for number, entry in enumerate(value):
            _check(entry, arguments[0], f"{where}[{number}]")
    elif origin is dict:
        _expect(value, Mapping, "a mapping", where)
        for key, entry in value.items():
            _check(entry, arguments[1], f"{where}.{key}")
    elif _is_union(hint):
        _check(value, next(hint_part for hint_part in arguments if hint_part is not type(None)), where)
    elif hint is bool:
        _expect(value, bool, "true or false", where)
    elif hint in (int, float):
        _expect(value, (int, float), "a number", where)
    else:
        # Text or a literal. A number is accepted, because YAML reads 1.36 as a number.
        _expect(value, (str, int, float), "text", where)


def _is_union(hint: Any) -> bool:
    return get_origin(hint) is Union or type(hint).__name__ == "UnionType"


def _expect(value: Any, kind: Any, name: str, where: str) -> None:
    if not isinstance(value, kind):
        raise ArgumentError(where, f"expected {name}, got {value!r}")
