# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The desired state of an Envoy, its comparison with responses of the admin, and the paths that change it. No connection is opened."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import expected
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.suggestions import unknown_name
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError

LEVELS = ("trace", "debug", "info", "warning", "error", "critical", "off")
STATES = ("LIVE", "DRAINING", "PRE_INITIALIZING", "INITIALIZING")
HEALTH = {"ok": "LIVE", "fail": "DRAINING"}
# Envoy counts requests to its admin too, so these counters are never all 0.
_ADMIN_COUNTER = re.compile(r"(http|listener)\.admin\.")
_LOGGER = re.compile(r"^ {2}(\S.*): (\w+)$", re.MULTILINE)


@dataclass(frozen=True)
class Drain:
    """Options of /drain_listeners."""

    graceful: bool = False
    inboundonly: bool = False
    skip_exit: bool = False

    @property
    def path(self) -> str:
        """Return the path with these options."""
        options = [key for key in ("graceful", "inboundonly", "skip_exit") if getattr(self, key)]
        return "/drain_listeners" + (f"?{'&'.join(options)}" if options else "")


@dataclass(frozen=True)
class DesiredState:
    """The changes that a task requests for each Envoy."""

    level: str = ""
    """The level of all loggers that are not in `loggers`; empty to keep the levels."""
    loggers: Mapping[str, str] = field(default_factory=dict)
    """Levels by name of the logger."""
    runtime: Mapping[str, str] = field(default_factory=dict)
    """Values by runtime key; an empty value removes an override."""
    reset_counters: bool = False
    health: str = ""
    """`ok`, `fail` or empty."""
    drain: Drain | None = None
    quit: bool = False


def desired_state_from(params: Mapping[str, Any]) -> DesiredState:
    """Return the desired state in a module's arguments.

    Args:
        params: The arguments of ADMIN_ARGS.

    Raises:
        ArgumentError: An argument is wrong, or none requests a change.
    """
    logging = params.get("logging") or {}
    loggers = {str(name): str(level) for name, level in (logging.get("loggers") or {}).items()}
    for name, level in loggers.items():
        if level not in LEVELS:
            raise ArgumentError(f"logging.loggers.{name}", unknown_name("level", level, LEVELS))
        if not re.fullmatch(r"[^\s,:&=]+", name):
            raise ArgumentError(
                "logging.loggers", f"{name!r} is not the name of a logger. Use a name such as upstream."
            )
    drain = params.get("drain_listeners")
    if drain is not None and drain.get("skip_exit") and not drain.get("graceful"):
        raise ArgumentError(
            "drain_listeners.skip_exit", "drain_listeners.graceful is missing. Set it to true."
        )
    state = DesiredState(
        level=logging.get("level") or "",
        loggers=loggers,
        runtime={
            str(key): _runtime_value(key, value)
            for key, value in (params.get("runtime_modify") or {}).items()
        },
        reset_counters=bool(params.get("reset_counters")),
        health=params.get("healthcheck") or "",
        drain=Drain(**{key: bool(value) for key, value in drain.items()}) if drain is not None else None,
        quit=bool(params.get("quitquitquit")),
    )
    if state == DesiredState():
        raise ArgumentError(
            "envoy_admin", "no change is requested. Set at least one option, such as healthcheck."
        )
    return state


def _runtime_value(key: Any, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (Mapping, list)):
        raise expected(f"runtime_modify.{key}", "text, a number or a boolean", value)
    return "" if value is None else str(value)


def read_loggers(body: bytes) -> dict[str, str]:
    """Return the level of each logger, from the response of /logging. Raises ScrapeError."""
    found = dict(_LOGGER.findall(body.decode("utf-8", "replace")))
    if not found:
        raise ScrapeError("unparsable", "the response of /logging has no logger")
    return found


def level_changes(now: Mapping[str, str], level: str, loggers: Mapping[str, str]) -> dict[str, str]:
    """Return the new levels of the loggers that differ from the desired state.

    Raises ScrapeError (kind `absent`) for a logger that this Envoy does not have.
    """
    for name in loggers:
        if name not in now:
            raise ScrapeError("absent", unknown_name("logger", name, now).rstrip("."))
    desired = {name: loggers.get(name, level or current) for name, current in now.items()}
    return {name: new for name, new in desired.items() if new != now[name]}


def logging_paths(changes: Mapping[str, str], level: str, loggers: Mapping[str, str]) -> list[str]:
    """Return the paths to post: one for all loggers, and after it one for the loggers in `loggers`."""
    paths = []
    changed_by_level = any(name not in loggers for name in changes)
    if level and changed_by_level:
        paths.append(f"/logging?level={level}")
    named = loggers if changed_by_level else {name: changes[name] for name in loggers if name in changes}
    if named:
        paths.append(
            f"/logging?paths={quote(','.join(f'{name}:{new}' for name, new in named.items()), safe=',:')}"
        )
    return paths


def admin_layer(dump: Any) -> str | None:
    """Return the name of the runtime layer that the admin changes, from a config dump; None if there is none."""
    for config in dump.get("configs", ()):
        for layer in config.get("bootstrap", {}).get("layered_runtime", {}).get("layers", ()):
            if "admin_layer" in layer:
                return str(layer["name"])
    return None


def read_overrides(runtime: Any, layer: str) -> dict[str, str]:
    """Return the values in the admin's layer, from the response of /runtime. Later layers can override them."""
    layers = runtime.get("layers", [])
    if layer not in layers:
        return {}
    position = layers.index(layer)
    values = {
        str(key): str(entry["layer_values"][position]) for key, entry in runtime.get("entries", {}).items()
    }
    return {key: value for key, value in values.items() if value}


def runtime_changes(now: Mapping[str, str], desired: Mapping[str, str]) -> dict[str, str]:
    """Return the overrides that differ from the desired values; an empty value removes an override."""
    return {key: value for key, value in desired.items() if now.get(key, "") != value}


def runtime_path(changes: Mapping[str, str]) -> str:
    """Return the path that changes runtime keys."""
    pairs = (f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in changes.items())
    return "/runtime_modify?" + "&".join(pairs)


def used_counters(body: bytes) -> int:
    """Return how many counters are above 0, without those of the admin's own listener. Raises ScrapeError."""
    try:
        entries = json.loads(body)["stats"]
        return sum(
            1 for stat in entries if stat.get("value", 0) > 0 and not _ADMIN_COUNTER.match(stat["name"])
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ScrapeError("unparsable", "the counters in the response cannot be parsed") from None
