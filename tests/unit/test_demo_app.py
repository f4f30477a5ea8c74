# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the demo app's settings, paths and metrics, without a network."""

from __future__ import annotations

import importlib.util
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FILE = Path(__file__).resolve().parents[2] / "roles" / "demo_app" / "files" / "demo_app.py"


@pytest.fixture(scope="module")
def app() -> ModuleType:
    specification = importlib.util.spec_from_file_location("demo_app", FILE)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["demo_app"] = module  # dataclasses need the module in sys.modules
    specification.loader.exec_module(module)
    return module


def request(
    app: ModuleType, path: str = "/", query: dict[str, list[str]] | None = None, **settings: str
) -> Any:
    environment = {f"DEMO_APP_{name}": value for name, value in {"HOSTNAME": "app-1", **settings}.items()}
    shared = app.App(app.Settings.read(environment))
    return app.Request(shared, "GET", path, query or {}, {}, b"", "192.0.2.1", "192.0.2.2")


def test_settings_have_defaults(app: ModuleType) -> None:
    settings = app.Settings.read({"PATH": "/bin"})
    assert (settings.bind, settings.port, settings.protocol, settings.service) == (
        "0.0.0.0",
        8080,
        "http",
        "",
    )
    assert settings.hostname
    assert settings.limits["LIMIT_DELAY_MS"] == 10000


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("PORT", "http", "DEMO_APP_PORT: 'http' is not a whole number from 0 to 65535."),
        ("PORT", "65536", "from 0 to 65535"),
        ("PORT", "-1", "a whole number"),
        ("PROTOCOL", "sctp", "one of http, tcp, udp"),
        ("LOG", "yes", "one of none, requests"),
        ("SERVICE", "1/2", "Use letters, digits, dots and dashes only."),
        ("HOSTNAME", "a\r\nx: y", "Use letters, digits, dots and dashes only."),
        ("VERSION", 'v"1', "Use letters, digits, dots and dashes only."),
        ("CALLS", "http://a", "DEMO_APP_CALLS: 'http://a' is not a host. Use host or host:port."),
        ("CALLS", "*", "Use host or host:port."),
        ("LIMIT_CPU_MS", "1.5", "a whole number"),
        ("PROT", "1", "unknown setting 'DEMO_APP_PROT'. Did you mean 'DEMO_APP_PORT'?"),
        ("ZZZ", "1", "unknown setting 'DEMO_APP_ZZZ'. "),
    ],
)
def test_invalid_setting_is_an_error(app: ModuleType, name: str, value: str, message: str) -> None:
    with pytest.raises(app.SettingsError) as refused:
        app.Settings.read({f"DEMO_APP_{name}": value})
    assert message in str(refused.value)


def test_unix_socket_receives_no_datagrams(app: ModuleType) -> None:
    with pytest.raises(app.SettingsError, match="DEMO_APP_UNIX_SOCKET: datagrams need a port"):
        app.Settings.read({"DEMO_APP_UNIX_SOCKET": "/run/app.sock", "DEMO_APP_PROTOCOL": "udp"})


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/", "/"),
        ("/service/1", "/service/{n}"),
        ("/status/503", "/status/{code}"),
        ("/service/", "other"),
        ("/service/1/2", "other"),
        ("/services", "other"),
        ("/nothing", "other"),
        ("/metrics", "/metrics"),
    ],
)
def test_path_has_a_template(app: ModuleType, path: str, template: str) -> None:
    assert app.route(path)[0] == template


def test_service_answers_its_own_number_only(app: ModuleType) -> None:
    own = request(app, "/service/2", SERVICE="2")
    own.app.address = "10.0.0.7"
    assert (
        app.service(own).body
        == b"Hello from behind Envoy (service 2)! hostname: app-1 resolved hostname: 10.0.0.7\n"
    )
    for service in ("1", "22", ""):
        with pytest.raises(app.RefusedError) as refused:
            app.service(request(app, "/service/2", SERVICE=service))
        assert refused.value.status == 404


@pytest.mark.parametrize(
    ("answer", "query", "limit"),
    [
        ("cpuwork", "cpu", "CPU_MS"),
        ("workload", "value", "CPU_MS"),
        ("memwork", "memory", "MEMORY_MB"),
        ("memwork", "value", "DELAY_MS"),
        ("delay", "ms", "DELAY_MS"),
        ("repeated_bytes", "n", "BYTES"),
    ],
)
def test_value_above_a_limit_is_refused(app: ModuleType, answer: str, query: str, limit: str) -> None:
    respond = getattr(app, answer)
    assert respond(request(app, query={query: ["3"]}, **{f"LIMIT_{limit}": "3"})).status == 200
    for value in ("4", "-1", "x", "1e3", ""):
        with pytest.raises(app.RefusedError) as refused:
            respond(request(app, query={query: [value]}, **{f"LIMIT_{limit}": "3"}))
        assert refused.value.status == 400
        assert query in str(refused.value)


def test_concurrent_work_is_limited(app: ModuleType) -> None:
    shared = request(app, query={"memory": ["0"], "value": ["1"]}, LIMIT_WORK="1")
    entered, leave = threading.Event(), threading.Event()

    def wait(_request: Any) -> Any:
        entered.set()
        assert leave.wait(5)
        raise ValueError("even after an error")

    def work() -> None:
        with pytest.raises(ValueError, match="even"):
            app.limited(wait)(shared)

    thread = threading.Thread(target=work)
    thread.start()
    assert entered.wait(5)
    with pytest.raises(app.RefusedError) as refused:
        app.memwork(shared)
    assert (refused.value.status, refused.value.headers) == (429, (("retry-after", "1"),))
    leave.set()
    thread.join()
    assert app.memwork(shared).status == 200


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("", 400),
        ("https://allowed/", 400),
        ("file:///etc/passwd", 400),
        ("http://allowed@elsewhere/", 400),
        ("http://allowed:x/", 400),
        ("http://allowed/\r\nx: y", 400),
        ("http://elsewhere/", 403),
        ("http://elsewhere#@allowed/", 403),
        ("http://allowed.elsewhere/", 403),
        ("http://ported/", 403),
        ("http://ported:82/", 403),
        ("http://169.254.169.254/latest/", 403),
    ],
)
def test_hop_calls_allowed_hosts_only(
    app: ModuleType, url: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.http.client, "HTTPConnection", lambda *_a, **_k: pytest.fail("called"))
    with pytest.raises(app.RefusedError) as refused:
        app.hop(request(app, "/hop", {"url": [url]}, CALLS="allowed, ported:81"))
    assert refused.value.status == status


@pytest.mark.parametrize("hops", ["4", "999", "x", "-1"])
def test_chain_of_hops_is_limited(app: ModuleType, hops: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.http.client, "HTTPConnection", lambda *_a, **_k: pytest.fail("called"))
    last = request(app, "/hop", {"url": ["http://allowed/"]}, CALLS="allowed", LIMIT_HOPS="4")
    last.headers = {app.HOPS_HEADER: hops}
    with pytest.raises(app.RefusedError, match="longer than 4"):
        app.hop(last)


def test_metrics_count_requests_and_durations(app: ModuleType) -> None:
    before = time.time()
    metrics = app.Metrics()
    for seconds in (0.0005, 0.001, 0.3, 99.0):
        metrics.count("GET", "/delay", 200, seconds)
    metrics.count("POST", "other", 404, 0.2)
    lines = metrics.text(
        3, app.Settings.read({"DEMO_APP_SERVICE": "1", "DEMO_APP_HOSTNAME": "h"})
    ).splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert values['demo_app_requests_total{method="GET",path="/delay",status="200"}'] == "4"
    assert values['demo_app_requests_total{method="POST",path="other",status="404"}'] == "1"
    buckets = [
        int(value)
        for name, value in values.items()
        if name.startswith('demo_app_request_duration_seconds_bucket{path="/delay"')
    ]
    assert buckets == [2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 4]
    assert values['demo_app_request_duration_seconds_bucket{path="/delay",le="+Inf"}'] == "4"
    assert values['demo_app_request_duration_seconds_count{path="/delay"}'] == "4"
    assert float(values['demo_app_request_duration_seconds_sum{path="/delay"}']) == pytest.approx(99.3015)
    assert values["demo_app_requests_under_way"] == "3"
    assert before - 0.001 <= float(values["process_start_time_seconds"]) <= time.time() + 0.001
    assert values['demo_app_info{service="1",version="",hostname="h"}'] == "1"
    assert len(values) == len([line for line in lines if not line.startswith("#")]), "each series occurs once"


def test_page_escapes_headers_of_the_client(app: ModuleType) -> None:
    shown = request(app, SERVICE="1")
    shown.headers = {"x-forwarded-for": "<script>"}
    page = app.index(shown).body.decode()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    for part in ("192.0.2.1", "app-1", '<html lang="en">', "<title>", "<h1>", '<a href="/service/1">'):
        assert part in page
