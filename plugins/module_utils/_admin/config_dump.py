# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read config dumps without secrets, in one form: envoy_config_dump_info without Ansible."""

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

# By type of the dump: the key of its resources in the result, and the key of a resource in Envoy's entry.
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
_MAX_TEXT = 200  # characters of a response in a message
_STATES = ("active_state", "warming_state", "draining_state")


def path_for(params: Mapping[str, Any]) -> str:
    """Return the path for a module's arguments. Raises ArgumentError."""
    mask = ",".join(params.get("mask") or ())
    if params.get("resource") == "bootstrap":
        raise ArgumentError(
            "resource", "the bootstrap is not a list of resources. Use mask: [bootstrap] instead."
        )
    options = {"resource": params.get("resource"), "mask": mask, "name_regex": params.get("name_regex")}
    query = urlencode({key: value for key, value in options.items() if value}, quote_via=quote)
    parts = [query] if query else []
    if params.get("include_eds"):
        parts.append("include_eds")
    return "/config_dump" + (f"?{'&'.join(parts)}" if parts else "")


def read_dump(data: Any, resource: str = "") -> Dump:
    """Return a config dump in one form, without secrets.

    Args:
        data: The decoded response of /config_dump.
        resource: The requested list of resources, which the response does not name.

    Raises:
        ScrapeError: The data is not a config dump (kind `unparsable`).
    """
    redactor = Redactor()
    dump: Dump = {"bootstrap": {}, **{kind: [] for kind in KINDS}, "other": []}
    try:
        clean = redactor.value(data)
        for config in clean.get("configs", ()):
            _add_config(dump, config, resource)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ScrapeError(
            "unparsable", f"the config dump cannot be parsed ({type(error).__name__})"
        ) from None
    return {**dump, "redacted": redactor.count}


def _add_config(dump: Dump, config: Mapping[str, Any], resource: str) -> None:
    before, _dot, last = str(config.get("@type", "")).rpartition(".")
    outer = before.rpartition(".")[2]
    if last == "BootstrapConfigDump":
        dump["bootstrap"] = dict(config.get("bootstrap", {}))
        # The list of compiled-in extensions is not configuration, and most of the bytes.
        node = dump["bootstrap"].get("node")
        if isinstance(node, dict):
            node.pop("extensions", None)
    elif last in _KINDS:
        kind, key = _KINDS[last]
        for list_name, entries in config.items():
            if list_name.startswith(("static_", "dynamic_", "inline_", "ecds_")) and isinstance(
                entries, list
            ):
                for entry in entries:
                    dump[kind].extend(
                        resource
                        for resource in _resources(entry, key, list_name)
                        if entry.get("name") or not resource["error"] or not _is_listed(dump[kind], resource)
                    )
    elif outer in _KINDS:
        kind, key = _KINDS[outer]
        dump[kind].extend(_resources(config, key, resource))
    else:
        dump["other"].append(config)


def _is_listed(resources: Sequence[Mapping[str, Any]], resource: Mapping[str, Any]) -> bool:
    """Return whether a rejection is listed: Envoy's dump has it for the listener, and again for the update, without a name."""
    return any(
        (known["name"], known["error"]) == (resource["name"], resource["error"]) for known in resources
    )


def _resources(entry: Mapping[str, Any], key: str, list_name: str) -> Iterator[dict[str, Any]]:
    """Yield the resource of an entry once for each state; a listener that is being replaced has two states."""
    error = entry.get("error_state") or {}
    states = [(state.removesuffix("_state"), entry[state]) for state in _STATES if entry.get(state)]
    found = next((state for state in ("warming", "static", "inline") if state in list_name), "active")
    for state, content in states or [(found, entry)]:
        config = content.get(key, {})
        name = entry.get("name") or (
            config.get("name") or config.get("cluster_name") if isinstance(config, Mapping) else ""
        )
        name = name or error.get("failed_configuration", {}).get("name")
        yield {
            "name": str(name or ""),
            "state": state,
            "version_info": str(content.get("version_info", "")),
            "last_updated": str(content.get("last_updated", "")),
            "error": str(error.get("details", "")),
            "config": config,
        }


def config_dump_info(
    endpoints: Sequence[Endpoint], params: Mapping[str, Any], timeout: float, limits: Limits
) -> tuple[str, dict[str, Any]]:
    """Read the config dumps of all endpoints.

    Args:
        endpoints: Envoy admin interfaces.
        params: The module's arguments, of which `resource`, `mask`, `name_regex` and `include_eds` are used.
        timeout: Seconds for all endpoints together.
        limits: Limits for each endpoint.

    Returns:
        The failure message, empty if there is none, and the result of the module.

    Raises:
        ArgumentError: An argument or an endpoint is wrong.
    """
    began, path = time.monotonic(), path_for(params)

    async def send(client: AdminClient, dump: Dump) -> None:
        response = await client.request(path, "GET")
        if response.status in (400, 404, 501):
            # Envoy's text is about the request; it contains no configuration.
            text = " ".join(response.body.decode("utf-8", "replace").split())[:_MAX_TEXT]
            raise ScrapeError("http_status", f"/config_dump returned status {response.status}: {text}")
        if response.status != 200:
            await client.get(path)  # raises with the meaning of the status
        try:
            data = load(response.body)
        except ScrapeError:  # its message contains the beginning of the response
            raise ScrapeError("unparsable", "the config dump is not JSON") from None
        dump.update(read_dump(data, params.get("resource") or ""))

    replies = broadcast(endpoints, send, Dump, timeout, limits)
    return failure_message(replies), {
        "dumps": {reply.name: reply.value for reply in replies if reply.failure is None},
        "endpoints": [reply.as_data() for reply in replies],
        "failure": first_failure(replies),
        "elapsed": round(time.monotonic() - began, 3),
    }
