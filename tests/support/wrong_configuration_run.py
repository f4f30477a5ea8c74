# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong configurations, applied to a running demo of the gallery under requests, on the platform local."""

from __future__ import annotations

import http.client
import json
import re
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from cases import PortBlock
from deployment import Deployment, take_down
from live import Home, demo_data
from request_load import ChangeCounts, Lane, RequestLoad
from wrong_configurations import WrongConfiguration

from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import attempts
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.demo_source import DemoSource, with_line
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.plugin_utils._demo_file import read_demo_file

# An error of the planner begins with the demo file, and often with the line and the key.
PLACE = re.compile(r"[\w-]+\.yml(, line \d+)?( with change '\w+')?: ")
# Flags and details of the access log of a request that the configuration makes fail, whatever the request is.
BROKEN_FLAGS = ("NC", "UPE")
# Settings whose extreme values state that connections are closed.
CLOSING = re.compile(r"duration|timeout|keepalive|max_requests|max_connections|buffer_limit|socket_options")
# Parts of a demo that state its responses. A change of another part, such as a program, must not change any.
RESPONDING = re.compile(
    r"cluster|route|filter|http_connection_manager|listener|virtual_host|protocol|match|command|drop services|rename services|replicas"
)
# Seconds after which a deployment of a wrong configuration gives up.
TIMEOUT = 12
RATE = 25.0


@dataclass
class Outcome:
    """What a wrong configuration did.

    Attributes:
        mistake: The demo and the mistake.
        kind: `refused` by the planner, `failed` while it was deployed, or `accepted`.
        message: Its error.
        causes: Why requests failed that did not fail before.
        faults: What must not happen: lost requests, tracebacks, an accepted service that is broken.
    """

    mistake: str
    kind: str = ""
    message: str = ""
    causes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0


class RunningDemo:
    """A demo of the gallery that runs under requests until the end of a `with` block."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> RunningDemo:
        self._block = PortBlock()
        self.home = Home("local", publishes=False)
        self.home.shift = self._block.first - demo_data(self.name, 0)["ports"]
        self.data = demo_data(self.name, self.home.shift)
        self._deployment = Deployment(self.home, self.name, self.data)
        self._file = self.home.folder / f"{self.name}.yml"
        try:
            plan = self._deployment.plan()
            first = self._deployment.run(plan)
            assert not first["failed"], first["msg"]
            self._lanes = list(_lanes(plan))
            assert self._lanes, f"{self.name} has no HTTP listener for the requests"
            self._load = RequestLoad(self._lanes).__enter__()
            self._load.begin("unchanged")
            self._usual = _causes(self._load.settled(least=30 * len(self._lanes)))
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._load.__exit__(None, None, None)
        self._close()

    def apply(self, wrong: WrongConfiguration) -> Outcome:
        """Apply a wrong configuration, and the demo itself again if it was accepted. Return what happened."""
        outcome = Outcome(f"{wrong.demo}: {wrong.mistake}")
        started = time.monotonic()
        self._load.begin(f"{wrong.mistake} {started}")
        plan = self._planned(wrong, outcome)
        if plan is not None:
            self._deployed(plan, outcome)
        self._judge_requests(outcome)
        if outcome.kind != "refused":
            self._restored(outcome)
        outcome.seconds = round(time.monotonic() - started, 1)
        return outcome

    def _planned(self, wrong: WrongConfiguration, outcome: Outcome) -> Any:
        """Return the plan of a configuration. None: the planner refuses it."""
        self._file.write_text(wrong.text, encoding="utf-8")
        source = DemoSource()
        try:
            data, source = read_demo_file(self._file)
            self._source = (data, self._file.name, source)
            return self._deployment.plan_file(*self._source)
        except DemoError as error:
            outcome.kind, outcome.message = "refused", with_line(error, source)
            if not PLACE.match(outcome.message):
                outcome.faults.append(f"the error has no place: {outcome.message}")
        except ValueError as error:
            outcome.kind, outcome.message = "refused", str(error)
        except Exception:
            outcome.kind, outcome.message = "refused", traceback.format_exc()
            outcome.faults.append(f"traceback: {outcome.message}")
        return None

    def _deployed(self, plan: Any, outcome: Outcome) -> None:
        self._is_announced = bool(plan.get("interruptions"))
        self._is_moved = not {lane.port for lane in self._lanes} <= _plain_ports(plan)
        self._logged = {log: log.stat().st_size for log in self._logs()}
        try:
            result = self._deployment.run(plan, timeout=TIMEOUT, confirm_timeout=TIMEOUT)
        except Exception:
            outcome.kind, outcome.message = "failed", traceback.format_exc()
            outcome.faults.append(f"traceback: {outcome.message}")
            return
        outcome.kind, outcome.message = "failed" if result["failed"] else "accepted", result.get("msg", "")
        result.pop("invocation", None)
        if "Traceback (most" in json.dumps(result) or "exception" in result:
            outcome.faults.append(f"traceback: {result}")
        if outcome.kind == "accepted":
            outcome.faults += self._broken(plan)

    def _judge_requests(self, outcome: Outcome) -> None:
        """Add the requests that were lost. Responses of an accepted configuration are what it states; connections are never lost."""
        least = 10 if outcome.kind == "refused" else 40
        causes = _causes(self._load.settled(least=least, each=2)) - self._usual
        outcome.causes = sorted(causes)
        if causes := self._unexpected(causes, outcome):
            outcome.faults.append(f"lost requests: {', '.join(sorted(causes))}")

    def _unexpected(self, causes: set[str], outcome: Outcome) -> set[str]:
        """Return the failures that must not be.

        An accepted configuration states its responses, and the ports that have listeners. A plan can announce an interruption.
        """
        if outcome.kind == "refused":
            return causes
        closes = self._is_moved or CLOSING.search(outcome.mistake)
        if self._is_announced or (outcome.kind == "accepted" and closes):
            return set()
        states_responses = outcome.kind == "accepted" and RESPONDING.search(outcome.mistake)
        return {one for one in causes if not (states_responses and one.startswith("status"))}

    def _broken(self, plan: Any) -> Iterator[str]:
        """Yield what is broken of a configuration that was accepted."""
        again = self._deployment.run(self._deployment.plan_file(*self._source), timeout=TIMEOUT)
        if again["failed"] or again["changed"]:
            yield f"broken: a second deployment: {again.get('msg') or again}"
        answered = sum(_get(request) for request in _requests(plan))
        entries: list[tuple[str, dict[str, Any]]] = []
        # Envoy writes its access log every 0.5 s. A proxy can have none.
        for _left in attempts(2):
            entries = list(self._entries())
            if len(entries) >= answered:
                break
        for name in sorted({name for name, _entry in entries}):
            flags = {flag for log, entry in entries for flag in _flags(entry) if log == name}
            if found := flags & {*BROKEN_FLAGS}:
                yield f"broken: {name} has requests with the flags {sorted(found)}"

    def _entries(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield (name of the log, entry) of each request that was logged since the configuration was applied."""
        for log in self._logs():
            with log.open(encoding="utf-8", errors="replace") as lines:
                lines.seek(self._logged.get(log, 0))
                for line in lines:
                    if line.startswith("{") and (entry := _entry(line)):
                        yield log.stem, entry

    def _logs(self) -> list[Path]:
        return sorted((self.home.state(self.name) / "logs").glob("*.log"))

    def _restored(self, outcome: Outcome) -> None:
        """Deploy the demo itself again: it must work, and answer as before."""
        self._load.begin(f"back {time.monotonic()}")
        plan = self._deployment.plan()
        self._is_announced |= bool(plan.get("interruptions"))
        try:
            result = self._deployment.run(plan)
        except Exception:
            outcome.faults.append(f"traceback: {traceback.format_exc()}")
            return
        if result["failed"]:
            outcome.faults.append(f"the demo itself is refused afterwards: {result['msg']}")
        elif outcome.kind == "failed" and result["changed"]:
            outcome.faults.append(f"not restored: {result['files']} {result['restarted']}")
        causes = _causes(self._load.settled(least=20, each=2)) - self._usual
        if causes := self._unexpected(causes, outcome):
            outcome.faults.append(f"lost requests on the way back: {', '.join(sorted(causes))}")
        self._load.begin(f"after {time.monotonic()}")
        if causes := _causes(self._load.settled(least=10, each=2)) - self._usual:
            outcome.faults.append(f"lost requests after it: {', '.join(sorted(causes))}")

    def _close(self) -> None:
        try:
            take_down(self.home, self.name)
        finally:
            self.home.close()
            self._block.close()


def _causes(counts: ChangeCounts) -> set[str]:
    """Return the distinct causes of failed requests, without their lanes and samples of bodies."""
    texts = (one.partition(": ")[2] for one in counts.failures)
    return {re.sub(r"(status \d+).*", r"\1", one, flags=re.S) for one in texts}


def _requests(plan: Any) -> list[tuple[str, int, str]]:
    """Return (host, port, path) of the plain GET requests that the traffic of a plan has."""
    found = []
    for batch in plan["traffic"]:
        url = urlsplit(batch.get("url") or "")
        is_plain = (
            url.scheme == "http" and batch.get("method", "GET") == "GET" and not batch.get("unix_socket")
        )
        if is_plain and url.hostname and url.port and not batch.get("body"):
            found.append((url.hostname, url.port, url.path + (f"?{url.query}" if url.query else "")))
    return list(dict.fromkeys(found))


def _plain_ports(plan: Any) -> set[int]:
    """Return the ports of a plan whose listeners speak HTTP without TLS."""
    return {
        port["number"]
        for workload in plan["workloads"]
        for port in workload["ports"]
        if port["scheme"] == "http"
    }


def _lanes(plan: Any) -> Iterator[Lane]:
    """Yield lanes with kept and with new connections to the first listeners that answer."""
    ports: set[int] = set()
    for host, port, path in _requests(plan):
        if port in ports or len(ports) == 2 or not _get((host, port, path)):
            continue
        ports.add(port)
        yield Lane(f"kept {port}", host, port, (path or "/",), rate=RATE)
        yield Lane(f"new {port}", host, port, (path or "/",), keep=False, rate=RATE)


def _get(request: tuple[str, int, str]) -> bool:
    """Send a request; return whether its response has a length, which the clients of the load need."""
    host, port, path = request
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", path or "/")
        response = connection.getresponse()
        response.read()
        return response.getheader("content-length") is not None or response.chunked
    except (OSError, http.client.HTTPException, UnicodeError):
        return False
    finally:
        connection.close()


def _flags(entry: dict[str, Any]) -> list[str]:
    return str(entry.get("response_flags")).split(",")


def _entry(line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}
