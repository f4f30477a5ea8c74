# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A replacement of `oc process --local`, by OpenShift's documentation ("Using templates"): the lab has no `oc`.

It replaces `${NAME}` in texts, and `${{NAME}}` where it is a whole value, by the JSON value of the parameter. It removes a namespace that
is not a parameter, and adds the template's `labels` to all objects. It does not support `generate`.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

TEXT = re.compile(r"\$\{([a-zA-Z0-9_]+)\}")
WHOLE = re.compile(r"\$\{\{([a-zA-Z0-9_]+)\}\}")


def process(template: Mapping[str, Any], chosen: Mapping[str, str]) -> dict[str, Any]:
    """Return the List that `oc process` prints. Raises SystemExit for a wrong or missing parameter."""
    known = {one["name"]: one for one in template["parameters"]}
    if unknown := [*(chosen.keys() - known.keys())]:
        raise SystemExit(f"error: unknown parameter name {unknown[0]!r}")
    values = {name: str(chosen.get(name, one.get("value") or "")) for name, one in known.items()}
    for name, one in known.items():
        if one.get("required") and not values[name]:
            raise SystemExit(f"error: parameter {name} is required and must be specified")
    objects = [_processed(one, values, template.get("labels") or {}) for one in template["objects"]]
    return {"apiVersion": "v1", "kind": "List", "items": objects}


def _processed(thing: Mapping[str, Any], values: Mapping[str, str], labels: Mapping[str, str]) -> Any:
    metadata = dict(thing["metadata"])
    if not TEXT.search(metadata.get("namespace") or ""):
        metadata.pop("namespace", None)
    if labels:
        metadata["labels"] = {**metadata.get("labels", {}), **labels}
    return _filled({**thing, "metadata": metadata}, values)


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {_filled(key, values): _filled(one, values) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, values) for one in value]
    if not isinstance(value, str):
        return value
    whole = WHOLE.fullmatch(value)
    if whole and whole[1] in values:
        return json.loads(values[whole[1]])
    return TEXT.sub(lambda found: values.get(found[1], found[0]), value)


def main() -> None:
    """Run `oc process -f FILE -p NAME=VALUE …`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-f", "--filename", type=Path, required=True)
    parser.add_argument("-p", "--param", action="append", default=[])
    arguments = parser.parse_args()
    template = yaml.safe_load(arguments.filename.read_text(encoding="utf-8"))
    chosen = dict(one.split("=", 1) for one in arguments.param)
    print(json.dumps(process(template, chosen)))


if __name__ == "__main__":
    main()
