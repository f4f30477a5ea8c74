# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One traffic as a typed value, with its keys, limits and defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.expectations import Expectation
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load.arrivals import Phase
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.pod_targets import PodTargets
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sessions.saved_values import Saved
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sessions.session_keys import SESSION_KEYS
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.target import Target

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sessions.user_client import Session

MAX_REQUESTS = 1_000_000
MAX_CONCURRENCY = 10_000
MAX_THREADS = 100  # with a connection each; a selector serves more
OPEN_CONCURRENCY = 1_000  # the default with load at a rate
MAX_PROCESSES = 64
MAX_TIMEOUT = 3_600.0  # seconds
MAX_DURATION = 86_400.0  # seconds
DEFAULT_TIMEOUT = 10.0  # seconds
MAX_STREAMS = 1_000  # on one connection

HTTP1, HTTP2, HTTP3 = "http1", "http2", "http3"
GRPC, GRPC_WEB = "grpc", "grpc_web"
GRPC_PROTOCOLS = (GRPC, GRPC_WEB)
PROTOCOLS = (HTTP1, HTTP2, HTTP3, *GRPC_PROTOCOLS)
LIBRARY_PROTOCOLS = (HTTP2, HTTP3, *GRPC_PROTOCOLS)

CONNECTIONS = ("reuse", "new")
KEYS = (
    "name",
    "url",
    "protocol",
    "streams",
    "phases",
    "warm_up",
    "processes",
    "messages",
    "descriptor_set",
    "requests",
    "concurrency",
    "connections",
    "method",
    "headers",
    "host",
    "body",
    "body_encoding",
    *SESSION_KEYS,
    "timeout",
    "rate",
    "duration",
    "while_file",
    "within",
    "ca",
    "client_certificate",
    "server_name",
    "tls_version",
    "ciphers",
    "alpn",
    "unix_socket",
    "pod",
    "payload",
    "payload_encoding",
    "reply",
    "host_from",
    "expect",
)
# The keys that only some schemes support; every scheme supports the others.
REQUEST_KEYS = ("method", "body", "body_encoding")
PROTOCOL_KEYS = (
    "protocol",
    "streams",
    "messages",
    "descriptor_set",
    "phases",
    "warm_up",
    "processes",
    *SESSION_KEYS,
)
GRPC_KEYS = ("messages", "descriptor_set")
HEADER_KEYS = ("headers", "host")
STREAM_KEYS = ("payload", "payload_encoding", "reply")
TLS_KEYS = ("ca", "client_certificate", "server_name", "tls_version", "ciphers", "alpn")

DEFAULT_HOST_HEADER = "x-served-by"
DEFAULT_HOST_LINE = r"served-by (\S+)\s"


class ClientCertificate(NamedTuple):
    """Paths to the certificate of a client and to its key."""

    certificate: str
    key: str


class Traffic(NamedTuple):
    """Requests to one address, how many and how fast, and what is expected of the answers."""

    name: str
    url: str
    target: Target
    requests: int | None = 1  # None: until `duration` is over
    concurrency: int = 1  # requests at the same time
    reuse: bool = True  # whether a connection serves several requests
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    host: str | None = None  # the header `host`; None: the host of `url`
    body: bytes = b""
    timeout: float = DEFAULT_TIMEOUT  # seconds for one request
    rate: float | None = None  # requests per second; None: as many as possible
    duration: float | None = None  # seconds
    while_file: str | None = None  # path
    ca: str | None = None  # path; None: the CA certificates of the system
    client_certificate: ClientCertificate | None = None
    server_name: str | None = None
    pods: PodTargets | None = None  # connect to these pods in place of the URL's host
    unix_socket: str | None = None  # path; connect to this socket in place of the URL's host
    within: float | None = None  # seconds in which expectations can become true
    tls_version: str | None = None
    ciphers: str | None = None
    alpn: tuple[str, ...] = ()
    payload: bytes = b""
    reply: re.Pattern[bytes] | None = None
    host_header: str | None = DEFAULT_HOST_HEADER
    host_body: re.Pattern[str] | None = None
    expect: tuple[Expectation, ...] = ()
    protocol: str = ""  # one of PROTOCOLS where each request is an HTTP request
    streams: int = 1  # requests at the same time on each connection
    messages: tuple[Mapping[str, Any], ...] = ()  # of each gRPC call, as JSON
    descriptor_set: str | None = (
        None  # path of a FileDescriptorSet; None: the server's reflection has the descriptors
    )
    entry: Mapping[str, Any] = MappingProxyType({})  # the data of the traffic, for another process

    phases: tuple[Phase, ...] = ()  # of an open loop, in place of `requests`, `rate` and `duration`
    warm_up: float = 0.0  # seconds whose requests are not counted
    processes: int = 1
    session: Session | None = None  # the users whose requests these are
    save: tuple[Saved, ...] = ()  # values of the answers, for later requests of the user
    follow_redirects: int = 0  # that a request follows at most
    redirect_targets: Mapping[str, Traffic] = MappingProxyType({})  # by origin, how requests are sent there

    @property
    def is_load(self) -> bool:
        """Whether the traffic has a key for load, or more connections than threads can serve."""
        return bool(self.phases or self.warm_up or self.processes > 1 or self.concurrency > MAX_THREADS)

    @property
    def needs_process(self) -> bool:
        """Whether processes of their own send the requests."""
        return self.needs_libraries or (self.protocol == HTTP1 and self.pods is None and self.is_load)

    @property
    def needs_users(self) -> bool:
        """Whether a client with users sends the requests."""
        return self.protocol == HTTP1 and (self.session is not None or self.follow_redirects > 0)

    @property
    def reads_flags(self) -> bool:
        """Whether an expectation is about response flags, which are in the access log."""
        return any(one.subject == "response_flag" for one in self.expect)

    @property
    def needs_libraries(self) -> bool:
        """Whether a process with libraries sends the requests."""
        return self.protocol in LIBRARY_PROTOCOLS
