# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application behind the demos: a small server that says who it is and does what it is told, in bounds.

One file, Python's standard library, no file written, no name looked up for a client. Its configuration is
the environment variables that start with DEMO_APP_: see SETTINGS below, or run it with --help.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import html
import http.client
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
from urllib.parse import parse_qs, urlsplit

# name: (default, what it is)
SETTINGS = {
    "BIND": ("0.0.0.0", "address to listen on"),
    "PORT": ("8080", "port to listen on; 0 takes a free one"),
    "PROTOCOL": (
        "http",
        "http, tcp (echoes what it gets) or udp (the same for datagrams; a TCP connection tells that it serves)",
    ),
    "SERVICE": ("", "the number N of /service/N that this one answers"),
    "HOSTNAME": ("", "the name it gives as its own; default: the host's"),
    "VERSION": ("", "a version to show, in the header x-app-version too"),
    "CALLS": ("", "hosts that /hop may call, by commas: name or name:port"),
    "LOG": ("none", "none, or requests: a line of JSON for each"),
    "DRAIN": ("0", "seconds that it goes on serving after SIGTERM"),
    "DEADLINE": ("10", "seconds after which a stop no longer waits for requests under way"),
    "LIMIT_DELAY_MS": ("10000", "longest wait that a request may ask for"),
    "LIMIT_CPU_MS": ("2000", "most CPU time that a request may ask for"),
    "LIMIT_MEMORY_MB": ("64", "most memory that a request may ask for"),
    "LIMIT_BYTES": ("10000000", "longest answer that a request may ask for"),
    "LIMIT_BODY": ("1048576", "longest body of a request"),
    "LIMIT_WORK": ("8", "requests that may work (workload, cpuwork, memwork) at a time"),
    "LIMIT_HOPS": ("4", "longest chain of /hop"),
    "LIMIT_HOP_MS": ("5000", "longest wait for the answer of a hop"),
}
PREFIX = "DEMO_APP_"
PROTOCOLS = ("http", "tcp", "udp")
TRACE_HEADERS = (
    "x-request-id",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-flags",
    "b3",
    "traceparent",
    "tracestate",
    "baggage",
    "x-ot-span-context",
)
HOPS_HEADER = "x-demo-app-hops"
WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
HOP_BODY = 65_536  # bytes of a hop's answer that are passed on
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
IDLE_SECONDS = (
    3700  # longer than Envoy keeps an idle connection (an hour), so that Envoy is the one that closes
)
SENTENCE = b"Every request is counted once, and every count is compared with the requests that were sent.\n"
# What the words of /text are made of.
SYLLABLES = tuple(
    re.findall("..", "alanarbecodedieneresgaheiniskalalelomaminanenoonorparererisasesotatetitounve")
)


class SettingsError(Exception):
    """A setting that cannot be used."""


class RefusedError(Exception):
    """A request that is answered by a status and a sentence."""

    def __init__(self, status: int, sentence: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = headers


@dataclass(frozen=True)
class Settings:
    """What the environment says, checked."""

    bind: str
    port: int
    protocol: str
    service: str
    hostname: str
    version: str
    calls: frozenset[str]
    log: bool
    drain: float
    deadline: float
    limits: dict[str, int]

    @classmethod
    def read(cls, environment: Any) -> Settings:
        values = {
            name: environment.get(PREFIX + name, default) for name, (default, _what) in SETTINGS.items()
        }
        for name in environment:
            if name.startswith(PREFIX) and name[len(PREFIX) :] not in SETTINGS:
                known = ", ".join(PREFIX + known for known in SETTINGS)
                raise SettingsError(f"{name} is not a setting; known: {known}")
        hostname = values["HOSTNAME"] or socket.gethostname()
        for name, value, pattern in (
            ("SERVICE", values["SERVICE"], r"[A-Za-z0-9_.-]*"),
            ("HOSTNAME", hostname, r"[A-Za-z0-9_.:-]+"),
            ("VERSION", values["VERSION"], r"[A-Za-z0-9_.+-]*"),
        ):
            if not re.fullmatch(pattern, value):
                raise SettingsError(
                    f"{PREFIX}{name} is {value!r}: only letters, digits, dots and dashes can be used"
                )
        calls = frozenset(hop.strip().lower() for hop in values["CALLS"].split(",") if hop.strip())
        for hop in calls:
            if not re.fullmatch(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(:[0-9]{1,5})?", hop):
                raise SettingsError(f"{PREFIX}CALLS holds {hop!r}: write a host, or host:port")
        return cls(
            bind=values["BIND"],
            port=_whole("PORT", values["PORT"], 65535),
            protocol=_one_of("PROTOCOL", values["PROTOCOL"], PROTOCOLS),
            service=values["SERVICE"],
            hostname=hostname,
            version=values["VERSION"],
            calls=calls,
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
        raise SettingsError(f"{PREFIX}{name} is {value!r}: it has to be a whole number from 0 to {most}")
    return int(value)


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise SettingsError(f"{PREFIX}{name} is {value!r}: it has to be one of {', '.join(choices)}")
    return value


class Metrics:
    """Requests by path template and status, and how long they took."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started = time.time()
        self._requests: dict[tuple[str, str, int], int] = defaultdict(int)
        self._buckets: dict[str, list[int]] = defaultdict(lambda: [0] * (len(BUCKETS) + 1))
        self._sums: dict[str, float] = defaultdict(float)

    def count(self, method: str, template: str, status: int, seconds: float) -> None:
        bucket = next((position for position, bound in enumerate(BUCKETS) if seconds <= bound), len(BUCKETS))
        with self._lock:
            self._requests[method, template, status] += 1
            self._buckets[template][bucket] += 1
            self._sums[template] += seconds

    def text(self, under_way: int, settings: Settings) -> str:
        """All of it in Prometheus' text format."""
        with self._lock:
            requests = sorted(self._requests.items())
            buckets = {template: list(counts) for template, counts in sorted(self._buckets.items())}
            sums = dict(self._sums)
        labels = f'service="{settings.service}",version="{settings.version}",hostname="{settings.hostname}"'
        lines = [
            "# HELP demo_app_info What this application is.",
            "# TYPE demo_app_info gauge",
            f"demo_app_info{{{labels}}} 1",
            # By its usual name: whoever compares two pages sees a restart in between.
            "# HELP process_start_time_seconds When this application was started, in seconds since 1970.",
            "# TYPE process_start_time_seconds gauge",
            f"process_start_time_seconds {self._started:.3f}",
            "# HELP demo_app_requests_under_way Requests that are being answered.",
            "# TYPE demo_app_requests_under_way gauge",
            f"demo_app_requests_under_way {under_way}",
            "# HELP demo_app_requests_total Requests that were answered.",
            "# TYPE demo_app_requests_total counter",
        ]
        lines += [
            f'demo_app_requests_total{{method="{method}",path="{template}",status="{status}"}} {number}'
            for (method, template, status), number in requests
        ]
        lines += [
            "# HELP demo_app_request_duration_seconds Time from a request's last header to its answer.",
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
    """What all requests share."""

    settings: Settings
    metrics: Metrics = field(default_factory=Metrics)
    stopping: threading.Event = field(default_factory=threading.Event)
    address: str = ""  # what the host's name resolves to
    failing: bool = False  # what POST /healthcheck/fail made of it
    under_way: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self.work = threading.BoundedSemaphore(max(1, self.settings.limits["LIMIT_WORK"]))
        # A resolver that does not answer holds up nobody: until it has, a request's own address is shown.
        threading.Thread(target=self._resolve, daemon=True).start()

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
    """A request as an answer needs it."""

    app: App
    method: str
    path: str
    query: dict[str, list[str]]
    headers: Any
    body: bytes
    client: str
    local: str

    def number(self, name: str, limit: str, default: int | None = None) -> int:
        """A whole number of the query, within the limit of that name."""
        values = self.query.get(name)
        if not values:
            if default is not None:
                return default
            raise RefusedError(400, f"{self.path} needs ?{name}= and a whole number.")
        most = self.app.settings.limits[limit]
        if not re.fullmatch(r"[0-9]{1,15}", values[-1]):
            raise RefusedError(400, f"{name} has to be a whole number from 0 to {most}.")
        if int(values[-1]) > most:
            raise RefusedError(
                400, f"{name} is {values[-1]}; at most {most} can be asked for ({PREFIX}{limit})."
            )
        return int(values[-1])


@dataclass
class Response:
    """An answer: complete, and small enough to be held."""

    status: int = 200
    body: bytes = b""
    kind: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


def text(sentence: str, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    return Response(status, (sentence + "\n").encode(), headers=headers)


def as_json(data: Any, status: int = 200) -> Response:
    return Response(status, (json.dumps(data, indent=2) + "\n").encode(), "application/json")


def index(request: Request) -> Response:
    app, settings = request.app, request.app.settings
    inside = (
        any(map(os.path.exists, ("/.dockerenv", "/run/.containerenv")))
        or "KUBERNETES_SERVICE_HOST" in os.environ
    )
    rows = {
        "Service": settings.service or "none",
        "Version": settings.version or "none",
        "Host name": settings.hostname,
        "Host address": app.address or request.local,
        "Container": socket.gethostname() if inside else "none",
        "Client address": request.client,
        "X-Forwarded-For": request.headers.get("x-forwarded-for", "none"),
    }
    table = "\n".join(
        f'<tr><th scope="row">{name}</th><td>{html.escape(value)}</td></tr>' for name, value in rows.items()
    )
    own = f"/service/{settings.service}" if settings.service else ""
    paths = [
        own,
        "/workload?value=100",
        "/cpuwork?cpu=50",
        "/memwork?value=100&memory=16",
        "/rand",
        "/delay?ms=200",
    ]
    paths += [
        "/status/503",
        "/bytes?n=1000",
        "/text?n=1000",
        "/cached?control=max-age=60",
        "/headers",
        "/healthz",
        "/metrics",
    ]
    links = "\n".join(
        f'<li><a href="{html.escape(path)}">{html.escape(path)}</a></li>' for path in paths if path
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
td {{ overflow-wrap: anywhere }}
</style>
</head>
<body>
<main>
<h1>Demo application</h1>
<table>
<caption>Who answered, and whom</caption>
<tbody>
{table}
</tbody>
</table>
<h2>To try</h2>
<ul>
{links}
</ul>
</main>
</body>
</html>
"""
    return Response(200, page.encode(), "text/html; charset=utf-8")


def service(request: Request) -> Response:
    app, settings = request.app, request.app.settings
    number = request.path[len("/service/") :]
    if not settings.service:
        raise RefusedError(404, f"This application has no number; {PREFIX}SERVICE would give it one.")
    if number != settings.service:
        raise RefusedError(404, f"This is service {settings.service}, not the one that was asked for.")
    hello = f"Hello from behind Envoy (service {number})!"
    return text(f"{hello} hostname: {settings.hostname} resolved hostname: {app.address or request.local}")


def burn(milliseconds: float) -> None:
    """Uses that much of this thread's CPU time, without keeping others from theirs."""
    block = bytes(32_768)  # large enough for hashlib to let other threads run meanwhile
    end = time.thread_time() + milliseconds / 1000
    while time.thread_time() < end:
        hashlib.sha256(block).digest()


def working(answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """Keeps the number of requests that work at a time within its limit."""

    def bounded(request: Request) -> Response:
        if not request.app.work.acquire(blocking=False):
            most = request.app.settings.limits["LIMIT_WORK"]
            raise RefusedError(
                429,
                f"{most} requests are at work already ({PREFIX}LIMIT_WORK); try again.",
                (("retry-after", "1"),),
            )
        try:
            return answer(request)
        finally:
            request.app.work.release()

    return bounded


@working
def workload(request: Request) -> Response:
    milliseconds = request.number("value", "LIMIT_CPU_MS", 100)
    started = time.monotonic()
    burn(milliseconds / 2)
    rest = milliseconds / 1000 - (time.monotonic() - started)
    if rest > 0:
        time.sleep(rest)
    return text(f"Worked and waited {milliseconds} ms on {request.app.settings.hostname}.")


@working
def cpuwork(request: Request) -> Response:
    milliseconds = request.number("cpu", "LIMIT_CPU_MS", 100)
    burn(milliseconds)
    return text(f"Used {milliseconds} ms of CPU on {request.app.settings.hostname}.")


@working
def memwork(request: Request) -> Response:
    milliseconds = request.number("value", "LIMIT_DELAY_MS", 100)
    megabytes = request.number("memory", "LIMIT_MEMORY_MB", 1)
    held = bytearray(b"m") * (megabytes * 1_000_000)  # written to, so that it is really there
    time.sleep(milliseconds / 1000)
    return text(f"Held {len(held) // 1_000_000} MB for {milliseconds} ms on {request.app.settings.hostname}.")


def rand(request: Request) -> Response:
    milliseconds = random.randint(100, 500)  # noqa: S311
    time.sleep(milliseconds / 1000)
    return text(f"Waited {milliseconds} ms on {request.app.settings.hostname}.")


def delay(request: Request) -> Response:
    milliseconds = request.number("ms", "LIMIT_DELAY_MS")
    time.sleep(milliseconds / 1000)
    return text(f"Waited {milliseconds} ms on {request.app.settings.hostname}.")


def status(request: Request) -> Response:
    code = request.path[len("/status/") :]
    if not re.fullmatch(r"[2-5][0-9]{2}", code):
        raise RefusedError(400, "The status has to be from 200 to 599.")
    return text(f"Answered {code} as asked.", int(code))


def many_bytes(request: Request) -> Response:
    number = request.number("n", "LIMIT_BYTES")
    return Response(200, (SENTENCE * (number // len(SENTENCE) + 1))[:number])


@functools.lru_cache(maxsize=4)
def words(number: int) -> bytes:
    """So many bytes of text that compresses as people's text does, to about a third; the same each time, anywhere."""
    made: list[str] = []
    length, state = 0, 1
    while length < number:
        state = (state * 1_103_515_245 + 12_345) % 2**31  # the generator of the C standard's example
        chance = (state >> 16) % 1024
        first, second = divmod(chance * chance >> 10, len(SYLLABLES))  # squared: some words are more frequent
        made.append(SYLLABLES[second] + SYLLABLES[first])
        length += len(made[-1]) + 1
    return " ".join(made).encode()[: max(0, number - 1)] + b"\n"[:number]


def some_text(request: Request) -> Response:
    return Response(200, words(request.number("n", "LIMIT_BYTES")))


def cached(request: Request) -> Response:
    """An answer that says who may keep it, and for how long; asked whether it changed, it did not."""
    control = request.query.get("control", ["no-store"])[-1]
    if not re.fullmatch(r"[a-z0-9=, -]{1,100}", control):
        raise RefusedError(400, "control is what cache-control shall say, such as max-age=60.")
    tag = f'"{request.app.settings.version or 1}"'
    known = request.headers.get("if-none-match") == tag
    answer = Response(304) if known else text(f"Made by {request.app.settings.hostname}.")
    answer.headers = (("cache-control", control), ("etag", tag))
    return answer


def headers(request: Request) -> Response:
    seen: dict[str, Any] = {}
    for name in request.headers:
        values = request.headers.get_all(name)
        seen[name.lower()] = values[0] if len(values) == 1 else values
    return as_json(
        {"method": request.method, "path": request.path, "client": request.client, "headers": seen}
    )


def echo(request: Request) -> Response:
    return Response(200, request.body)


def hop(request: Request) -> Response:
    """Calls another application, and passes the headers on by which a trace hangs together."""
    settings = request.app.settings
    url = request.query.get("url", [""])[-1]
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port or 80
    except ValueError:
        raise RefusedError(400, "url is no address.") from None
    if parts.scheme != "http" or not host or parts.username is not None:
        raise RefusedError(400, "/hop needs ?url=http://host:port/path, and http only.")
    if re.search(r"[^\x21-\x7e]", url):
        raise RefusedError(400, "url holds characters that have to be percent-encoded.")
    name = f"[{host}]" if ":" in host else host
    if name not in settings.calls and f"{name}:{port}" not in settings.calls:
        raise RefusedError(403, f"{name}:{port} is not among the hosts that may be called ({PREFIX}CALLS).")
    made = request.headers.get(HOPS_HEADER, "0")
    hops = int(made) + 1 if re.fullmatch(r"[0-9]{1,3}", made) else 1000
    if hops > settings.limits["LIMIT_HOPS"]:
        raise RefusedError(
            400, f"The chain of hops is longer than {settings.limits['LIMIT_HOPS']} ({PREFIX}LIMIT_HOPS)."
        )
    passed = {header: request.headers[header] for header in TRACE_HEADERS if header in request.headers}
    seconds = settings.limits["LIMIT_HOP_MS"] / 1000
    connection = http.client.HTTPConnection(host, port, timeout=seconds)
    end = time.monotonic() + seconds
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", path, headers={**passed, HOPS_HEADER: str(hops), "connection": "close"})
        answer = connection.getresponse()
        body = b""
        while len(body) < HOP_BODY and time.monotonic() < end:
            part = answer.read1(HOP_BODY - len(body))
            if not part:
                break
            body += part
    except TimeoutError:
        raise RefusedError(504, f"{name}:{port} did not answer in time ({PREFIX}LIMIT_HOP_MS).") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise RefusedError(502, f"{name}:{port} gave no answer: {error}.") from None
    finally:
        connection.close()
    told = {"url": url, "status": answer.status, "served_by": answer.headers.get("x-served-by")}
    return as_json(
        {**told, "body": body.decode("utf-8", "replace")}, answer.status if answer.status >= 200 else 502
    )


def healthz(request: Request) -> Response:
    if request.app.stopping.is_set():
        raise RefusedError(503, "Stopping.")
    return text("Healthy.")


def ready(request: Request) -> Response:
    """What load balancers ask; unlike /healthz, which tells whether it runs, it can be made to fail."""
    if request.app.failing:
        raise RefusedError(503, "Made to fail; POST /healthcheck/ok ends that.")
    return healthz(request)


def healthcheck(request: Request) -> Response:
    """Makes /ready fail, or succeed again: `POST /healthcheck/fail|ok`, as Envoy's admin calls it."""
    wanted = request.path[len("/healthcheck/") :]
    if wanted not in ("fail", "ok"):
        raise RefusedError(404, "There is /healthcheck/fail and /healthcheck/ok.")
    if request.method != "POST":
        raise RefusedError(405, "This changes something: use POST.", (("allow", "POST"),))
    request.app.failing = wanted == "fail"
    return text(
        f"/ready {'fails' if request.app.failing else 'succeeds'} on {request.app.settings.hostname}."
    )


def websocket(request: Request) -> Response:
    """Agrees to speak WebSocket (RFC 6455); what comes then is sent back, message by message."""
    key = request.headers.get("sec-websocket-key", "")
    wishes = re.split(r"[ ,]+", request.headers.get("connection", "").lower())
    if request.headers.get("upgrade", "").lower() != "websocket" or "upgrade" not in wishes or not key:
        raise RefusedError(426, "This speaks WebSocket.", (("upgrade", "websocket"),))
    if request.headers.get("sec-websocket-version") != "13":
        raise RefusedError(400, "This speaks version 13.", (("sec-websocket-version", "13"),))
    accept = base64.b64encode(hashlib.sha1(key.encode() + WEBSOCKET_GUID).digest()).decode()  # noqa: S324
    agreed = (("upgrade", "websocket"), ("connection", "Upgrade"), ("sec-websocket-accept", accept))
    return Response(101, headers=agreed)


def metrics(request: Request) -> Response:
    page = request.app.metrics.text(request.app.under_way, request.app.settings)
    return Response(200, page.encode(), "text/plain; version=0.0.4; charset=utf-8")


# Path, or the part before a variable one, to its template and its answer.
PATHS: dict[str, tuple[str, Callable[[Request], Response]]] = {
    "/": ("/", index),
    "/service/": ("/service/{n}", service),
    "/workload": ("/workload", workload),
    "/cpuwork": ("/cpuwork", cpuwork),
    "/memwork": ("/memwork", memwork),
    "/rand": ("/rand", rand),
    "/delay": ("/delay", delay),
    "/status/": ("/status/{code}", status),
    "/bytes": ("/bytes", many_bytes),
    "/text": ("/text", some_text),
    "/cached": ("/cached", cached),
    "/headers": ("/headers", headers),
    "/echo": ("/echo", echo),
    "/hop": ("/hop", hop),
    "/healthz": ("/healthz", healthz),
    "/ready": ("/ready", ready),
    "/healthcheck/": ("/healthcheck/{what}", healthcheck),
    "/websocket": ("/websocket", websocket),
    "/metrics": ("/metrics", metrics),
}


# Those with a variable part.
PARENTS = tuple(path for path in PATHS if path.endswith("/") and path != "/")


def nowhere(_request: Request) -> Response:
    raise RefusedError(404, "There is nothing here; / lists what there is.")


def route(path: str) -> tuple[str, Callable[[Request], Response]]:
    """The template of a path (for metrics, so from a fixed set) and what answers it."""
    if path in PATHS and path not in PARENTS:
        return PATHS[path]
    parent = path[: path.rfind("/") + 1]
    return PATHS[parent] if parent in PARENTS and parent != path else ("other", nowhere)


# Opcodes of WebSocket frames (RFC 6455, 5.2).
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def read_frame(stream: Any, most: int) -> tuple[bool, int, bytes] | None:
    """Whether it is a message's last, its opcode and its data; None at the end, and for a frame that is not allowed."""
    head = stream.read(2)
    if len(head) < 2 or not head[1] & 0x80:  # a client's frames are masked
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
    """Masks, or takes the mask off."""
    cover = (mask * (len(data) // 4 + 1))[: len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(cover, "big")).to_bytes(len(data), "big")


def frame_bytes(opcode: int, data: bytes) -> bytes:
    """A whole message in one frame, as a server sends it: without a mask."""
    if len(data) < 126:
        length = bytes([len(data)])
    elif len(data) < 65_536:
        length = b"\x7e" + len(data).to_bytes(2, "big")
    else:
        length = b"\x7f" + len(data).to_bytes(8, "big")
    return bytes([0x80 | opcode]) + length + data


class HttpHandler(BaseHTTPRequestHandler):
    """One connection: HTTP/1.1, kept alive, each answer in one write."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    app: App  # set in a subclass

    def answer(self) -> None:
        app, started = self.app, time.perf_counter()
        with app:
            url, _question, query = self.path.partition("?")
            template, respond = route(url)
            try:
                body = self.read_body()
                values = parse_qs(query, keep_blank_values=True, max_num_fields=50) if query else {}
                local = self.connection.getsockname()[0]
                request = Request(
                    app, self.command, url, values, self.headers, body, self.client_address[0], local
                )
                response = respond(request)
            except RefusedError as refused:
                response = text(str(refused), refused.status, refused.headers)
            except ValueError:
                response = text("The query cannot be read.", 400)
            except MemoryError:
                response = text("There is not enough memory for this request.", 503)
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

    # Every method is answered: what a path does with it is Envoy's business in the demos.
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def read_body(self) -> bytes:
        most = self.app.settings.limits["LIMIT_BODY"]
        encoding = self.headers.get("transfer-encoding")
        length = self.headers.get("content-length")
        try:
            if encoding is None and length is None:
                return b""
            if encoding is not None:
                if encoding.lower() != "chunked" or length is not None:
                    raise RefusedError(
                        400, "The body's encoding has to be chunked, without a content-length."
                    )
                return self.read_chunks(most)
            if not re.fullmatch(r"[0-9]{1,15}", length or ""):
                raise RefusedError(400, "content-length has to be a whole number.")
            return self.read_exactly(int(length or 0), most)
        except RefusedError:
            self.close_connection = True  # the rest of the body is still on its way
            raise

    def read_chunks(self, most: int) -> bytes:
        body = b""
        while True:
            size = re.fullmatch(rb"([0-9A-Fa-f]{1,8})[ \t]*(;.*)?\r\n", self.rfile.readline(1024))
            if size is None:
                raise RefusedError(400, "The body's chunks cannot be read.")
            length = int(size[1], 16)
            if length:
                body += self.read_exactly(length, most - len(body))
            else:  # trailers
                while self.rfile.readline(65_536) not in (b"\r\n", b""):
                    pass
                return body
            if self.rfile.readline(3) != b"\r\n":
                raise RefusedError(400, "The body's chunks cannot be read.")

    def read_exactly(self, length: int, most: int) -> bytes:
        if length > most:
            limit = self.app.settings.limits["LIMIT_BODY"]
            raise RefusedError(413, f"The body is longer than {limit} bytes ({PREFIX}LIMIT_BODY).")
        body = self.rfile.read(length)
        if len(body) < length:
            raise RefusedError(400, "The body is shorter than it was said to be.")
        return body

    def send(self, response: Response) -> None:
        settings = self.app.settings
        try:
            reason = HTTPStatus(response.status).phrase
        except ValueError:
            reason = "Unknown"
        bare = response.status in (101, 204, 304)
        body = b"" if bare else response.body
        lines = [
            f"HTTP/1.1 {response.status} {reason}",
            "server: demo-app",
            f"date: {formatdate(usegmt=True)}",
        ]
        lines.append(f"x-served-by: {settings.hostname}")
        if settings.version:
            lines.append(f"x-app-version: {settings.version}")
        if not bare:
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
        """Sends back each message; the first one after a line that says who does."""
        told = b"served-by %s\n" % self.app.settings.hostname.encode()
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
                        self.wfile.write(frame_bytes(kind, told + message))
                    told, message = b"", b""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """What the server's own parser refuses is answered in the same form."""
        self.close_connection = True
        self.command = self.command or "GET"
        self.send(text(f"{message or 'This request cannot be answered'}.", int(code)))

    def handle_expect_100(self) -> bool:
        self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing is logged but what LOG asks for."""


class EchoHandler(socketserver.BaseRequestHandler):
    """One connection over TCP: what comes is sent back, the first time after a line that says who does."""

    app: App

    def handle(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        told = b"served-by %s\n" % self.app.settings.hostname.encode()
        while True:
            data = self.request.recv(65_536)
            if not data:
                return
            with self.app:
                self.request.sendall(told + data)
            told = b""


class DatagramHandler(socketserver.BaseRequestHandler):
    """One datagram: sent back after a line that says who does."""

    app: App

    def handle(self) -> None:
        data, server = self.request
        server.sendto(b"served-by %s\n" % self.app.settings.hostname.encode() + data, self.client_address)


class Quiet:
    """A client that goes away is nothing to print a traceback for."""

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            print(f"demo_app: {type(error).__name__}: {error}", file=sys.stderr, flush=True)


class StreamServer(Quiet, socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024


class DatagramServer(Quiet, socketserver.UDPServer):
    max_packet_size = 65_536


def welcome(server: socket.socket) -> None:
    """Accepts connections, and ends them: a server of datagrams can be asked in this way whether it is there."""
    while True:
        with contextlib.suppress(OSError):
            server.accept()[0].close()


def serve(settings: Settings) -> int:
    """Serves until a signal says otherwise; then finishes what is under way."""
    # Waited for, and not handled: a handler that is called while this thread begins to wait would wait for it in turn.
    stops = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)  # of the threads to come, too
    app = App(settings)
    base = {"http": HttpHandler, "tcp": EchoHandler, "udp": DatagramHandler}[settings.protocol]
    kind: Any = DatagramServer if settings.protocol == "udp" else StreamServer
    family = socket.AF_INET6 if ":" in settings.bind else socket.AF_INET
    handler = type(base.__name__, (base,), {"app": app})
    port = settings.port
    try:
        if settings.protocol == "udp":
            # First, since of ports that are free for datagrams many are taken by connections.
            beside = socket.create_server((settings.bind, port), family=family)
            port = beside.getsockname()[1]
            threading.Thread(target=welcome, args=(beside,), daemon=True).start()
        server = type(kind.__name__, (kind,), {"address_family": family})((settings.bind, port), handler)
    except (OSError, OverflowError) as error:
        print(f"demo_app: cannot listen on {settings.bind} port {settings.port}: {error}", file=sys.stderr)
        return 1
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    print(f"demo_app: {settings.protocol} on {settings.bind} port {server.server_address[1]}", flush=True)
    signal.sigwait(stops)
    app.stopping.set()
    started = time.monotonic()
    time.sleep(min(settings.drain, settings.deadline))
    left = max(0.0, started + settings.deadline - time.monotonic())
    with app.changed:
        finished = app.changed.wait_for(lambda: app.under_way == 0, left)
    if not finished:
        print(
            f"demo_app: stopped after {settings.deadline} s with requests under way",
            file=sys.stderr,
            flush=True,
        )
    return 0


def usage() -> str:
    width = max(map(len, SETTINGS)) + len(PREFIX)
    lines = [
        f"  {PREFIX + name:{width}}  {what} (default: {default or 'empty'})"
        for name, (default, what) in SETTINGS.items()
    ]
    return "\n".join(["demo_app: the application behind the demos. Environment:", *lines])


def main() -> int:
    if sys.argv[1:]:
        print(usage())
        return 0 if sys.argv[1:] in (["-h"], ["--help"]) else 2
    try:
        return serve(Settings.read(os.environ))
    except SettingsError as error:
        print(f"demo_app: {error}.", file=sys.stderr)
        return 2


def _exit() -> NoReturn:
    # Threads of idle connections hold nothing that would have to be cleaned up.
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _exit()
