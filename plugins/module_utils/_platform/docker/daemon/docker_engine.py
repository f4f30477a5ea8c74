# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's API over the Unix socket of the daemon, for the calls that are made often: a docker command takes 40 ms of CPU to start.

Whatever the API cannot do raises EngineUnavailable. Then the caller runs the docker command, which reports the error.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.unix_socket import connect_unix
from ansible_collections.meshlab.envoy.plugins.module_utils._common.timeout_errors import TIMEOUT_ERRORS
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.daemon.user_settings import (
    user_settings,
)

DEFAULT_SOCKET = "/var/run/docker.sock"
DEFAULT_CONTEXT = "default"
# Variables that select the version of the API, or TLS, which the docker command reads.
OTHER_SETTINGS = ("DOCKER_API_VERSION", "DOCKER_TLS", "DOCKER_TLS_VERIFY")
NOT_FOUND = 404


class EngineUnavailable(Exception):
    """The daemon did not answer a call as expected."""


@dataclass(frozen=True)
class DockerEngine:
    """The daemon that listens on a Unix socket.

    Attributes:
        path: The path of the socket.
    """

    path: str

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] | None = None) -> DockerEngine | None:
        """Return the daemon that the docker command uses in an environment, by default that of this process.

        None if it is not on a Unix socket, or has other settings.
        """
        environment = os.environ if environment is None else environment
        if any(environment.get(name) for name in OTHER_SETTINGS):
            return None
        if host := environment.get("DOCKER_HOST"):
            scheme, _colon, path = host.partition("://")
            is_usable = scheme == "unix" and path.startswith("/")
        else:
            path, is_usable = DEFAULT_SOCKET, _context(environment) == DEFAULT_CONTEXT
        # A host without the command cannot deploy: the command reports that.
        return cls(path) if is_usable and shutil.which("docker") else None

    def containers(self, timeout: float) -> list[dict[str, Any]]:
        """Return all containers as the API lists them. Raises EngineUnavailable, TimeoutError."""
        with self._connection(timeout) as connection:
            found = _answer(connection, "GET", f"/containers/json?{urlencode({'all': 1})}")
        if not isinstance(found, list):
            raise EngineUnavailable("the list of containers is not a list")
        return found

    def inspect(self, names: Iterable[str], timeout: float) -> list[dict[str, Any]]:
        """Return the containers of these names that exist. Raises EngineUnavailable, TimeoutError."""
        return self._existing((f"/containers/{quote(name, safe='')}/json" for name in names), timeout)

    def has_image(self, name: str, timeout: float) -> bool:
        """Return whether the daemon has an image. Raises EngineUnavailable, TimeoutError."""
        return bool(self._existing([f"/images/{quote(name)}/json"], timeout))

    def _existing(self, paths: Iterable[str], timeout: float) -> list[dict[str, Any]]:
        with self._connection(timeout) as connection:
            found = [_answer(connection, "GET", path) for path in paths]
        return [one for one in found if one is not None]

    @contextlib.contextmanager
    def _connection(self, timeout: float) -> Iterator[http.client.HTTPConnection]:
        connection = _UnixConnection(self.path, timeout)
        try:
            yield connection
        except TIMEOUT_ERRORS:
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise EngineUnavailable(f"{self.path}: {error}") from None
        finally:
            connection.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path
        self._timeout = timeout

    def connect(self) -> None:
        """Connect to the socket of the daemon."""
        self.sock: socket.socket = connect_unix(self._path, self._timeout)


def _answer(connection: http.client.HTTPConnection, method: str, path: str) -> Any:
    """Return the JSON of a response, None for an object that does not exist."""
    connection.request(method, path)
    response = connection.getresponse()
    body = response.read()
    if response.status == NOT_FOUND and b"o such " in body:
        return None
    if response.status != http.client.OK:
        raise EngineUnavailable(f"{path} returns {response.status}")
    return json.loads(body)


def _context(environment: Mapping[str, str]) -> str:
    """Return the name of the context that the docker command uses without DOCKER_HOST. Empty: it is unknown."""
    if named := environment.get("DOCKER_CONTEXT"):
        return named
    settings = user_settings(environment)
    return "" if settings is None else str(settings.get("currentContext") or DEFAULT_CONTEXT)
