# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The public interface: its names, its docstrings, and the example."""

from __future__ import annotations

import inspect
import json
import textwrap
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils import stats_api
from ansible_collections.meshlab.envoy.plugins.module_utils.stats_api import (
    Limits,
    Query,
    Selection,
    parse_endpoints,
    scrape,
)

PUBLIC = [getattr(stats_api, name) for name in stats_api.__all__]


class FakeAdmin(BaseHTTPRequestHandler):
    """An Envoy with one counter, which each page of /server_info does not change."""

    count = 0

    def do_GET(self) -> None:
        body = {"version": "x/1.40.0/y", "state": "LIVE", "uptime_current_epoch": "60s", "node": {}}
        if self.path.startswith("/stats"):
            body = {"stats": [{"name": "http.in.downstream_rq_2xx", "value": type(self).count}]}
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_arguments: object) -> None:
        """Print nothing."""


@pytest.fixture
def admin_url() -> Iterator[str]:
    FakeAdmin.count = 5
    with HTTPServer(("127.0.0.1", 0), FakeAdmin) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_example_of_the_module(admin_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    docstring = stats_api.__doc__ or ""
    begin = docstring.index("    from ansible_collections")
    program = textwrap.dedent(docstring[begin : docstring.index("Functions:")])
    assert "unix:///run/envoy/admin.sock" in program

    def send_traffic() -> None:
        FakeAdmin.count += 20

    source = program.replace("unix:///run/envoy/admin.sock", admin_url)
    exec(compile(source, "example", "exec"), {"send_traffic": send_traffic})  # the example itself
    assert capsys.readouterr().out.startswith("True ")


def test_example_of_scrape(admin_url: str) -> None:
    endpoints = parse_endpoints([{"name": "edge", "url": admin_url}])
    query = Query({"stats": Selection(frozenset(["http.in.downstream_rq_2xx"]))})
    page = scrape(endpoints, query, timeout=5, limits=Limits(concurrency=1)).pages["edge"]
    assert page.sources["stats"].values == {"http.in.downstream_rq_2xx": 5}
    assert page.identity is not None
    assert (page.identity.version, page.identity.state) == ("1.40.0", "LIVE")


@pytest.mark.parametrize(
    "function", [one for one in PUBLIC if inspect.isfunction(one)], ids=lambda one: one.__name__
)
def test_each_function_has_a_full_docstring(function: object) -> None:
    docstring = inspect.getdoc(function) or ""
    if len(inspect.signature(function).parameters) > 1:  # type: ignore[arg-type]
        assert "Args:" in docstring
    assert "Raises" in docstring


@pytest.mark.parametrize("name", stats_api.__all__)
def test_each_name_is_documented(name: str) -> None:
    public = getattr(stats_api, name)
    if inspect.isclass(public) or inspect.isfunction(public):
        assert inspect.getdoc(public)
        assert not (inspect.getdoc(public) or "").startswith(f"{name}(")  # as dataclasses generate it
