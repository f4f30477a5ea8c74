# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generate a page of the documentation for each demo of the gallery, and an index page with a table of the demos.

The results on a page are those of the last `make demos` in this checkout, or else the recorded ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import yaml
from demo_features import features
from gallery_runs import PLATFORMS, RECORD, last_runs
from markdown_text import code, plain_text

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.picture.plan_topology import topology_of
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan import make_plan
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import Plan
from ansible_collections.meshlab.envoy.plugins.module_utils._report.picture.topology_svg import picture
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._verify import planned_expectations

# The themes of the gallery, in the order of its page. Each demo file has the key of one of them.
THEMES = {
    "basics": "Basics",
    "routing": "Routing and load balancing",
    "configuration": "Dynamic configuration",
    "resilience": "Limits and faults",
    "security": "Security",
    "content": "Content of requests and responses",
    "protocols": "Protocols",
    "ai": "AI agents",
    "observability": "Observability",
}
# The demo that readers see first.
FIRST = "front_proxy"

Data = Mapping[str, Any]
Runs = Mapping[str, Data]  # the results of a demo by platform, with the keys of play_demos.Played


@dataclass(frozen=True)
class Demo:
    """A demo of the gallery: the text of its file, the platforms that it does not run on with the reasons, and its last results."""

    name: str
    text: str
    unsupported_on: Mapping[str, str] = field(default_factory=dict)
    runs: Runs = field(default_factory=dict)

    @cached_property
    def data(self) -> dict[str, Any]:
        """Return the content of the file."""
        found: dict[str, Any] = yaml.safe_load(self.text)
        return found

    def complete(self, change: str = "") -> dict[str, Any]:
        """Return the demo with all defaults, as in its file or after a change."""
        return read_demo(self.name, self.data, change)

    def plan(self, change: str = "") -> Plan:
        """Return its plan for an unspecified host. The addresses are the same on every host."""
        programs = ("envoy", "python", "statsd_exporter", "supervisord")
        context = {
            "platform": "local",
            "folder": f"~/.local/state/meshlab.envoy/{self.name}",
            "app": "",
            "change": change,
            **{one: {"executable": one} for one in programs},
        }
        return make_plan(self.name, {**self.data, "unsupported_on": {}}, context)


def write(folder: Path, demos: Sequence[Demo]) -> None:
    """Write the pages, and the demo files that they include, to a folder of the documentation's sources."""
    folder.mkdir(parents=True)
    (folder / "index.md").write_text(index(demos), encoding="utf-8")
    for demo in demos:
        (folder / f"{demo.name}.md").write_text(page(demo), encoding="utf-8")
        (folder / f"{demo.name}.yml").write_text(demo.text, encoding="utf-8")


def gallery(folder: Path, runs: Path, unsupported_on: Callable[[str, str], str]) -> list[Demo]:
    """Return the demos of a folder with their last results. `unsupported_on` returns the reason if a demo does not run on a platform."""
    results = last_runs(runs, RECORD)
    return [
        Demo(
            path.stem,
            path.read_text(encoding="utf-8"),
            {platform: reason for platform in PLATFORMS if (reason := unsupported_on(str(path), platform))},
            {platform: found[path.stem] for platform, found in results.items() if path.stem in found},
        )
        for path in sorted(folder.glob("*.yml"))
    ]


def index(demos: Sequence[Demo]) -> str:
    """Return the page with a card for each demo, grouped by theme, front_proxy first."""
    sections = []
    for theme, title in THEMES.items():
        members = sorted(
            (demo for demo in demos if demo.data.get("theme") == theme), key=lambda one: one.name != FIRST
        )
        if members:
            cards = "\n".join(map(_card, members))
            sections.append(f'## {title}\n\n```{{raw}} html\n<ul class="demos">\n{cards}\n</ul>\n```')
    text = "\n\n".join(sections)
    names = "\n".join(demo.name for demo in demos)
    return f"""# The gallery

{len(demos)} demos. Each is one file with a topology, traffic, and the expected numbers. Any demos run at the same time.

```sh
make demo DEMO={FIRST}
make demos
```

{text}

```{{toctree}}
:hidden:

{names}
```
"""


def themeless(demos: Sequence[Demo]) -> list[str]:
    """Return the names of the demos whose theme is not one of the gallery."""
    return [demo.name for demo in demos if demo.data.get("theme") not in THEMES]


def front_page(demo: Demo) -> str:
    """Return the picture of a demo with the numbers of its last run on the platform local, as HTML for the first page."""
    run: Data = demo.runs.get(PLATFORMS[0], {})
    verdicts = run.get("seen", {}).get("", [])[:4]
    items = "\n".join(f"<li><code>{escape(verdict)}</code></li>" for verdict in verdicts)
    held = f"{run['held']} of {run['expectations']} expectations hold" if run else ""
    return f"""<div class="topology-frame" tabindex="0" role="region" aria-label="The topology of {escape(demo.name)}">
{_picture(demo.complete(), "front-page")}
</div>
<ul class="verdicts">
{items}
<li>{escape(held)}.</li>
</ul>
"""


def _picture(complete: Data, identifier: str) -> str:
    """Return the picture of a demo with all defaults."""
    return picture(topology_of(dict(complete)), str(complete["name"]), identifier)


def _card(demo: Demo) -> str:
    """Return the list item of a demo: a small picture, its name, its summary and its Envoy features."""
    svg = _picture(demo.complete(), f"{demo.name}-thumbnail").replace("<svg ", '<svg aria-hidden="true" ', 1)
    names = ", ".join(features(demo.complete()))
    return (
        f'<li><div class="thumbnail">{svg}</div>'
        f'<p class="name"><a href="{demo.name}.html">{escape(demo.name)}</a></p>'
        f'<p>{escape(demo.data["summary"])}.</p><p class="features">{escape(names)}</p></li>'
    )


def page(demo: Demo) -> str:
    """Return the page of a demo."""
    complete, plan = demo.complete(), demo.plan()
    sections = [
        f"# {plain_text(demo.name)}",
        f"{plain_text(complete['summary'])}.",
        f"Envoy features: {', '.join(code(one) for one in features(complete))}.",
        "## Topology",
        html_block(_picture(complete, demo.name)),
        _addresses(plan["addresses"]),
        "## Run it",
        *_how_to_run(demo),
        *(["## Try it", _bullets(plain_text(one) for one in plan["notes"])] if plan["notes"] else []),
        "## Traffic",
        _traffic(complete["traffic"], plan["traffic"]),
        *_expectations("## Expected numbers", plan["assertions"]),
        *_changes(demo, complete),
        "## Last results",
        *_numbers(demo),
        "## The file",
        f"```{{literalinclude}} {demo.name}.yml\n:language: yaml\n:start-after: '---'\n:caption: playbooks/demos/{demo.name}.yml\n```",
    ]
    return "\n\n".join(one for one in sections if one) + "\n"


def html_block(svg: str) -> str:
    """Return a picture as a block of a page, in the colours of the page."""
    return f'```{{raw}} html\n<div class="topology-frame" tabindex="0">\n{svg}\n</div>\n```'


# --- Parts of a page ----------------------------------------------------------------------------------------------------------------------


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _addresses(addresses: Sequence[Data]) -> str:
    if not addresses:
        return ""
    rows = [
        f"| {plain_text(one['name'])} | {code(one['url'])} | {plain_text(one['what'])} |" for one in addresses
    ]
    return "\n".join(["| name | URL on local and docker | description |", "|---|---|---|", *rows])


def _how_to_run(demo: Demo) -> Iterator[str]:
    supported = [platform for platform in PLATFORMS if platform not in demo.unsupported_on]
    arguments = {one: "" if one == PLATFORMS[0] else f" PLATFORM={one}" for one in supported}
    if supported:
        commands = [f"make demo DEMO={demo.name}{arguments[one]}" for one in supported]
        yield "\n".join(["With make:", "", "```sh", *commands, "```"])
        commands = [
            f"ansible-playbook -i inventories/{one} site.yml -e demo={demo.name}" for one in supported
        ]
        yield "\n".join(["With Ansible:", "", "```sh", *commands, "```"])
    if demo.unsupported_on:
        yield _bullets(
            f"{platform}: unsupported: {plain_text(reason)}"
            for platform, reason in demo.unsupported_on.items()
        )
    yield (
        f"{code(f'make verify DEMO={demo.name}')} sends the traffic again, and {code(f'make down DEMO={demo.name}')} removes the demo,"
        " both with the same `PLATFORM`. `make` installs Ansible as `.venv/bin/ansible-playbook`."
    )


def _traffic(entries: Sequence[Data], planned: Sequence[Data]) -> str:
    """Return bullets for traffic: `entries` of the demo file, and their planned form."""
    lines = []
    sentences = planned_expectations.of_traffic(planned)
    for entry, one, expectations in zip(entries, parse_traffic(planned), sentences, strict=True):
        lines.append(f"- **{plain_text(one.name)}**: {_sent(one, str(entry['to']))}")
        lines += [f"  - {plain_text(sentence)}" for sentence in expectations]
    return "\n".join(lines)


def _sent(one: Traffic, to: str) -> str:
    """Return a phrase that describes the requests, messages or datagrams."""
    datagrams = one.target.scheme == "udp"
    noun = "datagram" if datagrams else "request" if one.target.http else "message"
    amount = (
        f"{one.requests} {noun}{'' if one.requests == 1 else 's'}"
        if one.requests
        else f"{noun}s for {one.duration:g} s"
    )
    method = f"{one.method} " if one.target.http else ""
    target = (
        code(f"{method}{one.target.scheme}://…{one.target.path}")
        if one.target.path
        else f"over {one.target.scheme}"
    )
    parts = [f"{amount} {target} to {code(to)}"]
    if one.rate:
        parts.append(f"{one.rate:g} a second")
    if one.concurrency > 1:
        parts.append(f"{one.concurrency} at a time")
    if not one.reuse:
        parts.append("each from a new socket" if datagrams else "each over a new connection")
    parts += [f"with {code(f'{name}: {value}')}" for name, value in one.headers]
    if one.host is not None:
        parts.append(f"for host {code(one.host)}")
    if one.body:
        parts.append(f"with a body of {len(one.body)} bytes")
    if one.payload:
        parts.append(f"with the payload {code(one.payload.decode(errors='replace').strip())}")
    if one.tls_version:
        parts.append(f"over {one.tls_version}")
    if one.alpn and one.alpn != ("http/1.1",):
        parts.append(f"with ALPN {code(', '.join(one.alpn))}")
    if one.within:
        parts.append(f"retried for up to {one.within:g} s until the expectations hold")
    return ", ".join(parts)


def _expectations(title: str, assertions: Sequence[Data]) -> list[str]:
    if not assertions:
        return []
    return [title, _bullets(code(sentence) for sentence in planned_expectations.of_assertions(assertions))]


def _changes(demo: Demo, complete: dict[str, Any]) -> Iterator[str]:
    if complete["changes"]:
        yield "## Changes"
    before = _picture(complete, demo.name)
    for name, change in complete["changes"].items():
        plan, changed = demo.plan(name), demo.complete(name)
        yield f"### {plain_text(name)}"
        yield f"{plain_text(change['summary'])}."
        yield f"```sh\nmake change DEMO={demo.name} CHANGE={name}\n```"
        if _picture(changed, demo.name) != before:
            yield html_block(_picture(changed, f"{demo.name}-{name}"))
        yield from _made(change, plan, "During the change:")
        for number, step in enumerate(change["steps"], 1):
            step_plan = demo.plan(f"{name}/{number}")
            yield f"Step {number}: {plain_text(step['summary'])}."
            yield from _made(step, step_plan, "During the step:")
            if step["traffic"]:
                yield "After the step:"
                yield _traffic(step["traffic"], step_plan["traffic"])
            yield from _expectations("Expected numbers after the step:", step_plan["assertions"])
        if change["rollback"]:
            yield "If an expectation of the change fails, the demo returns to its previous state, also without an interruption."
        yield (
            "After the change:"
            if change["traffic"] is not None
            else "The traffic after the change is the traffic of the demo."
        )
        if change["traffic"] is not None:
            yield _traffic(changed["traffic"], plan["traffic"])
        if change["expectations"] is not None:
            yield from _expectations("Expected numbers after the change:", plan["assertions"])
        else:
            yield "The expected numbers after the change are those of the demo."


def _made(change: Data, plan: Plan, title: str) -> Iterator[str]:
    """Yield what a change or a step sets, and the traffic that flows meanwhile. That of a change with steps flows in its steps."""
    if change["set"]:
        yield f"```yaml\n{yaml.safe_dump(change['set'], sort_keys=False, default_flow_style=None, width=110).strip()}\n```"
    if plan["during"]:
        yield title
        yield _traffic(change["during"], plan["during"])


def _numbers(demo: Demo) -> Iterator[str]:
    rows = ["| platform | result | time with removal |", "|---|---|---|"]
    for platform in PLATFORMS:
        run = demo.runs.get(platform)
        if reason := demo.unsupported_on.get(platform) or (
            run and not run["failed"] and run["unsupported_on"]
        ):
            rows.append(f"| {platform} | unsupported: {plain_text(reason)} | |")
        elif run is None:
            rows.append(f"| {platform} | not run: {code(f'make demos PLATFORM={platform}')} | |")
        else:
            mark = "✘" if run["failed"] else "✔"
            held = f"{mark} {run['held']} of {run['expectations']} expectations"
            rows.append(f"| {platform} | {held} | {float(run['seconds']):.0f} s |")
    yield "\n".join(rows)
    for platform, run in demo.runs.items():
        verdicts: Data = run.get("seen", {})
        if not verdicts:
            continue
        text = "\n".join(
            line
            for change, lines in verdicts.items()
            for line in [*([f"\nafter change {change}:"] if change else []), *lines]
        )
        yield (
            f"```{{raw}} html\n<details><summary>Verdicts on {escape(platform)}</summary>\n"
            f"<pre>{escape(text)}</pre></details>\n```"
        )
