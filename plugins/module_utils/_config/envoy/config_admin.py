# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks one Envoy's admin interface, over HTTP or a Unix socket."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused

# What a Unix socket's address holds, less the NUL at its end.
LONGEST_SOCKET = 103
# Seconds until nobody waits any longer to hear whether an Envoy runs: one that stands still for a while does.
PATIENCE = 30.0


class AdminUnreachable(Exception):
    """No Envoy answers there."""


class AdminTimeout(AdminUnreachable):
    """Whether an Envoy is there is not known: nobody answered in time, and nobody said no."""


class AdminForbidden(AdminUnreachable):
    """This user may not ask; in words that say which right is missing."""


@dataclass(frozen=True)
class AdminClient:
    """`url` is `http://host:port`, `unix://<path>` (`~` is the home of the user of this task) or `unix://@<abstract name>`."""

    url: str

    def is_running(self, timeout: float = PATIENCE) -> bool:
        """Say whether an Envoy answers, ready or not. Raises ConfigRefused when this user may not ask, or it cannot be known."""
        try:
            self.get("/ready", timeout)
        except AdminForbidden as error:
            raise ConfigRefused(f"{error}.") from None
        except AdminTimeout as error:
            raise ConfigRefused(
                f"Whether an Envoy runs is not known after {timeout:g} s ({error}): see why it does not answer, or end it."
            ) from None
        except AdminUnreachable:
            return False
        return True

    def stats(self, pattern: str, timeout: float) -> dict[str, str]:
        """Return the stats whose names match `pattern` (RE2), as text; a text readout is in quotes. Raises AdminUnreachable."""
        lines = self.get(f"/stats?filter={quote(pattern)}", timeout).splitlines()
        return dict(line.rpartition(": ")[::2] for line in lines)

    def counters(self, pattern: str, timeout: float) -> dict[str, int]:
        """Return the counters and gauges among them. Raises AdminUnreachable."""
        return integers(self.stats(pattern, timeout))

    def json(self, path: str, timeout: float) -> Any:
        """Return a JSON answer. Raises AdminUnreachable."""
        try:
            return json.loads(self.get(path, timeout))
        except ValueError:
            raise AdminUnreachable(f"{self.url}{path} answers something that is not JSON") from None

    def get(self, path: str, timeout: float) -> str:
        """Return the body of a GET, whatever its status. Raises AdminUnreachable, which is AdminTimeout where it may yet have come."""
        try:
            with contextlib.closing(self._connection(timeout)) as connection:
                connection.request("GET", path, headers={"Host": "envoy-admin", "Connection": "close"})
                return connection.getresponse().read().decode(errors="replace")
        except PermissionError:
            raise ConfigRefused(
                f"The admin socket {self.url} lets another user in, not the one of this task: use become."
            ) from None
        except TimeoutError as error:
            raise AdminTimeout(f"{self.url}: {error}") from None
        except (OSError, http.client.HTTPException) as error:
            raise AdminUnreachable(f"{self.url}: {error or type(error).__name__}") from None

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        if parts.scheme == "unix":
            return _UnixConnection(os.path.expanduser(self.url.removeprefix("unix://")), timeout)
        if parts.scheme == "http" and parts.hostname:
            return http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=timeout)
        raise ConfigRefused(f"{self.url!r} is no admin address: http://host:port or unix:///path is.")


def integers(stats: Mapping[str, str]) -> dict[str, int]:
    """Return the counters and gauges of what `AdminClient.stats` returned."""
    return {name: int(value) for name, value in stats.items() if re.fullmatch(r"\d+", value)}


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(self.timeout)
            with _short(self.path) as path:
                self._wait_and_connect(path)
        except BaseException:
            self.sock.close()
            raise

    def _wait_and_connect(self, path: str) -> None:
        """A Unix socket whose queue of connections is full says so at once: whoever listens stands still."""
        deadline = time.monotonic() + (self.timeout or 0.0)
        while True:
            try:
                self.sock.connect(path)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise TimeoutError("timed out") from None
                time.sleep(0.01)
            else:
                return


@contextlib.contextmanager
def _short(path: str) -> Iterator[str]:
    """A socket's address holds about a hundred bytes: a longer path is reached through its open folder."""
    if path.startswith("@"):
        yield f"\0{path[1:]}"
        return
    if len(os.fsencode(path)) <= LONGEST_SOCKET:
        yield path
        return
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{os.path.basename(path)}"
    finally:
        os.close(folder)
