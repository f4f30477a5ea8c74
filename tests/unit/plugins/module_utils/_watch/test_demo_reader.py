# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading a demo: only GET of four pages, and the record of the deployment folder."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import state_file
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.state_file import FolderState
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_parser import parse_endpoints
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.transport import Connector
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.demo_reader import (
    DemoReader,
    deployment_digest,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.read_only_client import (
    PAGES,
    ReadOnlyAdminClient,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.watch_options import perform, read_part

STATS = {"stats": [{"name": "cluster.web.upstream_rq_total", "value": 3}]}
ANSWERS: dict[str, Any] = {
    "/stats": STATS,
    "/clusters": {"cluster_statuses": []},
    "/listeners": {"listener_statuses": []},
    "/server_info": {"version": "c/1.40.0/Clean/RELEASE/B", "state": "LIVE", "uptime_current_epoch": "0s"},
}


class Admin(ThreadingHTTPServer):
    """An admin interface that records each request."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def plan(self) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.server_port}"
        endpoints = [
            {"name": "edge", "proxy": "edge", "format": "envoy", "url": url},
            {"name": "app", "proxy": None, "format": "prometheus", "url": url},
        ]
        return {"name": "shop", "platform": "local", "folder": "/nonexistent", "endpoints": endpoints}


class _Handler(BaseHTTPRequestHandler):
    server: Admin
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        page = self.path.partition("?")[0]
        self.server.requests.append(f"{self.command} {page}")
        body = json.dumps(ANSWERS[page]).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_DELETE = do_GET

    def log_message(self, *_arguments: Any) -> None:
        """Log nothing."""


@pytest.fixture
def admin() -> Iterator[Admin]:
    server = Admin()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_only_pages_without_effect_are_read(admin: Admin) -> None:
    reader = DemoReader(admin.plan)
    for _round in range(3):
        page = reader.read().snapshot.pages["edge"]  # type: ignore[union-attr]
        assert page.failure is None
        assert page.sources["stats"].values == {"cluster.web.upstream_rq_total": 3}
        assert page.identity is not None
        assert page.identity.version == "1.40.0"
    reader.close()
    assert set(admin.requests) == {f"GET {page}" for page in PAGES}
    # An Envoy in its first second would be read again, for the time of its bootstrap: /config_dump is no page of a live view.
    assert not [one for one in admin.requests if "config_dump" in one]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/stats"),
        ("POST", "/quitquitquit"),
        ("GET", "/quitquitquit"),
        ("GET", "/config_dump"),
        ("GET", "/stats/recentlookups/enable"),
        ("GET", "/stats/../quitquitquit"),
        ("GET", "/logging?level=debug"),
        ("GET", "/certs"),
        ("GET", ""),
        ("get", "/stats"),
        ("PUT", "/clusters"),
    ],
)
def test_other_requests_are_not_sent(admin: Admin, method: str, path: str) -> None:
    [endpoint] = parse_endpoints([admin.plan["endpoints"][0]])
    client = ReadOnlyAdminClient(endpoint, Connector())
    with pytest.raises(ScrapeError, match=f"^{re.escape(method)} .*is not sent"):
        asyncio.run(client.request(path, method))
    assert admin.requests == []


def test_default_method_is_refused(admin: Admin) -> None:
    [endpoint] = parse_endpoints([admin.plan["endpoints"][0]])
    with pytest.raises(ScrapeError, match="POST /stats is not sent"):
        asyncio.run(ReadOnlyAdminClient(endpoint, Connector()).request("/stats"))


def test_module_reads_one_round(admin: Admin) -> None:
    found = perform({"plan": read_part(admin.plan)}, check_mode=False)
    assert found["deployment"] is None
    assert list(found["snapshot"]["endpoints"]) == ["edge"]
    assert found["changed"] is False


def test_module_reads_nothing_in_check_mode(admin: Admin) -> None:
    assert perform({"plan": admin.plan}, check_mode=True)["changed"] is False
    assert admin.requests == []


def test_plan_without_key_is_refused() -> None:
    found = perform({"plan": {"name": "shop"}}, check_mode=False)
    assert found["failed"]
    assert found["msg"] == (
        "plan: the key 'platform' is missing. Pass the plan that meshlab.envoy.demo_plan returns."
    )


def test_record_shows_another_deployment(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir(mode=0o700)
    assert deployment_digest(str(folder)) is None
    state = FolderState(files={"edge/bootstrap.yaml": ["0" * 64]})
    state_file.save(folder, state)
    assert deployment_digest(str(folder)) == "", "not complete"
    state.complete = True
    state_file.save(folder, state)
    first = deployment_digest(str(folder))
    assert first
    state.checks = {"edge": "1" * 64}
    state_file.save(folder, state)
    assert deployment_digest(str(folder)) == first, "the same files"
    state.files["edge/listeners.yaml"] = ["2" * 64]
    state_file.save(folder, state)
    assert deployment_digest(str(folder)) not in (first, "", None)


def test_record_that_is_not_trusted_is_no_removal(tmp_path: Path) -> None:
    (tmp_path / ".files.json").write_text("[]")
    reader = DemoReader(
        {"folder": str(tmp_path), "endpoints": [{"name": "a", "url": "http://a", "format": "envoy"}]}
    )
    assert reader.deployment() == ""
    reader.close()
