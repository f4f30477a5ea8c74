# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wanted of an Envoy, and what its admin's answers say of that: pure, without a connection."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any
from urllib.parse import quote

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError

LEVELS = ("trace", "debug", "info", "warning", "error", "critical", "off")
STATES = ("LIVE", "DRAINING", "PRE_INITIALIZING", "INITIALIZING")
HEALTH = {"ok": "LIVE", "fail": "DRAINING"}
# To ask is counted too: these are never all zero.
_ASKING = re.compile(r"(http|listener)\.admin\.")
_LOGGER = re.compile(r"^ {2}(\S.*): (\w+)$", re.MULTILINE)


@dataclass(frozen=True)
class Drain:
    """Options of /drain_listeners."""

    graceful: bool = False
    inboundonly: bool = False
    skip_exit: bool = False

    @property
    def path(self) -> str:
        options = [key for key in ("graceful", "inboundonly", "skip_exit") if getattr(self, key)]
        return "/drain_listeners" + (f"?{'&'.join(options)}" if options else "")


@dataclass(frozen=True)
class Wish:
    """All that one task wants of each Envoy."""

    level: str = ""
    loggers: Mapping[str, str] = field(default_factory=dict)
    runtime: Mapping[str, str] = field(default_factory=dict)  # an empty value takes an override away
    reset_counters: bool = False
    health: str = ""  # ok or fail
    drain: Drain | None = None
    quit: bool = False


def wish_from(given: Mapping[str, Any]) -> Wish:
    """From a module's arguments. Raises ArgumentError for what cannot be meant."""
    logging = given.get("logging") or {}
    loggers = {str(name): str(level) for name, level in (logging.get("loggers") or {}).items()}
    for name, level in loggers.items():
        if level not in LEVELS:
            raise ArgumentError(
                f"logging.loggers.{name}: {level!r} is no level; levels are {', '.join(LEVELS)}"
            )
        if not re.fullmatch(r"[^\s,:&=]+", name):
            raise ArgumentError(f"logging.loggers: {name!r} cannot be the name of a logger")
    drain = given.get("drain_listeners")
    if drain is not None and drain.get("skip_exit") and not drain.get("graceful"):
        raise ArgumentError("drain_listeners.skip_exit goes with drain_listeners.graceful")
    wish = Wish(
        level=logging.get("level") or "",
        loggers=loggers,
        runtime={str(key): _value(key, value) for key, value in (given.get("runtime_modify") or {}).items()},
        reset_counters=bool(given.get("reset_counters")),
        health=given.get("healthcheck") or "",
        drain=Drain(**{key: bool(value) for key, value in drain.items()}) if drain is not None else None,
        quit=bool(given.get("quitquitquit")),
    )
    if wish == Wish():
        raise ArgumentError("nothing is wanted: name at least one change")
    return wish


def _value(key: Any, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (Mapping, list)):
        raise ArgumentError(f"runtime_modify.{key} has to be text, a number or a boolean, not {value!r}")
    return "" if value is None else str(value)


def read_loggers(body: bytes) -> dict[str, str]:
    """The answer of /logging: each logger with its level."""
    found = dict(_LOGGER.findall(body.decode("utf-8", "replace")))
    if not found:
        raise ScrapeError("unparsable", "the answer of /logging names no logger")
    return found


def wanted_levels(now: Mapping[str, str], level: str, loggers: Mapping[str, str]) -> dict[str, str]:
    """The loggers whose level has to change, with the new one."""
    for name in loggers:
        if name not in now:
            near = get_close_matches(name, list(now), 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ScrapeError("absent", f"this Envoy has no logger {name!r}{hint}")
    wanted = {name: loggers.get(name, level or had) for name, had in now.items()}
    return {name: new for name, new in wanted.items() if new != now[name]}


def logging_paths(changes: Mapping[str, str], level: str, loggers: Mapping[str, str]) -> list[str]:
    """What to post: one question for all loggers, and one for those that are named."""
    paths = []
    changed_by_level = any(name not in loggers for name in changes)
    if level and changed_by_level:
        paths.append(f"/logging?level={level}")
    named = loggers if changed_by_level else {name: changes[name] for name in loggers if name in changes}
    if named:
        paths.append(
            f"/logging?paths={quote(','.join(f'{name}:{one}' for name, one in named.items()), safe=',:')}"
        )
    return paths


def admin_layer(dump: Any) -> str | None:
    """The name of the runtime layer that the admin changes, from the bootstrap of a config dump."""
    for config in dump.get("configs", ()):
        for layer in config.get("bootstrap", {}).get("layered_runtime", {}).get("layers", ()):
            if "admin_layer" in layer:
                return str(layer["name"])
    return None


def read_overrides(runtime: Any, layer: str) -> dict[str, str]:
    """The answer of /runtime: what the admin's own layer says, whatever another layer makes of it."""
    layers = runtime.get("layers", [])
    if layer not in layers:
        return {}
    position = layers.index(layer)
    values = {
        str(key): str(entry["layer_values"][position]) for key, entry in runtime.get("entries", {}).items()
    }
    return {key: value for key, value in values.items() if value}


def wanted_runtime(now: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """The overrides that have to change; an empty text for one that goes."""
    return {key: value for key, value in wanted.items() if now.get(key, "") != value}


def runtime_path(changes: Mapping[str, str]) -> str:
    pairs = (f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in changes.items())
    return "/runtime_modify?" + "&".join(pairs)


def counted(body: bytes) -> int:
    """How many counters are above 0, without those that asking itself counts."""
    try:
        entries = json.loads(body)["stats"]
        return sum(1 for one in entries if one.get("value", 0) > 0 and not _ASKING.match(one["name"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ScrapeError("unparsable", "the counters cannot be read") from None
