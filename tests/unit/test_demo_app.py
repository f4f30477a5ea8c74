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

ROLE = Path(__file__).resolve().parents[2] / "roles" / "demo_app"
FILE, README = ROLE / "files" / "demo_app.py", ROLE / "README.md"


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
        ("CALLS", "http://a", "DEMO_APP_CALLS: 'http://a' is not valid. Use NAME=host:port."),
        ("CALLS", "*", "Use NAME=host:port."),
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
    ("path", "status"),
    [
        ("/hop/", 404),
        ("/hop/other/", 404),
        ("/hop/other:81/", 404),
        ("/hop/http://169.254.169.254/latest/", 404),
        ("/hop/known/\r\nx: y", 400),
        ("/hop/known/ü", 400),
    ],
)
def test_hop_calls_known_names_only(
    app: ModuleType, path: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.http.client, "HTTPConnection", lambda *_a, **_k: pytest.fail("called"))
    with pytest.raises(app.RefusedError) as refused:
        app.hop(request(app, path, CALLS="known=127.0.0.1:81, six=[::1]:82"))
    assert refused.value.status == status


@pytest.mark.parametrize("hops", ["4", "999", "x", "-1"])
def test_chain_of_hops_is_limited(app: ModuleType, hops: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.http.client, "HTTPConnection", lambda *_a, **_k: pytest.fail("called"))
    last = request(app, "/hop/known/", CALLS="known=127.0.0.1:81", LIMIT_HOPS="4")
    last.headers = {app.HOPS_HEADER: hops}
    with pytest.raises(app.RefusedError, match="longer than 4"):
        app.hop(last)


def test_name_with_several_addresses_calls_them_in_turn(app: ModuleType) -> None:
    shared = request(app, CALLS="web=a:1,web=b:2,other=[::1]:3").app
    assert [shared.next_address("web") for _number in range(3)] == [("a", 1), ("b", 2), ("a", 1)]
    assert shared.next_address("other") == ("::1", 3)


def test_rest_of_a_hop_is_not_a_label_of_metrics(app: ModuleType) -> None:
    assert app.route("/hop/a/status/503")[0] == "/hop/{name}"


def test_index_lists_all_paths_with_their_purpose(app: ModuleType) -> None:
    page = app.index(request(app, SERVICE="1", CALLS="billing=a:1")).body.decode()
    for path in app.PATHS:
        assert app.html.escape(app.description(path)) in page
    for example in ("/service/1", "/hop/billing/headers", "/workload?value=100", "/status/503"):
        assert f'href="{example}"' in page
    assert "status 431" in page


def test_readme_lists_all_paths_with_their_purpose(app: ModuleType) -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in README.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `/")
    ]
    assert [(path.strip("`").partition("?")[0], purpose) for path, purpose in rows] == [
        (template, app.description(path)) for path, (template, _respond) in app.PATHS.items()
    ]


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
