# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole of envoy_config_dump_info without Ansible: asked, stripped of secrets, and put in one form."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.admin_client import AdminClient
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.broadcast import (
    broadcast,
    failure_message,
    first_failure,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_pool import Limits
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.envoy_stats_json import load
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.redact import Redactor

Dump = dict[str, Any]

# What a dump is of, the name of its resources here, and the key that holds one.
_KINDS = {
    "ListenersConfigDump": ("listeners", "listener"),
    "ClustersConfigDump": ("clusters", "cluster"),
    "RoutesConfigDump": ("routes", "route_config"),
    "ScopedRoutesConfigDump": ("scoped_routes", "scoped_route_configs"),
    "EndpointsConfigDump": ("endpoints", "endpoint_config"),
    "SecretsConfigDump": ("secrets", "secret"),
    "EcdsConfigDump": ("extensions", "ecds_filter"),
}
KINDS = tuple(kind for kind, _key in _KINDS.values())
_STATES = ("active_state", "warming_state", "draining_state")


def path_for(given: Mapping[str, Any]) -> str:
    """What to ask for, from a module's arguments."""
    mask = ",".join(given.get("mask") or ())
    if given.get("resource") == "bootstrap":
        raise ArgumentError("resource: the bootstrap is no list of resources; give mask: [bootstrap] instead")
    options = {"resource": given.get("resource"), "mask": mask, "name_regex": given.get("name_regex")}
    query = urlencode({key: value for key, value in options.items() if value}, quote_via=quote)
    parts = [query] if query else []
    if given.get("include_eds"):
        parts.append("include_eds")
    return "/config_dump" + (f"?{'&'.join(parts)}" if parts else "")


def read_dump(data: Any, resource: str = "") -> Dump:
    """A config dump in one form, without secrets: `resource` is what was asked for, since the answer does not say it."""
    redactor = Redactor()
    dump: Dump = {"bootstrap": {}, **{kind: [] for kind in KINDS}, "other": []}
    try:
        clean = redactor.value(data)
        for config in clean.get("configs", ()):
            _sort_in(dump, config, resource)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ScrapeError("unparsable", f"the config dump cannot be read ({type(error).__name__})") from None
    return {**dump, "redacted": redactor.count}


def _sort_in(dump: Dump, config: Mapping[str, Any], resource: str) -> None:
    before, _dot, last = str(config.get("@type", "")).rpartition(".")
    outer = before.rpartition(".")[2]
    if last == "BootstrapConfigDump":
        dump["bootstrap"] = dict(config.get("bootstrap", {}))
        # What was compiled in is no configuration, and the most of it.
        node = dump["bootstrap"].get("node")
        if isinstance(node, dict):
            node.pop("extensions", None)
    elif last in _KINDS:
        kind, key = _KINDS[last]
        for place, entries in config.items():
            if place.startswith(("static_", "dynamic_", "inline_", "ecds_")) and isinstance(entries, list):
                for entry in entries:
                    dump[kind].extend(
                        one
                        for one in _resources(entry, key, place)
                        if entry.get("name") or not one["error"] or not _told(dump[kind], one)
                    )
    elif outer in _KINDS:
        kind, key = _KINDS[outer]
        dump[kind].extend(_resources(config, key, resource))
    else:
        dump["other"].append(config)


def _told(resources: Sequence[Mapping[str, Any]], one: Mapping[str, Any]) -> bool:
    """Whether a refusal is there already: Envoy says it of the listener, and of the update, without a name of its own."""
    return any((known["name"], known["error"]) == (one["name"], one["error"]) for known in resources)


def _resources(entry: Mapping[str, Any], key: str, place: str) -> Iterator[dict[str, Any]]:
    """One entry; a listener that is being replaced is there in two states."""
    error = entry.get("error_state") or {}
    states = [(state.removesuffix("_state"), entry[state]) for state in _STATES if entry.get(state)]
    found = next((word for word in ("warming", "static", "inline") if word in place), "active")
    for state, held in states or [(found, entry)]:
        config = held.get(key, {})
        name = entry.get("name") or (
            config.get("name") or config.get("cluster_name") if isinstance(config, Mapping) else ""
        )
        name = name or error.get("failed_configuration", {}).get("name")
        yield {
            "name": str(name or ""),
            "state": state,
            "version_info": str(held.get("version_info", "")),
            "last_updated": str(held.get("last_updated", "")),
            "error": str(error.get("details", "")),
            "config": config,
        }


def config_dump_info(
    endpoints: Sequence[Endpoint], given: Mapping[str, Any], timeout: float, limits: Limits
) -> tuple[str, dict[str, Any]]:
    """Asks all endpoints side by side; returns what went wrong, and the data that the module returns."""
    began, path = time.monotonic(), path_for(given)

    async def question(client: AdminClient, dump: Dump) -> None:
        answer = await client.request(path, "GET")
        if answer.status in (400, 404, 501):
            # Envoy's words about what was asked, and nothing of its configuration.
            said = " ".join(answer.body.decode("utf-8", "replace").split())[:200]
            raise ScrapeError("http_status", f"/config_dump answered {answer.status}: {said}")
        if answer.status != 200:
            await client.get(path)  # says what it means
        try:
            data = load(answer.body)
        except ScrapeError:  # its message would show how the answer begins
            raise ScrapeError("unparsable", "the config dump is no JSON") from None
        dump.update(read_dump(data, given.get("resource") or ""))

    replies = broadcast(endpoints, question, Dump, timeout, limits)
    return failure_message(replies), {
        "dumps": {reply.name: reply.value for reply in replies if reply.failure is None},
        "endpoints": [reply.as_data() for reply in replies],
        "failure": first_failure(replies),
        "elapsed": round(time.monotonic() - began, 3),
    }
