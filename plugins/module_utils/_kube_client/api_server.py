# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to one API server, as one user, over a pool of kept connections."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.connection_settings import (
    ConnectionSettings,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import (
    ClusterError,
    response_error,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.request_retries import repeat
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.websocket_upgrade import unreachable

# A Kubernetes object as JSON: apiVersion, kind, metadata, and the further keys of its kind.
KubernetesObject = dict[str, Any]

USER_AGENT = "meshlab.envoy"
CONNECTIONS = 16  # that are kept open
CONNECT_TIMEOUT = 5.0  # seconds
RESPONSE_TIMEOUT = 30.0  # seconds
_WARNING = re.compile(r'\d{3} \S+ "((?:[^"\\]|\\.)*)"')  # RFC 7234, section 5.5


class ApiServer:
    """Send requests. Several threads can use one ApiServer."""

    def __init__(self, settings: ConnectionSettings) -> None:
        """Create the connection pool; nothing is connected to yet."""
        import urllib3

        self.settings = settings
        self._lock = threading.Lock()
        self._has_responded = False
        if not settings.configuration.verify_ssl:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        options: dict[str, Any] = {"maxsize": CONNECTIONS, "ssl_context": settings.tls}
        if settings.server_name:
            options["server_hostname"] = options["assert_hostname"] = settings.server_name
        if not settings.configuration.verify_ssl:
            options["cert_reqs"] = "CERT_NONE"
        self._pool: Any = (
            urllib3.ProxyManager(settings.proxy, **options)
            if settings.proxy
            else urllib3.PoolManager(**options)
        )

    @property
    def has_responded(self) -> bool:
        """Return whether the API server has sent a response."""
        return self._has_responded

    def close(self) -> None:
        """Close the kept connections."""
        self._pool.clear()

    def request_json(
        self,
        method: str,
        path: str,
        subject: str,
        query: Mapping[str, str] | None = None,
        content_type: str = "",
        body: Mapping[str, Any] | None = None,
    ) -> tuple[KubernetesObject, tuple[str, ...]]:
        """Send a request as `request` does; return the JSON object of the response, and the warnings."""
        content, warnings = self.request(method, path, subject, query, content_type, body)
        try:
            data = json.loads(content)
        except ValueError:
            data = None
        if not isinstance(data, dict):
            raise ClusterError(
                "server", f"{self.settings.server} is not an API server: {subject} is not a JSON object"
            )
        return data, warnings

    def request(
        self,
        method: str,
        path: str,
        subject: str,
        query: Mapping[str, str] | None = None,
        content_type: str = "",
        body: Mapping[str, Any] | None = None,
    ) -> tuple[bytes, tuple[str, ...]]:
        """Send a request and return the response's body and warnings.

        A request that fails for a passing reason is sent again; see `request_retries`.

        Args:
            method: The HTTP method.
            path: The path, as `Kind.path` returns it.
            subject: What messages call the request, such as `Pod web-1 in namespace demo`.
            query: Parameters; those with an empty value are left out.
            content_type: The type of the body.
            body: Data that is sent as JSON.

        Raises:
            ClusterError: The API server does not answer, or its status is not 2xx.
        """
        import urllib3

        parameters = urlencode({key: value for key, value in (query or {}).items() if value}, quote_via=quote)
        url = f"{self.settings.server}{path}" + (f"?{parameters}" if parameters else "")
        timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT, read=RESPONSE_TIMEOUT)
        payload = None if body is None else json.dumps(body).encode()

        def send() -> tuple[bytes, tuple[str, ...]]:
            try:
                response = self._pool.request(
                    method,
                    url,
                    body=payload,
                    headers=self._headers(content_type),
                    timeout=timeout,
                    retries=False,
                    redirect=False,
                )
            except urllib3.exceptions.ReadTimeoutError:
                raise ClusterError(
                    "timeout", f"{subject}: no response within {RESPONSE_TIMEOUT:g} s"
                ) from None
            except urllib3.exceptions.HTTPError as error:
                failure = unreachable(self.settings, _cause(error))
                if isinstance(error, urllib3.exceptions.NewConnectionError) and not self._has_responded:
                    failure.transient = False  # nothing listens at the address, which may be wrong
                raise failure from None
            self._has_responded = True
            if not 200 <= response.status < 300:
                retry_after = response.headers.get("retry-after") or ""
                raise response_error(response.status, response.data, subject, retry_after)
            warnings = _WARNING.findall(", ".join(response.headers.getlist("warning")))
            return response.data, tuple(re.sub(r"\\(.)", r"\1", one) for one in warnings)

        return repeat(send, has_responded=self._has_responded)

    def _headers(self, content_type: str) -> Any:
        from urllib3._collections import HTTPHeaderDict

        with self._lock:  # the call may renew a token
            login = self.settings.headers()
        headers = HTTPHeaderDict({"accept": "application/json", "user-agent": USER_AGENT, **login})
        for name, value in self.settings.impersonation:
            headers.add(name, value)  # several headers of one name where there are several groups
        if content_type:
            headers["content-type"] = content_type
        return headers


def _cause(error: BaseException) -> BaseException:
    """Return the error of the operating system or of OpenSSL inside urllib3's errors."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, OSError):
            return inner
        argument = next((one for one in inner.args if isinstance(one, BaseException)), None)
        inner = argument or inner.__cause__ or inner.__context__
    return TimeoutError() if "timed out" in str(error).lower() else ConnectionError("no connection")
