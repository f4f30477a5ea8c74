# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action demo_watch: shows a running demo as a page on loopback of the controller, or as a table."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.meshlab.envoy.plugins.plugin_utils._cached_imports import plugin_imports

with plugin_imports():
    from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
    from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.error_text import error_text
    from ansible_collections.meshlab.envoy.plugins.module_utils._common.printable import printable
    from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import read_snapshot
    from ansible_collections.meshlab.envoy.plugins.module_utils._watch.demo_reader import (
        DemoReader,
        Reading,
        envoy_entries,
    )
    from ansible_collections.meshlab.envoy.plugins.module_utils._watch.live_demo import LiveDemo
    from ansible_collections.meshlab.envoy.plugins.module_utils._watch.live_table import REDRAW, live_table
    from ansible_collections.meshlab.envoy.plugins.module_utils._watch.page_server import (
        ADDRESS,
        PageServer,
        new_key,
        serving,
    )
    from ansible_collections.meshlab.envoy.plugins.module_utils._watch.stop_texts import (
        not_running,
        option_problem,
        stop_text,
    )
    from ansible_collections.meshlab.envoy.plugins.module_utils._watch.watch_options import (
        ARGUMENTS,
        SHOWN_KEYS,
        missing_key,
        pod_access,
        read_part,
    )
    from ansible_collections.meshlab.envoy.plugins.module_utils._watch.watch_rounds import (
        REDEPLOYED,
        Limits,
        Reader,
        Round,
        WatchRounds,
    )
    from ansible_collections.meshlab.envoy.plugins.plugin_utils._deferred_signals import deferred_signals
    from ansible_collections.meshlab.envoy.plugins.plugin_utils._local_execution import (
        checked_arguments,
        runs_in_place,
        with_parsed_texts,
    )
    from ansible_collections.meshlab.envoy.plugins.plugin_utils._worker_end import end_with_parent

Options = dict[str, Any]
FAREWELL = 2.0  # seconds to send the reason of the end to viewers


class Refused(Exception):
    """The demo cannot be watched; the message is the reason and the remedy."""


class RemoteReader:
    """Reads a demo on the managed host, with the module demo_watch."""

    def __init__(self, action: ActionBase, options: Options, task_vars: dict[str, Any] | None) -> None:
        self._action, self._task_vars = action, task_vars
        self._arguments = {"plan": read_part(options["plan"])}
        if options.get("cluster"):
            self._arguments["cluster"] = options["cluster"]
        self._last: str | None = ""

    def read(self) -> Reading:
        """Return one round of the module. Raises Refused if the module fails."""
        found = self._action._execute_module(
            "meshlab.envoy.demo_watch", module_args=self._arguments, task_vars=self._task_vars
        )
        if found.get("failed") or found.get("unreachable"):
            raise Refused(str(found.get("msg")))
        self._last = found["deployment"]
        return Reading(read_snapshot(found["snapshot"]), self._last)

    def deployment(self) -> str | None:
        """Return the record of the last round: without viewers, the host is not read."""
        return self._last


class ActionModule(ActionBase):
    """Reads the Envoys of a plan in rounds, on the managed host, and shows them on the controller."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Show the demo until a reason to stop, and return it."""
        end_with_parent()
        result: dict[str, Any] = super().run(tmp, task_vars)
        self._task.args = with_parsed_texts(self._task.args, ARGUMENTS)
        options = checked_arguments(self, ARGUMENTS).validated_parameters
        try:
            return result | self._watch(options, task_vars)
        except (Refused, ArgumentError) as error:
            return result | {"failed": True, "msg": printable(str(error))}

    def _watch(self, options: Options, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        plan = options["plan"]
        problem = missing_key(plan, SHOWN_KEYS) or option_problem(options)
        if problem:
            raise Refused(problem)
        if not envoy_entries(plan):
            raise Refused(
                f"{plan['name']}: the demo has no Envoy with an admin interface. Watch another demo."
            )
        if self._task.check_mode:
            return {"changed": False, "msg": "Check mode: nothing is read or served."}
        began = time.monotonic()
        with self._reader(options, task_vars) as reader:
            limits = Limits(options["interval"], options["idle_timeout"], options["duration"])
            is_table = options["view"] == "terminal"
            demo = LiveDemo.of(plan)
            rounds = WatchRounds(demo, reader, limits, _printer(demo, options) if is_table else None)
            refusal = not_running(plan, rounds.first(), reader.deployment())
            if refusal:
                raise Refused(refusal)
            found = {"changed": False, "port": options["port"], "key": options["key"] or new_key()}
            with deferred_signals(rounds.interrupt):
                reason = rounds.run() if is_table else _serve(rounds, found, limits)
        message = stop_text(demo.name, reason)
        Display().display(printable(f"\n{message}\n"))
        left = max(options["duration"] - (time.monotonic() - began), 0.0)
        return {**found, "msg": message, "again": reason == REDEPLOYED, "remaining": round(left, 3)}

    @contextlib.contextmanager
    def _reader(self, options: Options, task_vars: dict[str, Any] | None) -> Iterator[Reader]:
        if not runs_in_place(self):
            yield RemoteReader(self, options, task_vars)
            return
        access = pod_access(options["plan"], options.get("cluster"))
        try:
            reader = DemoReader(options["plan"], access)
            try:
                yield reader
            finally:
                reader.close()
        finally:
            if access is not None:
                access.close()


def _printer(demo: LiveDemo, options: Options) -> Any:
    start = REDRAW if options["redraw"] else "\n"

    def show(found: Round) -> None:
        # The names of stats and hosts are data from outside.
        Display().display(start + printable("\n".join(live_table(demo, found.state))))

    return show


def _serve(rounds: WatchRounds, found: dict[str, Any], limits: Limits) -> str:
    """Serve the page until a reason to stop, and return it. Sets the port in `found`."""
    try:
        server = PageServer(rounds, found["port"], found["key"])
    except OSError as error:
        text = f"watch_port: {ADDRESS}:{found['port']}: {error_text(error)}. Choose another port, or 0 for a free one."
        raise Refused(text) from None
    found["port"] = server.server_port
    server.ended = lambda: stop_text(rounds.demo.name, rounds.end)
    with serving(server):
        minutes = limits.idle_timeout / 60
        Display().display(
            printable(
                f"\n{rounds.demo.name} on {rounds.demo.platform}: open {server.url}\n"
                f"The page ends {minutes:g} minutes after its last viewer has left, when the demo is removed, or with Ctrl-C.\n"
            )
        )
        reason = rounds.run()
        rounds.wait_for_viewers_to_leave(FAREWELL)
        return reason
