# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write docs/plan.md and docs/result.md from the types that describe them. With --check, report a page that is out of date.

The types of a plan are in plugins/module_utils/_plan/plan_schema.py, those of the result of a run in _report/result_schema.py.
"""

from __future__ import annotations

import inspect
import re
import sys
from importlib import import_module
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints, is_typeddict

from checkout import ROOT, stop

PACKAGE = "ansible_collections.meshlab.envoy.plugins.module_utils"
PAGE = ROOT / "docs" / "plan.md"
RESULT_PAGE = ROOT / "docs" / "result.md"
INTRODUCTION = """<!-- Generated from plugins/module_utils/_plan/plan_schema.py by `make plan-reference`. -->
# The plan

After this page you can read the plan of a demo, select parts of it in a playbook, and give it to `demo_deploy` and `demo_verify`.

```yaml
- name: Plan a demo
  meshlab.envoy.demo_plan:
    name: front_proxy
    path: playbooks/demos/front_proxy.yml
    context: {platform: docker, folder: ~/.local/state/meshlab.envoy/front_proxy}
  register: front_proxy

- name: Show the files of the edge proxy
  ansible.builtin.debug:
    msg: "{{ front_proxy.files | selectattr('path', 'match', 'edge/') | map(attribute='content') }}"
```

A plan is plain data: JSON represents it exactly, and the same demo with the same context always gives the same plan.
"""
RESULT_INTRODUCTION = """<!-- Generated from plugins/module_utils/_report/result_schema.py by `make plan-reference`. -->
# The result of a run

After this page you can read the JSON file of a run, in a script or a dashboard. [Reports](reports.md) describes where it is.

```sh not-run: few machines have jq
jq '.traffic[] | {name, p99: .latency_ms.p99}' ~/.local/state/meshlab.envoy/reports/front_proxy/*-local.json
```

The file has no secrets. Control characters in texts are escapes, such as `\\x1b`.
"""
TYPE_NAMES: dict[Any, str] = {str: "text", int: "whole number", float: "number", bool: "boolean", Any: "any"}


def schema(module: str, name: str) -> Any:
    """Return a type of a module of the collection."""
    # The link of make, under which the checkout is importable as a collection.
    link = str(ROOT / ".venv" / "collections")
    if link not in sys.path:
        sys.path.insert(0, link)
    return getattr(import_module(f"{PACKAGE}.{module}"), name)


def pages() -> dict[Path, str]:
    """Return the text of each page by its path."""
    return {
        PAGE: reference(schema("_plan.plan_schema", "Plan"), INTRODUCTION),
        RESULT_PAGE: reference(schema("_report.result_schema", "RunResult"), RESULT_INTRODUCTION),
    }


def reference(root: Any, introduction: str = INTRODUCTION) -> str:
    """Return the Markdown of an introduction, and of `root` and of all types that it refers to, each once, in the order of reference."""
    found = [root]
    for one in found:
        for hint in hints_of(one).values():
            found += [inner for inner in types_in(hint) if inner not in found]
    return "\n".join([introduction, *(section(one) for one in found)])


def section(typed_dict: Any) -> str:
    """Return the heading, the description and the table of keys of one type."""
    summary, descriptions = documentation(typed_dict)
    required = typed_dict.__required_keys__
    hints = hints_of(typed_dict)
    if descriptions.keys() != hints.keys():
        stop(f"{typed_dict.__name__}: its docstring must describe exactly the keys {', '.join(hints)}.")
    rows = ["| key | type | description |", "|---|---|---|"]
    for key, description in descriptions.items():
        optional = "" if key in required else ", optional"
        rows.append(f"| `{key}` | {type_name(hints[key])}{optional} | {description} |".replace("\n", " "))
    return "\n".join([f"## {typed_dict.__name__}", "", summary, "", *rows, ""])


def documentation(typed_dict: Any) -> tuple[str, dict[str, str]]:
    """Return the text of a type's docstring, and the description of each key from its section `Attributes`."""
    text, _heading, attributes = inspect.cleandoc(typed_dict.__doc__ or "").partition("\nAttributes:\n")
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", attributes, re.MULTILINE)
    return " ".join(text.split()), {key: " ".join(value.split()) for key, value in entries}


def hints_of(typed_dict: Any) -> dict[str, Any]:
    """Return the type of each key."""
    return get_type_hints(typed_dict)


def types_in(hint: Any) -> list[Any]:
    """Return the TypedDicts that an annotation refers to."""
    if is_typeddict(hint):
        return [hint]
    return [one for argument in get_args(hint) for one in types_in(argument)]


def type_name(hint: Any) -> str:
    """Return the name of a type for readers: `list of Port`, `text or null`."""
    arguments = get_args(hint)
    if is_typeddict(hint):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    if get_origin(hint) is list:
        return f"list of {type_name(arguments[0])}"
    if get_origin(hint) is dict:
        return f"mapping of {type_name(arguments[1])}"
    if get_origin(hint) is Literal:
        return " or ".join(f"`{one}`" for one in arguments)
    if arguments:
        return " or ".join("null" if one is NoneType else type_name(one) for one in arguments)
    return TYPE_NAMES[hint]


def main() -> None:
    """Write the pages, or check them."""
    for page, text in pages().items():
        if "--check" not in sys.argv[1:]:
            page.write_text(text, encoding="utf-8")
        elif not page.exists() or page.read_text(encoding="utf-8") != text:
            stop(f"{page.relative_to(ROOT)}: out of date. Run `make plan-reference`.")


if __name__ == "__main__":
    main()
