# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The key and line of the demo file that an error of Envoy about a generated candidate refers to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import CheckSource
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation import yaml_position
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.envoy_errors import EnvoyError
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.yaml_position import Path

Lines = Sequence[str]


@dataclass(frozen=True)
class AuthorLocation:
    """A key of the demo file.

    Attributes:
        key: The whole key, such as `proxies.edge.listeners.http.routes[0]`.
        line: Its line, counted from 1. None when the demo has no file.
    """

    key: str
    line: int | None


# The beginning of an error about a listener of a watched file.
LISTENER = re.compile(r"listener '([^']+)': ")


def author_location(source: CheckSource, candidate: Lines, error: EnvoyError) -> AuthorLocation:
    """Return the key of the author that generated the faulty part of a candidate.

    Envoy names the path of a fault, or only words that the configuration contains. The deepest key of the author wins; without any,
    the result is the key of the proxy itself.

    Args:
        source: The key of the proxy, and the lines of its keys.
        candidate: The lines of the candidate.
        error: The error of Envoy.
    """
    found: list[tuple[int, str]] = []
    path = yaml_position.parse_path(error.path)
    if len(path) > 1:
        key = author_key(source, candidate, path)
        if not error.tokens or _depth(key) > 2:
            return _location(source, _with_token(source, candidate, path, key, error))
        found.append((_depth(key), key))
    named = LISTENER.match(error.text)
    if not path and named and f"listeners.{named[1]}" in source.lines:
        return _location(source, f"listeners.{named[1]}")
    for token in error.tokens:
        for number in yaml_position.token_lines(candidate, token):
            key = author_key(source, candidate, yaml_position.path_at(candidate, number))
            found.append((_depth(key), key))
        if any(depth for depth, _key in found):
            break
    if not found and path:
        found += [(0, key) for key in _ending_with(source, path)]
    return _location(source, max(found, key=lambda one: one[0], default=(0, ""))[1])


def author_key(source: CheckSource, candidate: Lines, path: Path) -> str:
    """Return the key below the proxy's that a path of its candidate comes from, as deep as the author's file has it; or an empty string."""
    for key in _possible_keys(source, candidate, path):
        steps = key
        while steps:
            if steps in source.lines:
                break
            steps = _parent(steps)
        # A key such as `listeners` alone means nothing.
        if _depth(steps) > 1 or steps in ("bootstrap", "stats_config"):
            return steps
    return ""


def _possible_keys(source: CheckSource, candidate: Lines, path: Path) -> Iterator[str]:
    """Yield the keys below the proxy's that a path can come from, the most specific one first."""
    if path[:1] != ["static_resources"] or len(path) < 3:
        yield _join("", ["stats_config", *path[1:]]) if path[:1] == ["stats_config"] else ""
        yield _join("bootstrap", path)
        return
    kind, rest = str(path[1]), path[3:]
    span, followed = yaml_position.follow_path(candidate, path[:3])
    name = yaml_position.resource_name(candidate, span) if followed == 3 else ""
    base = f"{kind}.{name}"
    if rest == ["name"]:
        yield base
    yield from _cluster_keys(base, rest) if kind == "clusters" else _listener_keys(source, base, rest)
    yield base


def _cluster_keys(base: str, rest: Path) -> Iterator[str]:
    if rest[:1] == ["transport_socket"]:
        yield _join(f"{base}.tls.context", rest[2:])
        yield f"{base}.tls"
    yield _join(f"{base}.cluster", rest)


def _listener_keys(source: CheckSource, base: str, rest: Path) -> Iterator[str]:
    if rest[:1] == ["listener_filters"]:
        yield _join(f"{base}.udp_filters", rest[1:])
    if rest[:1] == ["filter_chains"] and len(rest) > 1:
        number = rest[1] if isinstance(rest[1], int) else 0
        chain = _chain(source, base, number)
        within = rest[2:]
        if within[:1] == ["filter_chain_match"]:
            yield _join(f"{chain}.match", within[1:])
        if within[:1] == ["transport_socket"]:
            yield _join(f"{chain}.tls.context", within[2:])
            yield f"{chain}.tls"
        if within[:1] == ["filters"]:
            yield from _filter_keys(source, chain, within[1:])
        yield _join(f"{base}.listener", rest)
        yield chain
        return
    yield _join(f"{base}.listener", rest)


def _filter_keys(source: CheckSource, chain: str, within: Path) -> Iterator[str]:
    """Yield the keys of a network filter: the author's own filter, or the HTTP connection manager that the planner generates."""
    if f"{chain}.filters" in source.lines:
        yield _join(f"{chain}.filters", within)
        return
    inside = within[2:]  # after the index and `typed_config`
    if inside[:2] == ["route_config", "virtual_hosts"]:
        if f"{chain}.virtual_hosts" in source.lines:
            yield _join(f"{chain}.virtual_hosts", inside[2:])
        elif inside[3:4] == ["routes"]:
            yield _join(f"{chain}.routes", inside[4:])
    if inside[:1] == ["http_filters"]:
        yield _join(f"{chain}.http_filters", inside[1:])
    yield _join(f"{chain}.http_connection_manager", inside)


def _chain(source: CheckSource, base: str, number: int) -> str:
    """Return the key of a filter chain: the listener itself, or the chain with this number in the order of the file."""
    prefix = f"{base}.filter_chains."
    names = [
        key for key in source.lines if key.startswith(prefix) and re.fullmatch(r"[^.\[]+", key[len(prefix) :])
    ]
    return names[number] if number < len(names) else base


def _with_token(source: CheckSource, candidate: Lines, path: Path, key: str, error: EnvoyError) -> str:
    """Return the key of a word of the error below a path, or else the key of the path itself."""
    span, _followed = yaml_position.follow_path(candidate, path)
    for token in error.tokens:
        number = yaml_position.find_token(candidate, token, span)
        if number is not None:
            deeper = author_key(source, candidate, yaml_position.path_at(candidate, number))
            if deeper.startswith(key):
                return deeper
    return key


def _ending_with(source: CheckSource, path: Path) -> list[str]:
    """Return the author's keys that end with the last field of a path, the deepest one first."""
    field = next((str(step) for step in reversed(path) if isinstance(step, str)), "")
    keys = [key for key in source.lines if key.endswith(f".{field}")]
    return sorted(keys, key=_depth, reverse=True)[:1]


def _location(source: CheckSource, key: str) -> AuthorLocation:
    line = source.lines.get(key) if key else source.lines.get("")
    return AuthorLocation(f"{source.key}.{key}" if key else source.key, line)


def _join(base: str, steps: Path) -> str:
    text = base
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text


def _parent(key: str) -> str:
    return key[: max(key.rfind("."), key.rfind("["), 0)]


def _depth(key: str) -> int:
    return len(re.findall(r"[^.\[\]]+", key))
