# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A demo's page says what its file says, and what was seen last; what it says is text, whatever is in it."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = """
# A license
---
summary: "*One* app, <b>'quoted'</b>"
notes: ["curl -H 'a: $b' http://127.0.0.1:8000/: what --it says"]
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
  - name: everybody
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
    "seen": {"": ["✔ everybody: 20 answers with status 200"], "more": ["✘ x <1>"]},
}


def page(**more: Any) -> str:
    # Not above: a module is read before the collection can be imported.
    import gallery_pages

    return gallery_pages.page(gallery_pages.Demo("shop", TEXT, **more))


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """tools/gallery/play_demos.py, which is a program."""
    monkeypatch.syspath_prepend(ROOT / "playbooks")
    return importlib.import_module("play_demos")


def test_what_a_file_says_is_no_markup() -> None:
    text = page()
    assert r"\*One\* app, \<b\>'quoted'\</b\>." in text
    assert r"- curl -H 'a: \$b' http://127.0.0.1:8000/: what --it says" in text


def test_how_it_is_run_on_each_runtime() -> None:
    text = page(unsupported_on={"kubernetes": "a port-forward carries no datagrams"})
    assert "| `make demo DEMO=shop` | `ansible-playbook -i inventories/local site.yml -e demo=shop` |" in text
    assert "| docker | `make demo DEMO=shop PLATFORM=docker` |" in text
    assert "| kubernetes | not there: a port-forward carries no datagrams |" in text


def test_what_is_sent_and_expected() -> None:
    text = page()
    assert (
        "- **everybody**: 20 requests `GET http://…/a\\|b` to `edge`, 4 at a time, each over a connection of its own, with `x-plan: gold`\n"
        "  - 20 answers with status 200" in text
    )
    assert "- `cluster.web.upstream_rq_200 at edge: delta eq 20`" in text


def test_a_change_is_shown_with_what_it_makes_of_the_topology() -> None:
    text = page()
    assert "### more\n\nA second app." in text
    assert "make change DEMO=shop CHANGE=more\n" in text
    assert "- **meanwhile**: requests for 4 s `GET http://…/` to `edge`, 50 a second" in text
    assert text.count("<svg ") == 2
    assert "web × 2" in text
    assert "Afterwards the same is sent as before.\n\nThe numbers must be as before." in text


def test_a_demo_that_was_not_run_here_says_so() -> None:
    assert "| docker | not run in this checkout yet: `make demos PLATFORM=docker` |" in page()


def test_the_last_numbers_are_shown() -> None:
    text = page(runs={"local": RUN})
    assert "| local | ✔ 2 of 4 expectations | 12 s |" in text
    assert "✔ everybody: 20 answers with status 200\n\nafter change more:\n✘ x &lt;1&gt;</pre>" in text
    assert "| docker | not run" in text


def test_a_run_of_before_numbers_were_kept_and_one_that_failed() -> None:
    old = {key: value for key, value in RUN.items() if key != "seen"}
    text = page(runs={"local": {**old, "failed": [["site", "…"]]}})
    assert "| local | ✘ 2 of 4 expectations | 12 s |" in text
    assert "<details>" not in text


def test_runs_are_found_by_runtime_and_demo(tmp_path: Path) -> None:
    import gallery_pages

    # A test calls its demo by a name of its own, and so its pods.
    tested = {**RUN, "demo": "t12_shop", "seen": {"": ["✔ x at t12-shop-edge-5f54: eq 12"]}}
    (tmp_path / "docker.json").write_text(json.dumps([RUN]), encoding="utf-8")
    (tmp_path / "kubernetes.json").write_text(json.dumps([tested]), encoding="utf-8")
    assert gallery_pages.last_runs(tmp_path) == {
        "docker": {"shop": RUN},
        "kubernetes": {"shop": {**RUN, "seen": {"": ["✔ x at shop-edge-5f54: eq 12"]}}},
    }


def test_what_is_on_record_is_shown_where_nothing_was_run(tmp_path: Path) -> None:
    import gallery_runs

    own, kept = tmp_path / "own", tmp_path / "kept"
    own.mkdir()
    gallery_runs.record({"local": {"shop": RUN}, "docker": {"shop": RUN}}, kept)
    mine = {**RUN, "seconds": 7.0}
    (own / "docker.json").write_text(json.dumps([mine]), encoding="utf-8")
    assert gallery_runs.last_runs(own, kept) == {"local": {"shop": RUN}, "docker": {"shop": mine}}


def test_the_index_says_what_of_envoy_a_demo_is_about() -> None:
    import gallery_pages

    text = gallery_pages.index([gallery_pages.Demo("shop", TEXT)])
    assert "* - [shop](shop.md)\n  - \\*One\\*" in text
    assert "\n  - `envoy.filters.http.fault`\n" in text
    assert ":hidden:\n\nshop\n" in text


def test_every_demo_of_the_gallery_has_a_page(played: ModuleType, tmp_path: Path) -> None:
    import gallery_pages

    demos = gallery_pages.gallery(ROOT / "playbooks" / "demos", tmp_path, played.unsupported_on)
    gallery_pages.write(tmp_path / "pages", demos)
    names = {path.stem for path in (ROOT / "playbooks" / "demos").glob("*.yml")}
    assert {path.stem for path in (tmp_path / "pages").glob("*.md")} == {*names, "index"}
    assert {path.stem for path in (tmp_path / "pages").glob("*.yml")} == names


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("  holds  ✔ kept: 100 answers with status 200", ["✔ kept: 100 answers with status 200"]),
        ("         ✔ x at edge: delta eq 20, as expected (saw 20)", ["✔ x at edge: delta eq 20, as expected (saw 20)"]),
        ("  FAILS  ✘ x at edge: expected eq 1, saw 0", ["✘ x at edge: expected eq 1, saw 0"]),
        ("  try    ✔ a note", []),
        ("[1/2] ✔ shop: 2 of 2 expectations hold", []),
    ],
)  # fmt: skip
def test_what_was_seen_is_in_the_report(played: ModuleType, line: str, seen: list[str]) -> None:
    assert played.SEEN.findall(f"\n{line}\n") == seen


def test_the_report_is_read_as_it_is_written(played: ModuleType) -> None:
    from ansible_collections.meshlab.envoy.plugins.module_utils._verify.report import report

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
    assert played.SEEN.findall("\n".join(report(plan, result))) == ["✔ one", "✔ two", "✘ three"]
