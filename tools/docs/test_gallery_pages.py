# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the generated pages: they show the content of the demo file and the last results, with escaped Markdown."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = """
# A license
---
summary: "*One* app, <b>'quoted'</b>"
notes: ["curl -H 'a: $b' http://127.0.0.1:8000/: with --options"]
ports: 20000
services:
  web: {}
proxies:
  edge:
    listeners:
      http:
        port: 8080
        publish: 8000
        http_filters:
          - name: envoy.filters.http.fault
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault}
        routes:
          - match: {prefix: /}
            route: {cluster: web}
    clusters:
      web: {to: web}
traffic:
  - name: all visitors
    to: edge
    path: /a|b
    requests: 20
    concurrency: 4
    connections: new
    headers: {x-plan: gold}
    expect:
      - {status: "200", op: eq, value: 20}
expectations:
  - {at: edge, stat: cluster.web.upstream_rq_200, of: delta, op: eq, value: 20}
changes:
  more:
    summary: A second app
    set: {services: {web: {replicas: 2}}}
    during:
      - {name: meanwhile, to: edge, rate: 50, duration: 4}
"""
RUN = {
    "demo": "shop",
    "held": 2,
    "expectations": 4,
    "changes": 1,
    "seconds": 12.3,
    "failed": [],
    "unsupported_on": "",
    "seen": {
        "": ["✔ expected 20, got 20 (answers with status 200 of traffic all visitors)"],
        "more": ["✘ x <1>"],
    },
}


def page(**more: Any) -> str:
    # Test modules are loaded before pytest_configure makes the collection importable.
    import gallery_pages

    return gallery_pages.page(gallery_pages.Demo("shop", TEXT, **more))


@pytest.fixture
def demo_runs() -> ModuleType:
    """Import tools/gallery/demo_runs.py, which is a program."""
    return importlib.import_module("demo_runs")


def test_markdown_in_a_demo_file_is_escaped() -> None:
    text = page()
    assert r"\*One\* app, \<b\>'quoted'\</b\>." in text
    assert r"- curl -H 'a: \$b' http://127.0.0.1:8000/: with --options" in text


def test_page_shows_how_to_run_on_each_platform() -> None:
    text = page(unsupported_on={"kubernetes": "a port-forward carries no datagrams"})
    assert "```sh\nmake demo DEMO=shop\nmake demo DEMO=shop PLATFORM=docker\n" in text
    assert "```sh\nansible-playbook -i inventories/local site.yml -e demo=shop\n" in text
    assert "PLATFORM=kubernetes\n" not in text
    assert "- kubernetes: unsupported: a port-forward carries no datagrams" in text


def test_page_describes_traffic_and_expectations() -> None:
    text = page()
    assert (
        "- **all visitors**: 20 requests `GET http://…/a\\|b` to `edge`, 4 at a time, each over a new connection, with `x-plan: gold`\n"
        "  - answers with status 200: 20" in text
    )
    assert "- `delta of cluster.web.upstream_rq_200 at edge: 20`" in text


def test_page_shows_the_topology_after_a_change() -> None:
    text = page()
    assert "### more\n\nA second app." in text
    assert "make change DEMO=shop CHANGE=more\n" in text
    assert "- **meanwhile**: requests for 4 s `GET http://…/` to `edge`, 50 a second" in text
    assert text.count("<svg ") == 2
    assert "web × 2" in text
    assert (
        "The traffic after the change is the traffic of the demo.\n\nThe expected numbers after the change are those of the demo."
        in text
    )


def test_platform_without_results_is_shown_as_not_run() -> None:
    assert "| docker | not run: `make demos PLATFORM=docker` |" in page()


def test_page_shows_the_last_results() -> None:
    text = page(runs={"local": RUN})
    assert "| local | ✔ 2 of 4 expectations | 12 s |" in text
    assert (
        "✔ expected 20, got 20 (answers with status 200 of traffic all visitors)\n\nafter change more:\n✘ x &lt;1&gt;</pre>"
        in text
    )
    assert "| docker | not run" in text


def test_failed_result_without_verdicts_has_no_details() -> None:
    old = {key: value for key, value in RUN.items() if key != "seen"}
    text = page(runs={"local": {**old, "failed": [["site", "…"]]}})
    assert "| local | ✘ 2 of 4 expectations | 12 s |" in text
    assert "<details>" not in text


def test_index_lists_summary_and_features() -> None:
    import gallery_pages

    text = gallery_pages.index([gallery_pages.Demo("shop", f"{TEXT}theme: resilience\n")])
    assert "## Limits and faults\n" in text
    assert '<a href="shop.html">shop</a></p><p>*One* app, &lt;b&gt;&#x27;quoted&#x27;&lt;/b&gt;.</p>' in text
    assert '<p class="features">envoy.filters.http.fault</p>' in text
    assert ":hidden:\n\nshop\n" in text


def test_gallery_begins_with_front_proxy() -> None:
    import gallery_pages

    canary, first = (
        gallery_pages.Demo(name, f"{TEXT}theme: basics\n") for name in ("canary", gallery_pages.FIRST)
    )
    text = gallery_pages.index([canary, first])
    assert text.index("front_proxy.html") < text.index("canary.html")


def test_demo_with_an_unknown_theme_is_reported() -> None:
    import gallery_pages

    demos = [
        gallery_pages.Demo("a", f"{TEXT}theme: basic\n"),
        gallery_pages.Demo("b", f"{TEXT}theme: basics\n"),
    ]
    assert gallery_pages.themeless(demos) == ["a"]


def test_each_demo_of_the_gallery_has_a_page(demo_runs: ModuleType, tmp_path: Path) -> None:
    import gallery_pages

    demos = gallery_pages.gallery(ROOT / "playbooks" / "demos", tmp_path, demo_runs.unsupported_on)
    gallery_pages.write(tmp_path / "pages", demos)
    names = {path.stem for path in (ROOT / "playbooks" / "demos").glob("*.yml")}
    assert {path.stem for path in (tmp_path / "pages").glob("*.md")} == {*names, "index"}
    assert {path.stem for path in (tmp_path / "pages").glob("*.yml")} == names


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("  expectations  ✔ expected 1, got 1 (answers of traffic kept)", ["✔ expected 1, got 1 (answers of traffic kept)"]),
        ("                ✘ expected 1, got 0 (x at edge)", ["✘ expected 1, got 0 (x at edge)"]),
        ("  try           ✔ a note", []),
        ("[1/2] ✔ shop: 2 of 2 expectations hold", []),
    ],
)  # fmt: skip
def test_verdicts_are_found_in_a_line_of_the_report(
    demo_runs: ModuleType, line: str, seen: list[str]
) -> None:
    assert demo_runs.SEEN.findall(f"\n{line}\n") == seen


def test_verdicts_are_found_in_a_written_report(demo_runs: ModuleType) -> None:
    from ansible_collections.meshlab.envoy.plugins.module_utils._report.run_result import run_result
    from ansible_collections.meshlab.envoy.plugins.module_utils._report.terminal_report import terminal_report

    plan = {
        "name": "shop",
        "platform": "local",
        "summary": "A shop",
        "workloads": [],
        "addresses": [],
        "notes": ["✔ no"],
    }
    verdicts = [
        {"ok": True, "message": "one"},
        {"ok": True, "message": "two"},
        {"ok": False, "message": "three"},
    ]
    result = {"traffic": [], "assertions": verdicts, "elapsed": 1.0}
    assert demo_runs.SEEN.findall("\n".join(terminal_report(run_result(plan, result)))) == [
        "✔ one",
        "✔ two",
        "✘ three",
    ]
