# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole of envoy_admin without Ansible: look, change what differs, and say what was and what is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._admin import desired_state as wishing
from ansible_collections.meshlab.envoy.plugins.module_utils._admin.desired_state import Wish
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

NO_LAYER = (
    "its bootstrap has no admin layer, so its runtime cannot be changed; "
    "add {name: admin, admin_layer: {}} to layered_runtime.layers"
)


@dataclass
class Change:
    """One thing that was wanted: whether it differed, what was before and what is now (or, in check mode, would be)."""

    action: str
    changed: bool
    before: Any = None
    after: Any = None

    def as_data(self) -> dict[str, Any]:
        return {"action": self.action, "changed": self.changed, "before": self.before, "after": self.after}


@dataclass
class Doing:
    """Carries a wish out on one Envoy, in an order in which nothing undoes what comes later: to drain and to quit come last."""

    client: AdminClient
    wish: Wish
    check: bool
    changes: list[Change] = field(default_factory=list)

    async def all(self) -> None:
        wish = self.wish
        if wish.level or wish.loggers:
            await self._logging()
        if wish.runtime:
            await self._runtime()
        if wish.reset_counters:
            await self._reset_counters()
        if wish.health:
            await self._health()
        if wish.drain is not None:
            # No page of Envoy says whether its listeners are drained; to drain again does no harm.
            await self._blindly("drain_listeners", wish.drain.path)
        if wish.quit:
            await self._quit()

    async def _logging(self) -> None:
        now = wishing.read_loggers((await self._post("/logging")).body)
        changes = wishing.wanted_levels(now, self.wish.level, self.wish.loggers)
        if not self.check:
            for path in wishing.logging_paths(changes, self.wish.level, self.wish.loggers):
                await self._post(path)
        before = {name: now[name] for name in changes}
        self.changes.append(Change("logging", bool(changes), before, changes))

    async def _runtime(self) -> None:
        dump = await self.client.request("/config_dump?mask=bootstrap.layered_runtime", "GET")
        if dump.status == 403:  # allow_paths keeps back which layer is the admin's
            await self._blindly("runtime_modify", wishing.runtime_path(self.wish.runtime))
            return
        layer = wishing.admin_layer(load(dump.body)) if dump.status == 200 else None
        if layer is None:
            raise ScrapeError("absent", NO_LAYER)
        now = wishing.read_overrides(load((await self.client.get("/runtime")).body), layer)
        changes = wishing.wanted_runtime(now, self.wish.runtime)
        if changes and not self.check:
            await self._post(wishing.runtime_path(changes))
        before = {name: now.get(name, "") for name in changes}
        self.changes.append(Change("runtime_modify", bool(changes), before, changes))

    async def _reset_counters(self) -> None:
        counted = wishing.counted((await self.client.get("/stats?format=json&type=Counters&usedonly")).body)
        if counted and not self.check:
            await self._post("/reset_counters")
        self.changes.append(Change("reset_counters", counted > 0, counted, 0))

    async def _health(self) -> None:
        before = await self._state()
        wanted = wishing.HEALTH[self.wish.health]
        # While it starts, its state does not tell what it will say of its health.
        changed = before != wanted
        if changed and not self.check:
            await self._post(f"/healthcheck/{self.wish.health}")
        after = await self._state() if changed and not self.check else wanted if changed else before
        self.changes.append(Change("healthcheck", changed, before, after))

    async def _quit(self) -> None:
        await self._state()  # so that an Envoy that was not there is told from one that has just gone
        try:
            await self._blindly("quitquitquit", "/quitquitquit")
        except (OSError, EOFError):
            self.changes.append(Change("quitquitquit", True))
        except ScrapeError as error:
            if error.kind != "unreachable":
                raise
            self.changes.append(Change("quitquitquit", True))

    async def _blindly(self, action: str, path: str) -> None:
        if self.check:
            await self._state()
        else:
            await self._post(path)
        self.changes.append(Change(action, True, None, path))

    async def _state(self) -> str:
        answer = await self.client.request("/ready", "GET")
        if answer.status not in (200, 503):
            raise ScrapeError("http_status", words_of(answer, "GET /ready"))
        state = answer.body.decode("ascii", "replace").strip()
        if state not in wishing.STATES:
            raise ScrapeError(
                "unparsable", "/ready tells no state of Envoy; is this an admin, and not a listener?"
            )
        return state

    async def _post(self, path: str) -> HttpResponse:
        answer = await self.client.request(path)
        if answer.status != 200:
            raise ScrapeError("http_status", words_of(answer, f"POST {path.partition('?')[0]}"))
        return answer


def words_of(answer: HttpResponse, asked: str) -> str:
    """Why an admin did not do it, and what to do."""
    said = next(iter(answer.body.decode("utf-8", "replace").strip().splitlines()), "")[:200]
    if answer.status == 403:
        return (
            f"{asked} answered 403: this address lets nothing through that changes Envoy (a read-only listener, or "
            "admin.allow_paths); give the admin's own address, such as its Unix socket"
        )
    if answer.status == 405:
        return f"{asked} answered 405: this address takes no such method; give the admin's own address"
    if answer.status == 404:
        return f"{asked} answered 404; is this Envoy's admin, and not one of its listeners?"
    return f"{asked} answered {answer.status}" + (f": {said}" if said else "")


def carry_out(
    endpoints: Sequence[Endpoint], wish: Wish, check: bool, timeout: float, limits: Limits
) -> tuple[str, dict[str, Any]]:
    """Changes what differs on all endpoints side by side; returns what went wrong, and the data that the module returns."""
    began = time.monotonic()

    async def question(client: AdminClient, changes: list[Change]) -> None:
        await Doing(client, wish, check, changes).all()

    replies: list[Reply[list[Change]]] = broadcast(endpoints, question, list[Change], timeout, limits)
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
    """What Ansible shows with --diff."""
    return [
        {
            "before_header": one["name"],
            "after_header": one["name"],
            "before": {change["action"]: change["before"] for change in one["changes"] if change["changed"]},
            "after": {change["action"]: change["after"] for change in one["changes"] if change["changed"]},
        }
        for one in endpoints
        if one["changed"]
    ]
