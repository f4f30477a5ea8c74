# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application of the demos: a small server that names its host in each response and does a limited amount of work.

It is one file on purpose, because containers and pods mount this file on a plain Python image. It needs only the
standard library, writes no files, and resolves no names on behalf of a client. Its configuration is the environment
variables that start with DEMO_APP_: see SETTINGS below, or run it with --help.
"""

from __future__ import annotations

import base64
import contextlib
import difflib
import functools
import hashlib
import html
import http.client
import itertools
import json
import os
import random
import re
import signal
import socket
import socketserver
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, NoReturn
from urllib.parse import parse_qs

# Name: (default, description).
SETTINGS = {
    "BIND": ("0.0.0.0", "address to listen on"),
    "PORT": ("8080", "port to listen on; 0 selects a free port"),
    "UNIX_SOCKET": ("", "path of a Unix socket to listen on, instead of an address and a port"),
    "PROTOCOL": (
        "http",
        "http, tcp (an echo server) or udp (an echo server for datagrams, which also accepts TCP connections as a readiness check)",
    ),
    "SERVICE": ("", "number N of /service/N that this app answers"),
    "HOSTNAME": ("", "host name in responses; default: the name of the host"),
    "VERSION": ("", "version in responses and in the header x-app-version"),
    "CALLS": (
        "",
        "servers that /hop/NAME calls, separated by commas: NAME=host:port. A name with several addresses calls them in turn",
    ),
    "LOG": ("none", "none, or requests: a line of JSON for each request"),
    "DRAIN": ("0", "seconds to continue serving after SIGTERM"),
    "DEADLINE": ("10", "seconds after which a stop no longer waits for active requests"),
    "LIMIT_DELAY_MS": ("10000", "longest delay of a request"),
    "LIMIT_CPU_MS": ("2000", "maximum CPU time of a request"),
    "LIMIT_MEMORY_MB": ("64", "maximum memory of a request"),
    "LIMIT_BYTES": ("10000000", "maximum length of a response"),
    "LIMIT_BODY": ("1048576", "maximum length of a request body"),
    "LIMIT_WORK": ("8", "maximum number of concurrent requests to /workload, /cpuwork and /memwork"),
    "LIMIT_HOPS": ("4", "maximum length of a chain of /hop requests"),
    "LIMIT_HOP_MS": ("5000", "time limit of the call that /hop makes"),
}
PREFIX = "DEMO_APP_"
PROTOCOLS = ("http", "tcp", "udp")
# Headers that /hop does not forward: those of one connection, of the message itself, of proxies, and credentials. It forwards
# all others, among them those of tracing.
NOT_FORWARDED = re.compile(
    r"host|connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect|content-length|accept-encoding|forwarded|via"
    r"|proxy-.*|x-forwarded-.*|x-envoy-.*|x-demo-app-.*|authorization|cookie"
)
HOPS_HEADER = "x-demo-app-hops"
WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
HOP_BODY = 65_536  # maximum bytes of the called server's response that /hop returns
# Limits of Python's http.server: headers of a request, and bytes of one header. Larger requests get status 431.
MAX_HEADERS, MAX_HEADER_BYTES = 100, 65_536
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
IDLE_SECONDS = 3700  # longer than Envoy's idle timeout (an hour), so that Envoy closes idle connections
SENTENCE = b"Every request is counted once, and every count is compared with the requests that were sent.\n"
# The words of /text consist of these syllables.
SYLLABLES = tuple(
    re.findall("..", "alanarbecodedieneresgaheiniskalalelomaminanenoonorparererisasesotatetitounve")
)


class SettingsError(Exception):
    """An invalid setting."""


class RefusedError(Exception):
    """A request that gets an error status and a message."""

    def __init__(self, status: int, message: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


@dataclass(frozen=True)
class Settings:
    """The validated settings of the environment."""

    bind: str
    port: int
    unix_socket: str
    protocol: str
    service: str
    hostname: str
    version: str
    calls: dict[str, list[tuple[str, int]]]
    log: bool
    drain: float
    deadline: float
    limits: dict[str, int]

    @classmethod
    def read(cls, environment: Any) -> Settings:
        """Return the settings of the environment. Raises SettingsError."""
        values = {
            name: environment.get(PREFIX + name, default)
            for name, (default, _description) in SETTINGS.items()
        }
        for name in environment:
            if name.startswith(PREFIX) and name[len(PREFIX) :] not in SETTINGS:
                settings = [PREFIX + setting for setting in SETTINGS]
                near = difflib.get_close_matches(name, settings, n=1)
                hint = f"Did you mean '{near[0]}'?" if near else f"The settings are: {', '.join(settings)}."
                raise SettingsError(f"unknown setting '{name}'. {hint}")
        hostname = values["HOSTNAME"] or socket.gethostname()
        for name, value, pattern in (
            ("SERVICE", values["SERVICE"], r"[A-Za-z0-9_.-]*"),
            ("HOSTNAME", hostname, r"[A-Za-z0-9_.:-]+"),
            ("VERSION", values["VERSION"], r"[A-Za-z0-9_.+-]*"),
        ):
            if not re.fullmatch(pattern, value):
                raise SettingsError(
                    f"{PREFIX}{name}: {value!r} is not valid. Use letters, digits, dots and dashes only."
                )
        protocol = _one_of("PROTOCOL", values["PROTOCOL"], PROTOCOLS)
        if values["UNIX_SOCKET"] and protocol == "udp":
            raise SettingsError(f"{PREFIX}UNIX_SOCKET: datagrams need a port. Use another protocol.")
        return cls(
            bind=values["BIND"],
            port=_whole("PORT", values["PORT"], 65535),
            unix_socket=values["UNIX_SOCKET"],
            protocol=protocol,
            service=values["SERVICE"],
            hostname=hostname,
            version=values["VERSION"],
            calls=_calls(values["CALLS"]),
            log=_one_of("LOG", values["LOG"], ("none", "requests")) == "requests",
            drain=_whole("DRAIN", values["DRAIN"], 3600),
            deadline=_whole("DEADLINE", values["DEADLINE"], 3600),
            limits={
                name: _whole(name, value, 2**40)
                for name, value in values.items()
                if name.startswith("LIMIT_")
            },
        )


def _whole(name: str, value: str, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,15}", value) or int(value) > most:
        raise SettingsError(f"{PREFIX}{name}: {value!r} is not a whole number from 0 to {most}.")
    return int(value)


def _calls(value: str) -> dict[str, list[tuple[str, int]]]:
    """Return the addresses of each name. Raises SettingsError."""
    found: dict[str, list[tuple[str, int]]] = {}
    for call in filter(None, map(str.strip, value.split(","))):
        parts = re.fullmatch(r"([a-z0-9._-]+)=(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})", call)
        if parts is None:
            raise SettingsError(f"{PREFIX}CALLS: {call!r} is not valid. Use NAME=host:port.")
        found.setdefault(parts[1], []).append((parts[2] or parts[3], int(parts[4])))
    return found


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise SettingsError(f"{PREFIX}{name}: {value!r} is not one of {', '.join(choices)}.")
    return value


class Metrics:
    """Counters of requests by path template and status, and a histogram of their durations."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started = time.time()
        self._requests: dict[tuple[str, str, int], int] = defaultdict(int)
        self._buckets: dict[str, list[int]] = defaultdict(lambda: [0] * (len(BUCKETS) + 1))
        self._sums: dict[str, float] = defaultdict(float)

    def count(self, method: str, template: str, status: int, seconds: float) -> None:
        """Count one request."""
        bucket = next((position for position, bound in enumerate(BUCKETS) if seconds <= bound), len(BUCKETS))
        with self._lock:
            self._requests[method, template, status] += 1
            self._buckets[template][bucket] += 1
            self._sums[template] += seconds

    def text(self, under_way: int, settings: Settings) -> str:
        """Return all metrics in Prometheus text format."""
        with self._lock:
            requests = sorted(self._requests.items())
            buckets = {template: list(counts) for template, counts in sorted(self._buckets.items())}
            sums = dict(self._sums)
        labels = f'service="{settings.service}",version="{settings.version}",hostname="{settings.hostname}"'
        lines = [
            "# HELP demo_app_info Service, version and host name of this application.",
            "# TYPE demo_app_info gauge",
            f"demo_app_info{{{labels}}} 1",
            # The usual name, by which readers of the page detect a restart.
            "# HELP process_start_time_seconds Start time of this application, in seconds since 1970.",
            "# TYPE process_start_time_seconds gauge",
            f"process_start_time_seconds {self._started:.3f}",
            "# HELP demo_app_requests_under_way Active requests.",
            "# TYPE demo_app_requests_under_way gauge",
            f"demo_app_requests_under_way {under_way}",
            "# HELP demo_app_requests_total Completed requests.",
            "# TYPE demo_app_requests_total counter",
        ]
        lines += [
            f'demo_app_requests_total{{method="{method}",path="{template}",status="{status}"}} {number}'
            for (method, template, status), number in requests
        ]
        lines += [
            "# HELP demo_app_request_duration_seconds Time from the last header of a request to its response.",
            "# TYPE demo_app_request_duration_seconds histogram",
        ]
        for template, counts in buckets.items():
            below = 0
            for position, number in enumerate(counts):
                bound = BUCKETS[position] if position < len(BUCKETS) else "+Inf"
                below += number
                lines.append(
                    f'demo_app_request_duration_seconds_bucket{{path="{template}",le="{bound}"}} {below}'
                )
            lines.append(f'demo_app_request_duration_seconds_sum{{path="{template}"}} {sums[template]:.6f}')
            lines.append(f'demo_app_request_duration_seconds_count{{path="{template}"}} {below}')
        return "\n".join(lines) + "\n"


@dataclass
class App:
    """The state that all requests share."""

    settings: Settings
    metrics: Metrics = field(default_factory=Metrics)
    stopping: threading.Event = field(default_factory=threading.Event)
    address: str = ""  # address of the host's name
    failing: bool = False  # set by POST /healthcheck/fail
    under_way: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self._turns = {name: itertools.cycle(addresses) for name, addresses in self.settings.calls.items()}
        self.work = threading.BoundedSemaphore(max(1, self.settings.limits["LIMIT_WORK"]))
        # In a thread, because a resolver may not answer. Until it does, responses contain the address of the connection.
        threading.Thread(target=self._resolve, daemon=True).start()

    def next_address(self, name: str) -> tuple[str, int]:
        """Return an address of the server with this name in DEMO_APP_CALLS, in turn."""
        with self.changed:
            return next(self._turns[name])

    def _resolve(self) -> None:
        with contextlib.suppress(OSError, UnicodeError):
            self.address = socket.gethostbyname(socket.gethostname())

    def __enter__(self) -> None:
        with self.changed:
            self.under_way += 1

    def __exit__(self, *_exception: object) -> None:
        with self.changed:
            self.under_way -= 1
            if self.under_way == 0:
                self.changed.notify_all()


@dataclass
class Request:
    """A request as the functions for the paths need it."""

    app: App
    method: str
    path: str
    query: dict[str, list[str]]
    headers: Any
    body: bytes
    client: str
    local: str
    raw_query: str = ""

    def number(self, name: str, limit: str, default: int | None = None) -> int:
        """Return a whole number of the query, at most the limit of that name. Raises RefusedError."""
        values = self.query.get(name)
        if not values:
            if default is not None:
                return default
            raise RefusedError(400, f"{self.path}: {name} is missing. Add ?{name}= and a whole number.")
        most = self.app.settings.limits[limit]
        if not re.fullmatch(r"[0-9]{1,15}", values[-1]):
            raise RefusedError(400, f"{name}: {values[-1]!r} is not a whole number from 0 to {most}.")
        if int(values[-1]) > most:
            raise RefusedError(400, f"{name}: {values[-1]} is above the limit of {most} ({PREFIX}{limit}).")
        return int(values[-1])


@dataclass
class Response:
    """A complete response."""

    status: int = 200
    body: bytes = b""
    kind: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


def text(message: str, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """Return a response with one line of text."""
    return Response(status, (message + "\n").encode(), headers=headers)


def as_json(data: Any, status: int = 200) -> Response:
    """Return a JSON response."""
    return Response(status, (json.dumps(data, indent=2) + "\n").encode(), "application/json")


def index(request: Request) -> Response:
    """Return the page with the host, the client and links to all paths."""
    app, settings = request.app, request.app.settings
    in_container = (
        any(map(os.path.exists, ("/.dockerenv", "/run/.containerenv")))
        or "KUBERNETES_SERVICE_HOST" in os.environ
    )
    rows = {
        "Service": settings.service or "none",
        "Version": settings.version or "none",
        "Host name": settings.hostname,
        "Host address": app.address or request.local,
        "Container": socket.gethostname() if in_container else "none",
        "Client address": request.client,
        "X-Forwarded-For": request.headers.get("x-forwarded-for", "none"),
    }
    table = "\n".join(
        f'<tr><th scope="row">{name}</th><td>{html.escape(value)}</td></tr>' for name, value in rows.items()
    )
    links = "\n".join(
        f"<tr><td>{_example(path, settings)}</td><td>{html.escape(description(path))}</td></tr>"
        for path in PATHS
    )
    page = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Demo application on {html.escape(settings.hostname)}</title>
<link rel="icon" href="data:,">
<style>
:root {{ color-scheme: light dark }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem }}
th {{ text-align: left; padding-right: 2rem; font-weight: 600 }}
th, td {{ vertical-align: top }}
td {{ overflow-wrap: anywhere }}
</style>
</head>
<body>
<main>
<h1>Demo application</h1>
<table>
<caption>Responding host and client</caption>
<tbody>
{table}
</tbody>
</table>
<h2>Paths</h2>
<table>
<thead><tr><th scope="col">Path</th><th scope="col">What it does</th></tr></thead>
<tbody>
{links}
</tbody>
</table>
<p>A header can have up to {MAX_HEADER_BYTES} bytes, and a request {MAX_HEADERS} headers. Larger requests get status 431.</p>
</main>
</body>
</html>
"""
    return Response(200, page.encode(), "text/html; charset=utf-8")


def _example(path: str, settings: Settings) -> str:
    """Return a link to an example of a path, or its template if only another request than GET makes sense."""
    template = PATHS[path][0]
    example = EXAMPLES.get(path, template)
    if path == "/service/":
        example = f"/service/{settings.service}" if settings.service else ""
    elif path == "/hop/":
        example = f"/hop/{next(iter(settings.calls))}/headers" if settings.calls else ""
    if not example:
        return html.escape(template)
    return f'<a href="{html.escape(example)}">{html.escape(example)}</a>'


def description(path: str) -> str:
    """Return what a path of PATHS does: the first line of the docstring of its function."""
    return (PATHS[path][1].__doc__ or "").partition("\n")[0]


def service(request: Request) -> Response:
    """Greet, if N of /service/N is the number of this app."""
    app, settings = request.app, request.app.settings
    number = request.path[len("/service/") :]
    if not settings.service:
        raise RefusedError(404, f"This app has no service number. Set {PREFIX}SERVICE.")
    if number != settings.service:
        raise RefusedError(404, f"This is service {settings.service}, not service {number}.")
    hello = f"Hello from behind Envoy (service {number})!"
    return text(f"{hello} hostname: {settings.hostname} resolved hostname: {app.address or request.local}")


def burn(milliseconds: float) -> None:
    """Use CPU time of this thread, without blocking other threads."""
    block = bytes(32_768)  # large enough for hashlib to release the interpreter lock
    end = time.thread_time() + milliseconds / 1000
    while time.thread_time() < end:
        hashlib.sha256(block).digest()


def limited(respond: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """Limit the number of concurrent requests (a decorator)."""

    @functools.wraps(respond)
    def bounded(request: Request) -> Response:
        if not request.app.work.acquire(blocking=False):
            most = request.app.settings.limits["LIMIT_WORK"]
            raise RefusedError(
                429,
                f"{most} requests are active, the limit ({PREFIX}LIMIT_WORK). Try again.",
                (("retry-after", "1"),),
            )
        try:
            return respond(request)
        finally:
            request.app.work.release()

    return bounded


@limited
def workload(request: Request) -> Response:
    """Take a given time, half of it with CPU work."""
    milliseconds = request.number("value", "LIMIT_CPU_MS", 100)
    started = time.monotonic()
    burn(milliseconds / 2)
    rest = milliseconds / 1000 - (time.monotonic() - started)
    if rest > 0:
        time.sleep(rest)
    return text(f"Worked and waited {milliseconds} ms on {request.app.settings.hostname}.")


@limited
def cpuwork(request: Request) -> Response:
    """Use a given CPU time."""
    milliseconds = request.number("cpu", "LIMIT_CPU_MS", 100)
    burn(milliseconds)
    return text(f"Used {milliseconds} ms of CPU on {request.app.settings.hostname}.")


@limited
def memwork(request: Request) -> Response:
    """Hold memory for a given time."""
    milliseconds = request.number("value", "LIMIT_DELAY_MS", 100)
    megabytes = request.number("memory", "LIMIT_MEMORY_MB", 1)
    held = bytearray(b"m") * (megabytes * 1_000_000)  # written, so that the memory is allocated
    time.sleep(milliseconds / 1000)
    return text(f"Held {len(held) // 1_000_000} MB for {milliseconds} ms on {request.app.settings.hostname}.")


def rand(request: Request) -> Response:
    """Wait for a random time from 100 to 500 ms."""
    milliseconds = random.randint(100, 500)  # noqa: S311
    time.sleep(milliseconds / 1000)
    return text(f"Waited {milliseconds} ms on {request.app.settings.hostname}.")


def delay(request: Request) -> Response:
    """Wait for a given time."""
    milliseconds = request.number("ms", "LIMIT_DELAY_MS")
    time.sleep(milliseconds / 1000)
    return text(f"Waited {milliseconds} ms on {request.app.settings.hostname}.")


def status(request: Request) -> Response:
    """Return a given status."""
    code = request.path[len("/status/") :]
    if not re.fullmatch(r"[2-5][0-9]{2}", code):
        raise RefusedError(400, f"/status: {code!r} is not a status from 200 to 599.")
    return text(f"Status {code}, as requested.", int(code))


def repeated_bytes(request: Request) -> Response:
    """Return a given number of bytes of a repeated sentence."""
    number = request.number("n", "LIMIT_BYTES")
    return Response(200, (SENTENCE * (number // len(SENTENCE) + 1))[:number])


@functools.lru_cache(maxsize=4)
def generated_text(number: int) -> bytes:
    """Return a number of bytes of text that compresses to about a third. The text is always the same."""
    generated: list[str] = []
    length, state = 0, 1
    while length < number:
        state = (state * 1_103_515_245 + 12_345) % 2**31  # the example of rand() in the C standard
        chance = (state >> 16) % 1024
        first, second = divmod(
            chance * chance >> 10, len(SYLLABLES)
        )  # squared, so that some words are more frequent
        generated.append(SYLLABLES[second] + SYLLABLES[first])
        length += len(generated[-1]) + 1
    return " ".join(generated).encode()[: max(0, number - 1)] + b"\n"[:number]


def text_bytes(request: Request) -> Response:
    """Return a given number of bytes of generated text."""
    return Response(200, generated_text(request.number("n", "LIMIT_BYTES")))


def cached(request: Request) -> Response:
    """Return a response with a given cache-control header and an etag, or 304 if the client has that etag."""
    control = request.query.get("control", ["no-store"])[-1]
    if not re.fullmatch(r"[a-z0-9=, -]{1,100}", control):
        raise RefusedError(
            400, "control: the value is not valid. Use a cache-control value, such as max-age=60."
        )
    tag = f'"{request.app.settings.version or 1}"'
    unchanged = request.headers.get("if-none-match") == tag
    response = Response(304) if unchanged else text(f"Made by {request.app.settings.hostname}.")
    response.headers = (("cache-control", control), ("etag", tag))
    return response


def headers(request: Request) -> Response:
    """Return the method, path, client and headers of the request."""
    received: dict[str, Any] = {}
    for name in request.headers:
        values = request.headers.get_all(name)
        received[name.lower()] = values[0] if len(values) == 1 else values
    return as_json(
        {"method": request.method, "path": request.path, "client": request.client, "headers": received}
    )


def echo(request: Request) -> Response:
    """Return the body of the request."""
    return Response(200, request.body)


def hop(request: Request) -> Response:
    """Call NAME of DEMO_APP_CALLS with the rest of the path, and return the status, the host and the body of its response."""
    settings = request.app.settings
    name, _slash, rest = request.path[len("/hop/") :].partition("/")
    if name not in settings.calls:
        known = ", ".join(settings.calls) or "none"
        raise RefusedError(404, f"/hop/{name}: this name is not in {PREFIX}CALLS. Known names: {known}.")
    previous = request.headers.get(HOPS_HEADER, "0")
    hops = int(previous) + 1 if re.fullmatch(r"[0-9]{1,3}", previous) else 1000
    if hops > settings.limits["LIMIT_HOPS"]:
        raise RefusedError(
            400, f"The chain of hops is longer than {settings.limits['LIMIT_HOPS']} ({PREFIX}LIMIT_HOPS)."
        )
    path = f"/{rest}" + (f"?{request.raw_query}" if request.raw_query else "")
    if re.search(r"[^\x21-\x7e]", path):
        raise RefusedError(400, "/hop: some characters are not allowed. Percent-encode them.")
    headers = [
        (header, value)
        for header, value in request.headers.items()
        if not NOT_FORWARDED.fullmatch(header.lower())
    ]
    # Envoy selects a virtual host by the name.
    headers += [("host", name), (HOPS_HEADER, str(hops)), ("connection", "close")]
    status, served_by, body = call(request.app.next_address(name), request, path, headers)
    result = {"to": name, "status": status, "served_by": served_by}
    return as_json({**result, "body": body}, status if status >= 200 else 502)


def call(
    address: tuple[str, int], request: Request, path: str, headers: list[tuple[str, str]]
) -> tuple[int, str | None, Any]:
    """Return the status, the serving host and the body of a response; a body of JSON is parsed. Raises RefusedError."""
    seconds = request.app.settings.limits["LIMIT_HOP_MS"] / 1000
    connection = http.client.HTTPConnection(*address, timeout=seconds)
    end = time.monotonic() + seconds
    shown = f"{address[0]}:{address[1]}"
    try:
        connection.putrequest(request.method, path, skip_host=True, skip_accept_encoding=True)
        for header, value in headers:
            connection.putheader(header, value)
        if request.body:
            connection.putheader("content-length", str(len(request.body)))
        connection.endheaders(request.body or None)
        response = connection.getresponse()
        body = b""
        while len(body) < HOP_BODY and time.monotonic() < end:
            part = response.read1(HOP_BODY - len(body))
            if not part:
                break
            body += part
    except TimeoutError:
        raise RefusedError(
            504, f"{shown}: no response within the time limit ({PREFIX}LIMIT_HOP_MS)."
        ) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise RefusedError(502, f"{shown}: no response: {error}.") from None
    finally:
        connection.close()
    content: Any = body.decode("utf-8", "replace")
    if response.headers.get_content_type() == "application/json":
        with contextlib.suppress(ValueError):
            content = json.loads(content)
    return response.status, response.headers.get("x-served-by"), content


def healthz(request: Request) -> Response:
    """Return 200, or 503 while the app stops."""
    if request.app.stopping.is_set():
        raise RefusedError(503, "Stopping.")
    return text("Healthy.")


def ready(request: Request) -> Response:
    """Return the health for load balancers. Unlike /healthz, POST /healthcheck/fail makes it fail."""
    if request.app.failing:
        raise RefusedError(
            503, "POST /healthcheck/fail made this path fail. Use POST /healthcheck/ok to make it succeed."
        )
    return healthz(request)


def healthcheck(request: Request) -> Response:
    """Make /ready fail or succeed: POST /healthcheck/fail or /healthcheck/ok, as in Envoy's admin interface."""
    health = request.path[len("/healthcheck/") :]
    if health not in ("fail", "ok"):
        raise RefusedError(404, "Unknown path. Use /healthcheck/fail or /healthcheck/ok.")
    if request.method != "POST":
        raise RefusedError(405, "This path changes the app. Use POST.", (("allow", "POST"),))
    request.app.failing = health == "fail"
    return text(
        f"/ready {'fails' if request.app.failing else 'succeeds'} on {request.app.settings.hostname}."
    )


def websocket(request: Request) -> Response:
    """Accept a WebSocket upgrade (RFC 6455). HttpHandler then echoes all messages."""
    key = request.headers.get("sec-websocket-key", "")
    options = re.split(r"[ ,]+", request.headers.get("connection", "").lower())
    if request.headers.get("upgrade", "").lower() != "websocket" or "upgrade" not in options or not key:
        raise RefusedError(426, "This path requires a WebSocket upgrade.", (("upgrade", "websocket"),))
    if request.headers.get("sec-websocket-version") != "13":
        raise RefusedError(
            400, "sec-websocket-version: only version 13 is supported.", (("sec-websocket-version", "13"),)
        )
    accept = base64.b64encode(hashlib.sha1(key.encode() + WEBSOCKET_GUID).digest()).decode()  # noqa: S324
    upgrade = (("upgrade", "websocket"), ("connection", "Upgrade"), ("sec-websocket-accept", accept))
    return Response(101, headers=upgrade)


def metrics(request: Request) -> Response:
    """Return the metrics page."""
    page = request.app.metrics.text(request.app.under_way, request.app.settings)
    return Response(200, page.encode(), "text/plain; version=0.0.4; charset=utf-8")


# Path, or the part before a variable part: its template and its function.
PATHS: dict[str, tuple[str, Callable[[Request], Response]]] = {
    "/": ("/", index),
    "/service/": ("/service/{n}", service),
    "/workload": ("/workload", workload),
    "/cpuwork": ("/cpuwork", cpuwork),
    "/memwork": ("/memwork", memwork),
    "/rand": ("/rand", rand),
    "/delay": ("/delay", delay),
    "/status/": ("/status/{code}", status),
    "/bytes": ("/bytes", repeated_bytes),
    "/text": ("/text", text_bytes),
    "/cached": ("/cached", cached),
    "/headers": ("/headers", headers),
    "/echo": ("/echo", echo),
    "/hop/": ("/hop/{name}", hop),
    "/healthz": ("/healthz", healthz),
    "/ready": ("/ready", ready),
    "/healthcheck/": ("/healthcheck/{what}", healthcheck),
    "/websocket": ("/websocket", websocket),
    "/metrics": ("/metrics", metrics),
}


# Examples on the index page. A path without an entry is its own example; an empty one has no link.
EXAMPLES = {
    "/workload": "/workload?value=100",
    "/cpuwork": "/cpuwork?cpu=50",
    "/memwork": "/memwork?value=100&memory=16",
    "/delay": "/delay?ms=200",
    "/status/": "/status/503",
    "/bytes": "/bytes?n=1000",
    "/text": "/text?n=1000",
    "/cached": "/cached?control=max-age=60",
    "/healthcheck/": "",
    "/websocket": "",
    "/echo": "",
}
# Paths with a variable part.
PARENTS = tuple(path for path in PATHS if path.endswith("/") and path != "/")


def unknown_path(_request: Request) -> Response:
    """Refuse an unknown path."""
    raise RefusedError(404, "Unknown path. See / for all paths.")


def route(path: str) -> tuple[str, Callable[[Request], Response]]:
    """Return the template of a path, which is a label of metrics, and its function."""
    if path in PATHS and path not in PARENTS:
        return PATHS[path]
    parent = path[: path.rfind("/") + 1]
    if path.startswith("/hop/"):  # the rest of its path is that of the call
        parent = "/hop/"
    return PATHS[parent] if parent in PARENTS and parent != path else ("other", unknown_path)


# Opcodes of WebSocket frames (RFC 6455, 5.2).
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def read_frame(stream: Any, most: int) -> tuple[bool, int, bytes] | None:
    """Return whether a frame is the last of its message, its opcode and its data; None at the end or for an invalid frame."""
    head = stream.read(2)
    if len(head) < 2 or not head[1] & 0x80:  # clients mask their frames
        return None
    length = head[1] & 0x7F
    if length > 125:
        extended = stream.read(2 if length == 126 else 8)
        length = int.from_bytes(extended, "big")
    mask = stream.read(4)
    if length > most or len(mask) < 4:
        return None
    data = stream.read(length)
    if len(data) < length:
        return None
    return bool(head[0] & 0x80), head[0] & 0x0F, masked(data, mask)


def masked(data: bytes, mask: bytes) -> bytes:
    """Apply or remove a mask."""
    cover = (mask * (len(data) // 4 + 1))[: len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(cover, "big")).to_bytes(len(data), "big")


def frame_bytes(opcode: int, data: bytes) -> bytes:
    """Return a message as one frame without a mask, as servers send it."""
    if len(data) < 126:
        length = bytes([len(data)])
    elif len(data) < 65_536:
        length = b"\x7e" + len(data).to_bytes(2, "big")
    else:
        length = b"\x7f" + len(data).to_bytes(8, "big")
    return bytes([0x80 | opcode]) + length + data


class HttpHandler(BaseHTTPRequestHandler):
    """One HTTP/1.1 connection with keep-alive. Each response is one write."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    app: App  # set in a subclass

    def answer(self) -> None:
        """Answer one request."""
        app, started = self.app, time.perf_counter()
        with app:
            url, _question, query = self.path.partition("?")
            template, respond = route(url)
            try:
                body = self.read_body()
                values = parse_qs(query, keep_blank_values=True, max_num_fields=50) if query else {}
                local = "localhost" if app.settings.unix_socket else self.connection.getsockname()[0]
                request = Request(
                    app, self.command, url, values, self.headers, body, self.client_address[0], local, query
                )
                response = respond(request)
            except RefusedError as refused:
                response = text(str(refused), refused.status, refused.headers)
            except ValueError:
                response = text("The query is not valid.", 400)
            except MemoryError:
                response = text("Not enough memory for this request.", 503)
            if app.stopping.is_set():
                self.close_connection = True
            app.metrics.count(self.command, template, response.status, time.perf_counter() - started)
            self.send(response)
        if response.status == 101:
            self.close_connection = True
            self.echo_messages()
        if app.settings.log:
            milliseconds = round((time.perf_counter() - started) * 1000, 3)
            line = {"method": self.command, "path": self.path, "status": response.status, "ms": milliseconds}
            print(json.dumps({**line, "request_id": self.headers.get("x-request-id")}), flush=True)

    # All paths accept all methods. In the demos, Envoy restricts methods.
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def read_body(self) -> bytes:
        """Return the body of the request. Raises RefusedError."""
        most = self.app.settings.limits["LIMIT_BODY"]
        encoding = self.headers.get("transfer-encoding")
        length = self.headers.get("content-length")
        try:
            if encoding is None and length is None:
                return b""
            if encoding is not None:
                if encoding.lower() != "chunked" or length is not None:
                    raise RefusedError(
                        400, "transfer-encoding: only chunked is supported, without content-length."
                    )
                return self.read_chunks(most)
            if not re.fullmatch(r"[0-9]{1,15}", length or ""):
                raise RefusedError(400, "content-length: this is not a whole number.")
            return self.read_exactly(int(length or 0), most)
        except RefusedError:
            self.close_connection = True  # the rest of the body is unread
            raise

    def read_chunks(self, most: int) -> bytes:
        """Return a chunked body. Raises RefusedError."""
        body = b""
        while True:
            size = re.fullmatch(rb"([0-9A-Fa-f]{1,8})[ \t]*(;.*)?\r\n", self.rfile.readline(1024))
            if size is None:
                raise RefusedError(400, "The chunks of the body are not valid.")
            length = int(size[1], 16)
            if length:
                body += self.read_exactly(length, most - len(body))
            else:  # trailers
                while self.rfile.readline(65_536) not in (b"\r\n", b""):
                    pass
                return body
            if self.rfile.readline(3) != b"\r\n":
                raise RefusedError(400, "The chunks of the body are not valid.")

    def read_exactly(self, length: int, most: int) -> bytes:
        """Return a number of bytes of the body. Raises RefusedError."""
        if length > most:
            limit = self.app.settings.limits["LIMIT_BODY"]
            raise RefusedError(413, f"The body is longer than {limit} bytes ({PREFIX}LIMIT_BODY).")
        body = self.rfile.read(length)
        if len(body) < length:
            raise RefusedError(400, "The body is shorter than its content-length.")
        return body

    def send(self, response: Response) -> None:
        """Send a response."""
        settings = self.app.settings
        try:
            reason = HTTPStatus(response.status).phrase
        except ValueError:
            reason = "Unknown"
        without_body = response.status in (101, 204, 304)
        body = b"" if without_body else response.body
        lines = [
            f"HTTP/1.1 {response.status} {reason}",
            "server: demo-app",
            f"date: {formatdate(usegmt=True)}",
        ]
        lines.append(f"x-served-by: {settings.hostname}")
        if settings.version:
            lines.append(f"x-app-version: {settings.version}")
        if not without_body:
            lines += [f"content-type: {response.kind}", f"content-length: {len(body)}"]
        lines.append("x-content-type-options: nosniff")
        lines += [f"{name}: {value}" for name, value in response.headers]
        if response.status == 101:
            pass
        elif self.close_connection:
            lines.append("connection: close")
        elif self.request_version == "HTTP/1.0":
            lines.append("connection: keep-alive")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        self.wfile.write(head if self.command == "HEAD" else head + body)

    def echo_messages(self) -> None:
        """Echo each WebSocket message, the first one after a line with the host name."""
        greeting = b"served-by %s\n" % self.app.settings.hostname.encode()
        most = self.app.settings.limits["LIMIT_BODY"]
        kind, message = 0, b""
        while frame := read_frame(self.rfile, most - len(message)):
            final, opcode, data = frame
            if opcode == CLOSE:
                self.wfile.write(frame_bytes(CLOSE, data[:2]))
                return
            if opcode == PING:
                self.wfile.write(frame_bytes(PONG, data))
            elif opcode in (CONTINUATION, TEXT, BINARY):
                kind, message = opcode or kind, message + data
                if final:
                    with self.app:
                        self.wfile.write(frame_bytes(kind, greeting + message))
                    greeting, message = b"", b""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Send the errors of the base class in the same format."""
        self.close_connection = True
        self.command = self.command or "GET"
        problem = message or "This request is not valid"
        if code == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
            problem = f"A header is longer than {MAX_HEADER_BYTES} bytes, or the request has more than {MAX_HEADERS} headers"
        self.send(text(f"{problem}.", int(code)))

    def handle_expect_100(self) -> bool:
        """Send 100 Continue only, without the headers that the base class adds."""
        self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing: the setting LOG replaces the log of the base class."""


class EchoHandler(socketserver.BaseRequestHandler):
    """One TCP connection: echo all data, after a line with the host name."""

    app: App

    def handle(self) -> None:
        """Serve the connection."""
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        greeting = b"served-by %s\n" % self.app.settings.hostname.encode()
        while True:
            data = self.request.recv(65_536)
            if not data:
                return
            with self.app:
                self.request.sendall(greeting + data)
            greeting = b""


class DatagramHandler(socketserver.BaseRequestHandler):
    """One datagram: echo it after a line with the host name."""

    app: App

    def handle(self) -> None:
        """Serve the datagram."""
        data, server = self.request
        server.sendto(b"served-by %s\n" % self.app.settings.hostname.encode() + data, self.client_address)


class WithoutTracebacks:
    """A mixin that prints no traceback for an interrupted connection."""

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Print errors other than network errors on one line."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            print(f"demo_app: {type(error).__name__}: {error}", file=sys.stderr, flush=True)


class StreamServer(WithoutTracebacks, socketserver.ThreadingTCPServer):
    """The server of HTTP and TCP connections."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024


class UnixServer(StreamServer):
    """The server of connections to a Unix socket, which every user can open. Its directory restricts access."""

    address_family = socket.AF_UNIX
    allow_reuse_address = False

    def server_bind(self) -> None:
        """Replace the socket of a previous process."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(str(self.server_address))
        self.socket.bind(self.server_address)
        os.chmod(str(self.server_address), 0o666)  # noqa: S103  (Envoy is another user)

    def get_request(self) -> tuple[Any, Any]:
        """Return a connection with the address that a client over a network would have."""
        connection, _address = self.socket.accept()
        return connection, ("localhost", 0)


class DatagramServer(WithoutTracebacks, socketserver.UDPServer):
    """The server of datagrams."""

    max_packet_size = 65_536


def accept_and_close(server: socket.socket) -> None:
    """Accept TCP connections and close them, as a readiness check of a server of datagrams."""
    while True:
        with contextlib.suppress(OSError):
            server.accept()[0].close()


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT, then finish the active requests. Return the exit status."""
    # Signals are waited for, not handled: a handler could interrupt this thread in a wait and then deadlock.
    stops = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)  # new threads inherit the mask
    app = App(settings)
    base = {"http": HttpHandler, "tcp": EchoHandler, "udp": DatagramHandler}[settings.protocol]
    kind: Any = DatagramServer if settings.protocol == "udp" else StreamServer
    family = socket.AF_INET6 if ":" in settings.bind else socket.AF_INET
    handler = type(base.__name__, (base,), {"app": app})
    port = settings.port
    place = settings.unix_socket or f"{settings.bind} port {port}"
    try:
        if settings.unix_socket:
            kind, handler.disable_nagle_algorithm = UnixServer, False
        elif settings.protocol == "udp":
            # The TCP port first, because more TCP ports than UDP ports are in use.
            listener = socket.create_server((settings.bind, port), family=family)
            port = listener.getsockname()[1]
            threading.Thread(target=accept_and_close, args=(listener,), daemon=True).start()
        if settings.unix_socket:
            server = kind(settings.unix_socket, handler)
        else:
            server = type(kind.__name__, (kind,), {"address_family": family})((settings.bind, port), handler)
            place = f"{settings.bind} port {server.server_address[1]}"
    except (OSError, OverflowError) as error:
        print(f"demo_app: cannot listen on {place}: {error}", file=sys.stderr)
        return 1
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    print(f"demo_app: {settings.protocol} on {place}", flush=True)
    signal.sigwait(stops)
    app.stopping.set()
    started = time.monotonic()
    time.sleep(min(settings.drain, settings.deadline))
    left = max(0.0, started + settings.deadline - time.monotonic())
    with app.changed:
        finished = app.changed.wait_for(lambda: app.under_way == 0, left)
    if not finished:
        print(
            f"demo_app: stopped after {settings.deadline} s with active requests",
            file=sys.stderr,
            flush=True,
        )
    return 0


def usage() -> str:
    """Return the text of --help."""
    width = max(map(len, SETTINGS)) + len(PREFIX)
    lines = [
        f"  {PREFIX + name:{width}}  {description} (default: {default or 'empty'})"
        for name, (default, description) in SETTINGS.items()
    ]
    return "\n".join(["demo_app: the application of the demos. Environment variables:", *lines])


def main() -> int:
    """Run the app. Return the exit status."""
    if sys.argv[1:]:
        print(usage())
        return 0 if sys.argv[1:] in (["-h"], ["--help"]) else 2
    try:
        return serve(Settings.read(os.environ))
    except SettingsError as error:
        print(f"demo_app: {error}", file=sys.stderr)
        return 2


def _exit() -> NoReturn:
    # Ends the threads of idle connections, which need no cleanup.
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _exit()
