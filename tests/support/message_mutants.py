# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Demos of the gallery with one mistake in a message of Envoy, chosen by a seed."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

DEMOS = Path(__file__).resolve().parents[2] / "playbooks" / "demos"
# The keys of a demo below which are messages of Envoy.
MESSAGES = {
    "routes",
    "virtual_hosts",
    "http_filters",
    "filters",
    "udp_filters",
    "listener",
    "http_connection_manager",
    "cluster",
    "context",
    "stats_config",
    "bootstrap",
    "match",
}
Path_ = tuple[Any, ...]


def mutants(seed: int, count: int) -> Iterator[tuple[str, str, Any]]:
    """Yield (name of the demo, mistake, data of the demo) for `count` demos with one mistake each."""
    chosen = random.Random(seed)
    demos = {
        path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(DEMOS.glob("*.yml"))
    }
    made = 0
    while made < count:
        name = chosen.choice(sorted(demos))
        data = copy.deepcopy(demos[name])
        for key in ("changes", "unsupported_on"):
            data.pop(key, None)
        mistake = _make_mistake(data, chosen)
        if mistake:
            made += 1
            yield name, mistake, data


def _make_mistake(data: Any, chosen: random.Random) -> str:
    """Change one place in a message of Envoy, and return what was changed; empty where the choice is impossible."""
    paths = [path for path in _paths(data) if path[0] in ("proxies", "services") and MESSAGES & {*path[2:-1]}]
    if not paths:
        return ""
    path = chosen.choice(paths)
    parent, key = _value(data, path[:-1]), path[-1]
    value = parent[key]
    kind = chosen.choice(("misspell", "remove", "text", "number", "move up", "add"))
    if kind == "misspell" and isinstance(key, str) and len(key) > 3:
        position = chosen.randrange(1, len(key) - 1)
        parent[key[:position] + key[position + 1 :]] = parent.pop(key)
    elif kind == "remove":
        del parent[key]
    elif kind == "text":
        parent[key] = chosen.choice(["lots", "250ms", "STRICT-DNS"])
    elif kind == "number":
        parent[key] = chosen.choice([5, 1.5, True])
    elif (
        kind == "move up"
        and isinstance(key, str)
        and len(path) > 4
        and isinstance(_value(data, path[:-2]), dict)
    ):
        _value(data, path[:-2])[key] = parent.pop(key)
    elif kind == "add" and isinstance(parent, dict):
        parent[chosen.choice(["retry_policy", "prefix", "cluster", "timeout", "name", "@type"])] = "x"
    else:
        return ""
    return f"{kind} {'.'.join(map(str, path))} ({str(value)[:30]})"


def _paths(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    if path:
        yield path
    if isinstance(value, dict):
        for key in value:
            yield from _paths(value[key], (*path, key))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _paths(one, (*path, index))


def _value(data: Any, path: Path_) -> Any:
    for key in path:
        data = data[key]
    return data
