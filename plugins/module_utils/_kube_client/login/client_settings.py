# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of `kubernetes.client.Configuration` that a connection uses, with the same names."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies


class ClientSettings:
    """The address of an API server, the user, and the proxy; the defaults are those of the package `kubernetes` 37."""

    def __init__(self) -> None:
        """Create the settings of an API server at http://localhost, without a user."""
        self.host = "http://localhost"
        self.ssl_ca_cert: str | None = None  # paths
        self.cert_file: str | None = None
        self.key_file: str | None = None
        self.verify_ssl = True
        self.tls_server_name: str | None = None
        self.username: str | None = None
        self.password: str | None = None
        self.api_key: dict[str, str] = {}
        # Called before each use of `api_key`, to renew it.
        self.refresh_api_key_hook: Callable[[ClientSettings], None] | None = None
        self.no_proxy: str | None = getproxies().get("no")
        self._proxy: str | None = None

    @property
    def proxy(self) -> str:
        """Return the URL of the proxy; without a stated one, that of the environment for the scheme of the host."""
        if self._proxy is not None:
            return self._proxy
        proxies = getproxies()
        return proxies.get(urlsplit(self.host).scheme) or proxies.get("all") or ""

    @proxy.setter
    def proxy(self, value: str) -> None:
        self._proxy = value

    def get_basic_auth_token(self) -> str:
        """Return the header of HTTP basic authentication.

        Raises:
            ValueError: The name or the password has a character that is not in Latin-1.
        """
        return basic_login(self.username or "", self.password or "")

    def auth_settings(self) -> dict[str, Any]:
        """Return the header that authenticates the user, as `kubernetes.client.Configuration` does."""
        if self.refresh_api_key_hook is not None:
            self.refresh_api_key_hook(self)
        value = self.api_key.get("BearerToken") or self.api_key.get("authorization")
        return {"BearerToken": {"value": value}} if value else {}


def basic_login(username: str, password: str) -> str:
    """Return the value of the header Authorization for HTTP basic authentication (RFC 7617).

    Example:
        >>> basic_login("u", "p")
        'Basic dTpw'
    """
    return "Basic " + base64.b64encode(f"{username}:{password}".encode("latin-1")).decode()
