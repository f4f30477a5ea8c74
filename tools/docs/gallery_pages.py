# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A page of the documentation for each demo of the gallery, made from the demo's file, and one with a table of all of them.

What was seen last is what `make demos` saw in this checkout, else the run that is on record.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import yaml
from gallery_runs import PLATFORMS, RECORD, last_runs
from topology_picture import picture

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import EXPORTER
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.listeners import filter_chains
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan import make_plan
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic import Traffic, parse_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._verify import planned_expectations

Data = Mapping[str, Any]
Runs = Mapping[str, Data]  # what became of a demo, by platform; shape as `gallery.Played`

# What every demo has, and so says nothing of one.
USUAL = ("cluster", "prefix_rewrite", "timeout", "stat_prefix", "listener_filters", "typed_config", "name")
# An extension by its configuration's type, where its name is the author's.
TYPE = re.compile(r"type\.googleapis\.com/envoy\.extensions\.([\w.]+?)(?:\.v\d+\w*)?\.\w+$")
PUNCTUATION = re.compile(r"([\\`*_{}\[\]<>#|$~&!^])")


@dataclass(frozen=True)
class Demo:
    """A demo of the gallery: its file's text, on which platforms it cannot be verified and why, and its last runs."""

    name: str
    text: str
    unsupported_on: Mapping[str, str] = field(default_factory=dict)
    runs: Runs = field(default_factory=dict)

    @cached_property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load(self.text)
        return found

    def complete(self, change: str = "") -> dict[str, Any]:
        """The demo with all defaults, as it is or after a change."""
        return read(self.name, self.data, change)

    def plan(self, change: str = "") -> dict[str, Any]:
        """Its plan where nothing is said of the host; it has the same addresses where it does run."""
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
    """Write the pages, and the demos' files that they show, to a folder of the documentation's sources."""
    folder.mkdir(parents=True)
    (folder / "index.md").write_text(index(demos), encoding="utf-8")
    for demo in demos:
        (folder / f"{demo.name}.md").write_text(page(demo), encoding="utf-8")
        (folder / f"{demo.name}.yml").write_text(demo.text, encoding="utf-8")


def gallery(folder: Path, runs: Path, unsupported_on: Callable[[str, str], str]) -> list[Demo]:
    """Return the demos of a folder, with the last runs of each; `unsupported_on` says why a demo does not run on a platform, if so."""
    seen = last_runs(runs, RECORD)
    return [
        Demo(
            path.stem,
            path.read_text(encoding="utf-8"),
            {platform: why for platform in PLATFORMS if (why := unsupported_on(str(path), platform))},
            {platform: found[path.stem] for platform, found in seen.items() if path.stem in found},
        )
        for path in sorted(folder.glob("*.yml"))
    ]


def index(demos: Sequence[Demo]) -> str:
    """Return the page with the table of all demos."""
    rows = "\n".join(
        f"* - [{said(demo.name)}]({demo.name}.md)\n"
        f"  - {said(demo.data['summary'])}\n"
        f"  - {', '.join(code(one) for one in about(demo.complete()))}"
        for demo in demos
    )
    names = "\n".join(demo.name for demo in demos)
    return f"""# The gallery

{len(demos)} demos, each a file: what runs, what is sent, and what the numbers must be then. Any two of them run side by side.

```sh
make demo DEMO={demos[0].name if demos else ""}
make demos
```

```{{list-table}}
:header-rows: 1
:widths: 22 38 40
:class: gallery

* - demo
  - what it shows
  - of Envoy
{rows}
```

```{{toctree}}
:hidden:

{names}
```
"""


def page(demo: Demo) -> str:
    """Return the page of a demo."""
    complete, plan = demo.complete(), demo.plan()
    sections = [
        f"# {said(demo.name)}",
        f"{said(complete['summary'])}.",
        f"Of Envoy: {', '.join(code(one) for one in about(complete))}.",
        "## Topology",
        drawn(picture(complete, demo.name)),
        _addresses(plan["addresses"]),
        "## Run it",
        *_how_to_run(demo),
        *(["## Try it", _bullets(said(one) for one in plan["notes"])] if plan["notes"] else []),
        "## What is sent, and what is expected of it",
        _traffic(complete["traffic"], plan["traffic"]),
        *_expectations("## What the numbers must be then", plan["assertions"]),
        *_changes(demo, complete),
        "## Last numbers",
        *_numbers(demo),
        "## The file",
        f"```{{literalinclude}} {demo.name}.yml\n:language: yaml\n:start-after: '---'\n:caption: playbooks/demos/{demo.name}.yml\n```",
    ]
    return "\n\n".join(one for one in sections if one) + "\n"


def about(demo: dict[str, Any]) -> list[str]:
    """Return what of Envoy a demo uses, in Envoy's words: extensions, and fields that not every demo has."""
    found: list[str] = []
    for group in [*demo["proxies"], *demo["services"]]:
        proxy = topology.proxy_of(demo, group)
        if proxy is None:
            continue
        for listener in proxy["listeners"].values():
            found += _of_listener(listener)
        for cluster in proxy["clusters"].values():
            found += ["UpstreamTlsContext"] if cluster["tls"] is not None else []
            found += ["localities"] if cluster["localities"] else []
            found += [*_extensions(cluster["cluster"]), *cluster["cluster"]]
        found += [*proxy["stats_config"], *proxy["bootstrap"], *_extensions(proxy["bootstrap"])]
        if proxy["statsd"] is not None or demo[EXPORTER] is not None:
            found.append("stats_sinks")
    changed = [change["set"] for change in demo["changes"].values()]
    found += [
        service
        for key, service in (("listeners", "LDS"), ("clusters", "CDS"))
        if any(_has(one, key) for one in changed)
    ]
    return [one for one in dict.fromkeys(found) if one not in USUAL] or ["routes"]


def drawn(svg: str) -> str:
    """Return a picture as a part of a page, whose colours it takes."""
    return f'```{{raw}} html\n<div class="topology-frame">\n{svg}\n</div>\n```'


def said(text: str) -> str:
    """Return text as it is: nothing in it is Markdown."""
    return PUNCTUATION.sub(r"\\\1", " ".join(text.split()))


def code(text: str) -> str:
    """Return text as code, in a line of prose or in a cell."""
    marks = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    blank = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{marks}{blank}{text}{blank}{marks}".replace("|", "\\|")


# --- What of Envoy ----------------------------------------------------------------------------------------------------------------------


def _of_listener(listener: Data) -> Iterator[str]:
    if listener["filter_chains"]:
        yield "filter_chain_match"
    yield from _extensions(listener["udp_filters"])
    yield from _extensions(listener["listener"])
    for chain in filter_chains(listener) if listener["udp_filters"] is None else []:
        if chain["tls"] is not None:
            yield "DownstreamTlsContext"
        yield from _extensions([chain["http_filters"], chain["filters"], chain["http_connection_manager"]])
        yield from chain["http_connection_manager"]
        hosts = chain["virtual_hosts"] or [{"routes": chain["routes"] or []}]
        routes = [one for host in hosts for one in host.get("routes", [])]
        if len({str(one["route"].get("cluster")) for one in routes if "route" in one}) > 1:
            yield "routes"
        for route in routes:
            yield from (key for key in route if key not in ("match", "route"))
            yield from route.get("route", {})
            yield from _extensions(route)


def _has(message: Any, key: str) -> bool:
    """Whether a mapping has a key, at whatever depth."""
    return isinstance(message, Mapping) and (
        key in message or any(_has(one, key) for one in message.values())
    )


def _extensions(message: Any) -> Iterator[str]:
    """Yield the extensions that an Envoy message names, at whatever depth."""
    if isinstance(message, Mapping):
        if "name" in message and "typed_config" in message:
            kind = TYPE.match(str(message["typed_config"].get("@type", "")))
            if str(message["name"]).startswith("envoy."):
                yield str(message["name"])
            elif kind:
                yield kind[1]
        for one in message.values():
            yield from _extensions(one)
    elif isinstance(message, (list, tuple)):
        for one in message:
            yield from _extensions(one)


# --- Parts of a page --------------------------------------------------------------------------------------------------------------------


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _addresses(addresses: Sequence[Data]) -> str:
    if not addresses:
        return ""
    rows = [f"| {said(one['name'])} | {code(one['url'])} | {said(one['what'])} |" for one in addresses]
    return "\n".join(["| open | on local and docker | what it is |", "|---|---|---|", *rows])


def _how_to_run(demo: Demo) -> Iterator[str]:
    rows = ["| platform | with make | with Ansible alone |", "|---|---|---|"]
    for platform in PLATFORMS:
        if platform in demo.unsupported_on:
            rows.append(f"| {platform} | not there: {said(demo.unsupported_on[platform])} | |")
            continue
        which = "" if platform == PLATFORMS[0] else f" PLATFORM={platform}"
        ansible = f"ansible-playbook -i inventories/{platform} site.yml -e demo={demo.name}"
        rows.append(f"| {platform} | {code(f'make demo DEMO={demo.name}{which}')} | {code(ansible)} |")
    yield "\n".join(rows)
    yield (
        f"{code(f'make verify DEMO={demo.name}')} sends the traffic again, {code(f'make down DEMO={demo.name}')} takes the demo down,"
        " both with the same `PLATFORM`. After the first `make`, the program is `.venv/bin/ansible-playbook`."
    )


def _traffic(entries: Sequence[Data], planned: Sequence[Data]) -> str:
    """`entries` as in the demo's file, and the same as they are planned."""
    lines = []
    sentences = planned_expectations.of_traffic(planned)
    for entry, one, expectations in zip(entries, parse_traffic(planned), sentences, strict=True):
        lines.append(f"- **{said(one.name)}**: {_sent(one, str(entry['to']))}")
        lines += [f"  - {said(sentence)}" for sentence in expectations]
    return "\n".join(lines)


def _sent(one: Traffic, to: str) -> str:
    """What is sent, in words."""
    datagrams = one.target.scheme == "udp"
    what = "datagram" if datagrams else "request" if one.target.http else "message"
    many = (
        f"{one.requests} {what}{'' if one.requests == 1 else 's'}"
        if one.requests
        else f"{what}s for {one.duration:g} s"
    )
    method = f"{one.method} " if one.target.http else ""
    how = (
        code(f"{method}{one.target.scheme}://…{one.target.path}")
        if one.target.path
        else f"over {one.target.scheme}"
    )
    words = [f"{many} {how} to {code(to)}"]
    if one.rate:
        words.append(f"{one.rate:g} a second")
    if one.concurrency > 1:
        words.append(f"{one.concurrency} at a time")
    if not one.reuse:
        words.append("each by a client of its own" if datagrams else "each over a connection of its own")
    words += [f"with {code(f'{name}: {value}')}" for name, value in one.headers]
    if one.host is not None:
        words.append(f"for host {code(one.host)}")
    if one.body:
        words.append(f"with a body of {len(one.body)} bytes")
    if one.payload:
        words.append(f"saying {code(one.payload.decode(errors='replace').strip())}")
    if one.tls_version:
        words.append(f"over {one.tls_version}")
    if one.alpn and one.alpn != ("http/1.1",):
        words.append(f"offering {code(', '.join(one.alpn))}")
    if one.within:
        words.append(f"again until it is so, for {one.within:g} s at most")
    return ", ".join(words)


def _expectations(title: str, assertions: Sequence[Data]) -> list[str]:
    if not assertions:
        return []
    return [title, _bullets(code(sentence) for sentence in planned_expectations.of_assertions(assertions))]


def _changes(demo: Demo, complete: dict[str, Any]) -> Iterator[str]:
    if complete["changes"]:
        yield "## What is changed while it runs"
    before = picture(complete, demo.name)
    for name, change in complete["changes"].items():
        plan, changed = demo.plan(name), demo.complete(name)
        yield f"### {said(name)}"
        yield f"{said(change['summary'])}."
        yield f"```sh\nmake change DEMO={demo.name} CHANGE={name}\n```"
        if picture(changed, demo.name) != before:
            yield drawn(picture(changed, f"{demo.name}-{name}"))
        yield f"```yaml\n{yaml.safe_dump(change['set'], sort_keys=False, default_flow_style=None, width=110).strip()}\n```"
        if change["during"]:
            yield "Meanwhile:"
            yield _traffic(change["during"], plan["during"])
        yield "Afterwards:" if change["traffic"] is not None else "Afterwards the same is sent as before."
        if change["traffic"] is not None:
            yield _traffic(changed["traffic"], plan["traffic"])
        if change["expectations"] is not None:
            yield from _expectations("The numbers must be then:", plan["assertions"])
        else:
            yield "The numbers must be as before."


def _numbers(demo: Demo) -> Iterator[str]:
    rows = ["| platform | what held | from nothing to nothing |", "|---|---|---|"]
    for platform in PLATFORMS:
        run = demo.runs.get(platform)
        if why := demo.unsupported_on.get(platform) or (run and not run["failed"] and run["unsupported_on"]):
            rows.append(f"| {platform} | not there: {said(why)} | |")
        elif run is None:
            rows.append(
                f"| {platform} | not run in this checkout yet: {code(f'make demos PLATFORM={platform}')} | |"
            )
        else:
            mark = "✘" if run["failed"] else "✔"
            held = f"{mark} {run['held']} of {run['expectations']} expectations"
            rows.append(f"| {platform} | {held} | {float(run['seconds']):.0f} s |")
    yield "\n".join(rows)
    for platform, run in demo.runs.items():
        seen: Data = run.get("seen", {})
        if not seen:
            continue
        text = "\n".join(
            line
            for change, lines in seen.items()
            for line in [*([f"\nafter change {change}:"] if change else []), *lines]
        )
        yield (
            f"```{{raw}} html\n<details><summary>What was seen on {escape(platform)}</summary>\n"
            f"<pre>{escape(text)}</pre></details>\n```"
        )
