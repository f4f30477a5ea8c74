# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The live page of front_proxy with real Envoys in headless Chromium, and the playbook that serves it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from browser_pages import MISSING, OVERFLOWING, OVERLAPPING, axe_findings, axe_script, browser_tab
from cluster_home import ClusterHome
from deployment import Deployment, take_down
from live import PLAYBOOK, ROOT, Home

from ansible_collections.meshlab.envoy.plugins.module_utils._watch.demo_reader import DemoReader
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.live_demo import LiveDemo, problems
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.page_server import PageServer, serving
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.watch_options import pod_access
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.watch_rounds import Limits, WatchRounds

if TYPE_CHECKING:
    from playwright.sync_api import Page

DEMO = "front_proxy"
WINDOWS: tuple[tuple[int, Any], ...] = ((390, "dark"), (1280, "light"), (1920, "dark"))
TIMEOUT = 60_000  # milliseconds
# Labels that begin with a number above 0.
BUSY = "() => [...document.querySelectorAll('svg.topology .label')].filter((one) => /^[0-9.,]*[1-9]/.test(one.textContent)).length >= 5"

pytestmark = pytest.mark.skipif(bool(MISSING) and os.environ.get("CI") != "true", reason=MISSING)


@dataclass
class Watched:
    """A deployed front_proxy, and its live page."""

    home: Home
    deployment: Deployment
    plan: Any
    rounds: WatchRounds
    server: PageServer

    def send(self, stop: threading.Event) -> None:
        """Send requests to all published ports of the edge until `stop`."""
        port = next(one["url"] for one in self.plan["addresses"] if one["name"] == "edge/http")
        while not stop.is_set():
            for path in ("/service/1", "/service/2"):
                urllib.request.urlopen(f"{port}{path}", timeout=30).read()


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    home = Home("local")
    try:
        deployment = Deployment(home, DEMO)
        plan = deployment.plan()
        result = deployment.run(plan)
        assert not result["failed"], result["msg"]
        reader = DemoReader(plan)
        rounds = WatchRounds(LiveDemo.of(plan), reader, Limits(interval=0.25))
        rounds.first()
        server = PageServer(rounds, 0, "a-key")
        server.ended = lambda: "the demo was removed"
        thread = threading.Thread(target=rounds.run)
        with serving(server):
            thread.start()
            try:
                yield Watched(home, deployment, plan, rounds, server)
            finally:
                take_down(home, DEMO)
                thread.join()
                reader.close()
    finally:
        home.close()


@pytest.fixture
def traffic(watched: Watched) -> Iterator[None]:
    """Send requests during a test."""
    stop = threading.Event()
    thread = threading.Thread(target=watched.send, args=(stop,))
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with browser_tab() as page:
        yield page


def open_live(tab: Page, watched: Watched, width: int, scheme: Any) -> None:
    tab.set_viewport_size({"width": width, "height": 900})
    tab.emulate_media(color_scheme=scheme)
    tab.goto(watched.server.url)


@pytest.mark.usefixtures("traffic")
def test_live_page_shows_rates_and_is_not_cut(watched: Watched, tab: Page) -> None:
    messages: list[str] = []
    loaded: list[str] = []
    tab.on("console", lambda message: messages.append(message.text))
    tab.on("request", lambda request: loaded.append(request.url))
    findings: dict[int, list[str]] = {}
    for width, scheme in WINDOWS:
        open_live(tab, watched, width, scheme)
        # At published ports, at the clusters of the edge and of the sidecars.
        tab.wait_for_function(BUSY, timeout=TIMEOUT)
        found = tab.evaluate(OVERFLOWING) + tab.evaluate(OVERLAPPING)
        if width == WINDOWS[0][0]:
            found += axe_findings(tab, axe_script())
        if found:
            findings[width] = found[:5]
    assert findings == {}
    assert messages == [], "the policy blocks nothing of the page"
    assert set(loaded) == {watched.server.url, f"{watched.server.url}events"}
    text = tab.inner_text("body")
    assert "all 3 Envoys live" in text
    assert tab.title().startswith(f"● {watched.home.name(DEMO)}: ")
    rows = {row.split("\t")[0]: row for row in text.splitlines() if "\t" in row}
    assert "1.40.0" in rows["edge"]
    assert "1 of 1" in rows["edge: cluster service1"]


@pytest.mark.slow  # axe-core takes seconds for a page
@pytest.mark.parametrize(("width", "scheme"), WINDOWS[1:])
@pytest.mark.usefixtures("traffic")
def test_live_page_is_accessible(watched: Watched, tab: Page, width: int, scheme: Any) -> None:
    open_live(tab, watched, width, scheme)
    tab.wait_for_function(BUSY, timeout=TIMEOUT)
    assert axe_findings(tab, axe_script()) == []


def test_faults_of_a_running_demo_are_shown(watched: Watched, tab: Page) -> None:
    open_live(tab, watched, 1280, "light")
    tab.wait_for_function("() => document.querySelector('.verdict.ok')", timeout=TIMEOUT)
    # A scrolled and selected part of the page stays while it changes.
    tab.evaluate("() => { document.querySelector('.scrolls').dataset.kept = 'yes'; }")
    watched.home.admin(DEMO, "service2-1", "/healthcheck/fail", "POST")
    try:
        tab.wait_for_function("() => document.querySelector('.failures')", timeout=TIMEOUT)
        assert "service2-1 is DRAINING." in tab.inner_text(".failures")
        assert tab.locator("svg.topology rect.failing").count() == 1
        assert "✘ 2 of 3 Envoys live" in tab.inner_text(".verdict")
    finally:
        watched.home.admin(DEMO, "service2-1", "/healthcheck/ok", "POST")
    tab.wait_for_function("() => document.querySelector('.verdict.ok')", timeout=TIMEOUT)
    assert tab.locator(".failures").count() == 0


def test_playbook_serves_the_page_until_the_demo_is_removed(watched: Watched, tab: Page) -> None:
    with played(watched) as (process, url):
        tab.goto(url)
        assert tab.inner_text("h1") == watched.home.name(DEMO)
        # The last test of the file that needs the demo.
        take_down(watched.home, DEMO)
        tab.wait_for_function("() => !document.getElementById('link').hidden", timeout=TIMEOUT)
        assert tab.inner_text("#link") == f"{watched.home.name(DEMO)} was removed."
        output = process.communicate(timeout=60)[0]
        assert process.returncode == 0, output
        assert f"{watched.home.name(DEMO)} was removed." in output


@pytest.mark.slow
def test_playbook_refuses_a_demo_that_does_not_run(watched: Watched) -> None:
    take_down(watched.home, DEMO)
    path = watched.home.demo(DEMO)
    ran = watched.home.play("watch", ok=False, demo=path)
    assert "the demo does not run: nothing is deployed in" in ran.error
    assert f"Deploy it first: make demo DEMO={watched.home.name(DEMO)} PLATFORM=local" in ran.error


@pytest.mark.slow
def test_interrupted_playbook_leaves_nothing(watched: Watched) -> None:
    assert not watched.deployment.run(watched.deployment.plan())["failed"]
    with played(watched) as (process, url):
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=60)[0]
        assert process.returncode == 99, output
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url, timeout=10)


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["docker", "kubernetes"])
def test_containers_and_pods_are_watched(platform: str) -> None:
    home = ClusterHome(platform) if platform == "kubernetes" else Home(platform)
    try:
        deployment = Deployment(home, DEMO)
        plan = deployment.plan()
        try:
            result = deployment.run(plan)
            assert not result["failed"], result["msg"]
            access = pod_access(plan, home.variables.get("deployment_cluster"))
            reader = DemoReader(plan, access)
            rounds = WatchRounds(LiveDemo.of(plan), reader, Limits())
            first = rounds.first()
            assert all(one["state"] == "LIVE" for one in first.state["envoys"]), first.state["envoys"]
            assert len(first.state["envoys"]) == 3
            assert not deployment.verify(plan, timeout=15)["failed"]
            state = rounds.first().state
            requests = {
                tuple(one["source"]): (one["rate"] or 0) * state["seconds"] for one in state["connections"]
            }
            # The traffic of the demo: 24 requests over HTTP, and 6 over TLS.
            assert round(requests["edge", "service1"]) >= 30
            assert round(requests["service2", "service2"]) >= 12
            assert problems(state) == []
            assert reader.deployment()
            reader.close()
            if access is not None:
                access.close()
        finally:
            take_down(home, DEMO)
    finally:
        home.close()


@contextmanager
def played(watched: Watched) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the playbook, with the address that it prints."""
    home = watched.home
    extra = json.dumps({**home.variables, "demo": str(home.demo(DEMO)), "watch_interval": 0.25})
    process = subprocess.Popen(
        [str(PLAYBOOK), "-i", home.inventory, str(ROOT / "playbooks" / "watch.yml"), "-e", extra],
        cwd=home.cwd,
        env=home.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    lines: list[str] = []
    try:
        for line in process.stdout:
            lines.append(line)
            if found := re.search(r": open (http://127\.0\.0\.1:\d+/[\w-]+/)$", line.rstrip()):
                yield process, found[1]
                return
        raise AssertionError("".join(lines))
    finally:
        process.kill()
        process.wait()
