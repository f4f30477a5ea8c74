# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the options of each role into its README.md, from its argument specs. With --check, report READMEs that are out of date.

The program writes only between the two markers. It creates a README for a role that has none.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml
from checkout import ROOT, stop

BEGIN = "<!-- options: written by `make readmes` from meta/argument_specs.yml -->"
END = "<!-- end of options -->"
NEW = "# {name}\n\n{description}\n\n## Options\n\n{begin}\n{end}\n"


def paragraphs(text: Any) -> list[str]:
    """Return a description as a list, whether it is a list or one text."""
    return [str(part).strip() for part in (text if isinstance(text, list) else [text] if text else [])]


def plain(text: str) -> str:
    """Return text with the markup of Ansible as Markdown."""
    text = re.sub(
        r"\b(?:O|V|RV|C|E|M)\(((?:[^()\\]|\\.|\([^()]*\))*)\)", lambda match: f"`{match.group(1)}`", text
    )
    text = re.sub(r"\bB\(([^()]*)\)", r"**\1**", text)
    text = re.sub(r"\bI\(([^()]*)\)", r"*\1*", text)
    text = re.sub(r"\bL\(([^(),]*),\s*([^()]*)\)", r"[\1](\2)", text)
    return re.sub(r"\bU\(([^()]*)\)", r"<\1>", text)


def cell(text: str) -> str:
    """Return text as the cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")


def default_of(name: str, option: dict[str, Any], defaults: dict[str, Any]) -> str:
    """Return the cell with the default of an option."""
    if option.get("required"):
        return "required"
    value = option.get("default", defaults.get(name))
    if value is None:
        return ""
    return f"`{cell(value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False))}`"


def rows(options: dict[str, Any], defaults: dict[str, Any], prefix: str = "") -> list[str]:
    """Return one row of the table for each option, and for each suboption."""
    found = []
    for name, option in options.items():
        kind = str(option.get("type", "str"))
        if option.get("elements"):
            kind += f" of {option['elements']}"
        parts = [plain(part) for part in paragraphs(option.get("description"))]
        if option.get("choices"):
            parts.append("One of " + ", ".join(f"`{choice}`" for choice in option["choices"]) + ".")
        found.append(
            f"| `{prefix}{name}` | {kind} | {default_of(name, option, defaults)} | {cell(' '.join(parts))} |"
        )
        mark = "[]." if option.get("elements") else "."
        found += rows(option.get("options") or {}, {}, f"{prefix}{name}{mark}")
    return found


def section(entries: dict[str, Any], defaults: dict[str, Any]) -> str:
    """Return the text between the markers."""
    parts = []
    for entry, spec in entries.items():
        if len(entries) > 1:
            parts.append(f"### {'The role itself' if entry == 'main' else f'`tasks_from: {entry}`'}")
            parts.append(plain(str(spec.get("short_description", ""))).rstrip(".") + ".")
        options = spec.get("options") or {}
        if options:
            parts.append(
                "\n".join(
                    [
                        "| option | type | default | description |",
                        "|---|---|---|---|",
                        *rows(options, defaults),
                    ]
                )
            )
    return "\n\n".join(parts)


def readme_of(role: Path) -> str | None:
    """Return the up-to-date README.md of a role; None if the role has no argument specs."""
    specs = role / "meta" / "argument_specs.yml"
    if not specs.is_file():
        return None
    entries = yaml.safe_load(specs.read_text(encoding="utf-8"))["argument_specs"]
    defaults_file = role / "defaults" / "main.yml"
    defaults = (
        yaml.safe_load(defaults_file.read_text(encoding="utf-8")) if defaults_file.is_file() else None
    ) or {}
    readme = role / "README.md"
    if readme.is_file():
        text = readme.read_text(encoding="utf-8")
    else:
        description = "\n\n".join(
            plain(part) for part in paragraphs(entries.get("main", {}).get("description"))
        )
        text = NEW.format(name=role.name, description=description, begin=BEGIN, end=END)
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        stop(
            f"{readme.relative_to(ROOT)}: needs these two lines once, in this order, around the options:\n{BEGIN}\n{END}"
        )
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{section(entries, defaults)}\n{END}{rest.split(END)[1]}"


def main() -> None:
    """Write the READMEs, or check them."""
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        stop(f"unknown arguments: {' '.join(sys.argv[1:])}. The only argument is --check.")
    stale = []
    for role in sorted(path for path in (ROOT / "roles").glob("*") if path.is_dir()):
        text = readme_of(role)
        readme = role / "README.md"
        if text is None or (readme.is_file() and readme.read_text(encoding="utf-8") == text):
            continue
        stale.append(str(readme.relative_to(ROOT)))
        if not check:
            readme.write_text(text, encoding="utf-8")
            print(f"wrote {stale[-1]}")
    if check and stale:
        stop(f"out of date: {', '.join(stale)}. Run `make readmes`.")


if __name__ == "__main__":
    main()
