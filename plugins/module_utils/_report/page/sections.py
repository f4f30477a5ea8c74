# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The last sections of the HTML report: the configuration that ran, versions, and commands."""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.module_utils._report.page.elements import (
    Html,
    element,
    joined,
    table,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._report.result_schema import (
    ConfigurationFile,
    DemoFile,
    RunResult,
)


def configuration(result: RunResult) -> Html:
    """Return the files of the proxies, each resource with a link to its line, and the demo file."""
    if not result["configuration"] and not result["file"]["text"]:
        return Html("")
    parts = [element("h2", "Configuration that ran"), element("p", "Secrets are removed.", class_="quiet")]
    parts += [_file(one, result["file"]) for one in result["configuration"]]
    if result["file"]["text"]:
        lines = result["file"]["text"].rstrip("\n").split("\n")
        numbered = (element("span", line, id=f"line-{number}") for number, line in enumerate(lines, 1))
        text = element(
            "pre",
            joined(numbered, "\n"),
            class_="demo",
            tabindex=0,
            role="region",
            aria_label="Lines of the demo file",
        )
        parts.append(element("details", element("summary", f"The demo file {result['file']['name']}"), text))
    return element("section", joined(parts, "\n"))


def _file(file: ConfigurationFile, demo: DemoFile) -> Html:
    live = ", changes apply while Envoy runs" if file["live"] else ", read at start"
    parts = [element("summary", element("code", file["path"]), element("span", live, class_="quiet"))]
    for number, one in enumerate(file["resources"]):
        where = f"{demo['name']}, line {one['line']}" if one["line"] else ""
        link: Html | None = None
        if where:
            link = (
                element("a", where, href=f"#line-{one['line']}") if demo["text"] else element("span", where)
            )
        parts.append(element("h3", one["name"], Html(" – ") if link else None, link))
        label = f"{one['name']} in {file['path']}" + (f", {number + 1}" if number else "")
        parts.append(element("pre", one["text"].rstrip("\n"), tabindex=0, role="region", aria_label=label))
    return element("details", joined(parts))


def reproduction(result: RunResult) -> Html:
    """Return versions, addresses and commands."""
    parts = [element("h2", "Repeat the run")]
    if result["commands"]:
        parts.append(
            element("pre", "\n".join(result["commands"]), tabindex=0, role="region", aria_label="Commands")
        )
    if result["versions"]:
        rows = [[name, version] for name, version in result["versions"].items()]
        parts.append(table("Versions", ("Program", "Version"), rows))
    if result["addresses"]:
        rows = [[one["name"], one["url"], one["what"]] for one in result["addresses"]]
        parts.append(element("h3", "Addresses of the running demo"))
        parts.append(table("Addresses", ("Name", "URL", "What it serves"), rows))
    if result["notes"]:
        parts += [
            element("h3", "Try"),
            element("ul", *(element("li", element("code", one)) for one in result["notes"])),
        ]
    return element("section", joined(parts))
