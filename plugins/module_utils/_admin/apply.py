# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply a desired state to Envoys: read, change what differs, and return both. This is envoy_admin without Ansible."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._admin import desired_state as states
from ansible_collections.meshlab.envoy.plugins.module_utils._admin.desired_state import DesiredState
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.admin_client import AdminClient
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.broadcast import (
    Reply,
    broadcast,
    failure_message,
    first_failure,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_pool import Limits
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.http_response import HttpResponse
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.envoy_stats_json import load
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError

_MAX_LINE = 200  # characters of a response in a message
NO_ADMIN_LAYER = (
    "the bootstrap has no admin layer, so the runtime cannot be changed; "
    "add {name: admin, admin_layer: {}} to layered_runtime.layers"
)


@dataclass
class AdminChange:
    """One requested change, and whether it was necessary."""

    action: str
    """The option of the module."""
    changed: bool
    before: Any = None
    after: Any = None
    """The value afterwards, or in check mode the value that would be set."""

    def as_data(self) -> dict[str, Any]:
        """Return the entry of the module's result."""
        return {"action": self.action, "changed": self.changed, "before": self.before, "after": self.after}


@dataclass
class _Apply:
    """Applies a desired state to one Envoy. Draining and quitting come last, since other changes cannot follow them."""

    client: AdminClient
    state: DesiredState
    check: bool
    changes: list[AdminChange] = field(default_factory=list)

    async def all(self) -> None:
        state = self.state
        if state.level or state.loggers:
            await self._logging()
        if state.runtime:
            await self._runtime()
        if state.reset_counters:
            await self._reset_counters()
        if state.health:
            await self._health()
        if state.drain is not None:
            # No admin page shows whether listeners are drained. Draining twice is harmless.
            await self._post_always("drain_listeners", state.drain.path)
        if state.quit:
            await self._quit()

    async def _logging(self) -> None:
        now = states.read_loggers((await self._post("/logging")).body)
        changes = states.level_changes(now, self.state.level, self.state.loggers)
        if not self.check:
            for path in states.logging_paths(changes, self.state.level, self.state.loggers):
                await self._post(path)
        before = {name: now[name] for name in changes}
        self.changes.append(AdminChange("logging", bool(changes), before, changes))

    async def _runtime(self) -> None:
        dump = await self.client.request("/config_dump?mask=bootstrap.layered_runtime", "GET")
        if dump.status == 403:  # allow_paths hides which layer is the admin's
            await self._post_always("runtime_modify", states.runtime_path(self.state.runtime))
            return
        layer = states.admin_layer(load(dump.body)) if dump.status == 200 else None
        if layer is None:
            raise ScrapeError("absent", NO_ADMIN_LAYER)
        now = states.read_overrides(load((await self.client.get("/runtime")).body), layer)
        changes = states.runtime_changes(now, self.state.runtime)
        if changes and not self.check:
            await self._post(states.runtime_path(changes))
        before = {name: now.get(name, "") for name in changes}
        self.changes.append(AdminChange("runtime_modify", bool(changes), before, changes))

    async def _reset_counters(self) -> None:
        used = states.used_counters((await self.client.get("/stats?format=json&type=Counters&usedonly")).body)
        if used and not self.check:
            await self._post("/reset_counters")
        self.changes.append(AdminChange("reset_counters", used > 0, used, 0))

    async def _health(self) -> None:
        before = await self._ready_state()
        desired = states.HEALTH[self.state.health]
        # While Envoy starts, its state does not show whether its health check will fail.
        changed = before != desired
        after = desired
        if changed and not self.check:
            await self._post(f"/healthcheck/{self.state.health}")
            after = await self._ready_state()
        self.changes.append(AdminChange("healthcheck", changed, before, after))

    async def _quit(self) -> None:
        await self._ready_state()  # distinguishes an Envoy that did not run from one that exits now
        try:
            await self._post_always("quitquitquit", "/quitquitquit")
        except (OSError, EOFError):
            self.changes.append(AdminChange("quitquitquit", True))
        except ScrapeError as error:
            if error.kind != "unreachable":
                raise
            self.changes.append(AdminChange("quitquitquit", True))

    async def _post_always(self, action: str, path: str) -> None:
        if self.check:
            await self._ready_state()
        else:
            await self._post(path)
        self.changes.append(AdminChange(action, True, None, path))

    async def _ready_state(self) -> str:
        response = await self.client.request("/ready", "GET")
        if response.status not in (200, 503):
            raise ScrapeError("http_status", _status_text(response, "GET /ready"))
        state = response.body.decode("ascii", "replace").strip()
        if state not in states.STATES:
            raise ScrapeError(
                "unparsable",
                "/ready does not return a state of Envoy; is this an admin interface, and not a listener?",
            )
        return state

    async def _post(self, path: str) -> HttpResponse:
        response = await self.client.request(path)
        if response.status != 200:
            raise ScrapeError("http_status", _status_text(response, f"POST {path.partition('?')[0]}"))
        return response


def _status_text(response: HttpResponse, request: str) -> str:
    """Return what a status means and what to do about it."""
    status = f"{request} returned status {response.status}"
    if response.status == 403:
        return (
            f"{status}: this address allows no request that changes Envoy (a read-only listener, or admin.allow_paths);"
            " give the address of the admin itself, such as its Unix socket"
        )
    if response.status == 405:
        return f"{status}: this address does not allow the method; give the address of the admin itself"
    if response.status == 404:
        return f"{status}; is this Envoy's admin interface, and not a listener?"
    line = next(iter(response.body.decode("utf-8", "replace").strip().splitlines()), "")[:_MAX_LINE]
    return f"{status}: {line}" if line else status


def apply_state(
    endpoints: Sequence[Endpoint], state: DesiredState, check: bool, timeout: float, limits: Limits
) -> tuple[str, dict[str, Any]]:
    """Apply a desired state to all endpoints.

    Args:
        endpoints: Envoy admin interfaces.
        state: The desired state.
        check: Whether to read only, as in Ansible's check mode.
        timeout: Seconds for all endpoints together.
        limits: Limits for each endpoint.

    Returns:
        The failure message, empty if there is none, and the result of the module.

    Raises:
        ArgumentError: An endpoint is not an Envoy admin interface, or the timeout is wrong.
    """
    began = time.monotonic()

    async def send(client: AdminClient, changes: list[AdminChange]) -> None:
        await _Apply(client, state, check, changes).all()

    replies: list[Reply[list[AdminChange]]] = broadcast(endpoints, send, list[AdminChange], timeout, limits)
    return failure_message(replies), {
        "changed": any(change.changed for reply in replies for change in reply.value),
        "endpoints": [
            {
                **reply.as_data(),
                "changed": any(change.changed for change in reply.value),
                "changes": [change.as_data() for change in reply.value],
            }
            for reply in replies
        ],
        "failure": first_failure(replies),
        "elapsed": round(time.monotonic() - began, 3),
    }


def diff_of(endpoints: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the differences that Ansible prints with --diff."""
    return [
        {
            "before_header": endpoint["name"],
            "after_header": endpoint["name"],
            "before": {
                change["action"]: change["before"] for change in endpoint["changes"] if change["changed"]
            },
            "after": {
                change["action"]: change["after"] for change in endpoint["changes"] if change["changed"]
            },
        }
        for endpoint in endpoints
        if endpoint["changed"]
    ]
