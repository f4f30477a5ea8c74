# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines that a reader must read per demo, beside those of the sandbox of envoyproxy/examples that it corresponds to.

    sandbox_lines.py PATH [--write]

counts a clone at PATH, shows what is counted, and tells where sandbox_lines.yml says otherwise; with `--write` it becomes what is said.
Nothing of a sandbox is kept here but its numbers, and the commit at which they were counted.

A line counts that is neither empty nor only a comment, of what has to be read to understand and run a sandbox: compose files, Envoy's
configurations, Dockerfiles, scripts (verify.sh too), programs and their data. Not counted are documentation, images, certificates (one in
a configuration is a line), generated code, lists of dependencies and locks, and verify-common.sh, which is to all sandboxes what the
collection is to all demos.

What is in shared/ counts as far as the sandbox's compose files build from it: of a Dockerfile the stages of the target, and the files
that these stages copy. Of a demo its file counts, by the same rule: nothing else is read.
"""

from __future__ import annotations

import argparse
import re
import string
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from measure import ROOT, Figure

NUMBERS = Path(__file__).with_suffix(".yml")
HASH = re.compile(r"#.*")
SLASHES = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
# What counts, and what a comment is in it, where it begins a line.
COMMENTS = {
    **dict.fromkeys((".yaml", ".yml", ".sh", ".py", ".rego", ".env", ".dockerfile"), HASH),
    **dict.fromkeys((".js", ".go", ".rs", ".proto"), SLASHES),
    ".lua": re.compile(r"--\[\[.*?\]\]|--[^\n]*", re.DOTALL),
    ".html": re.compile(r"<!--.*?-->", re.DOTALL),
    ".json": re.compile(r"(?!)"),
}
PEM = re.compile(r"-----BEGIN .*?-----END [^\n]*", re.DOTALL)
GENERATED = re.compile(r"_pb2(_grpc)?\.py$|\.pb\.go$")


@dataclass(frozen=True)
class Count:
    """Lines of one sandbox: in its folder, and of shared/ as far as it builds from there."""

    own: int
    shared: int

    @property
    def lines(self) -> int:
        return self.own + self.shared


@dataclass(frozen=True)
class Stage:
    """One stage of a Dockerfile: what it begins with and copies from (images or other stages), and the files that it copies."""

    name: str
    lines: int
    builds_on: tuple[str, ...]
    copies: tuple[str, ...]


def lines_of(path: Path) -> int:
    """Return how many lines of a file are to be read, 0 for a file of which none is."""
    comment = _comment(path)
    return _lines(path.read_text(encoding="utf-8"), comment) if comment else 0


def count(checkout: Path, folder: str) -> Count:
    """Return the lines of one sandbox. Raises OSError where it is not there."""
    root = (checkout / folder).resolve(strict=True)
    return Count(sum(lines_of(path) for path in files(root)), sum(_shared(root, checkout.resolve()).values()))


def files(folder: Path) -> Iterator[Path]:
    """What may have to be read in a folder; documentation's own folders begin with an underscore."""
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts
        if path.is_file() and not path.is_symlink() and not any(part.startswith("_") for part in inside[:-1]):
            yield path


def stages(text: str) -> list[Stage]:
    """Return the stages of a Dockerfile, in order; what comes before the first one is part of it."""
    found: list[Stage] = []
    for part in re.split(r"(?=^FROM )", text, flags=re.MULTILINE):
        opening = re.match(r"FROM (?:--\S+ )*(\S+)(?: AS (\S+))?", part, re.IGNORECASE)
        if not opening:
            continue
        builds_on, copies = [opening[1]], []
        # What is continued on the next line is one instruction.
        for instruction in re.findall(r"^(?:COPY|ADD) (.*)", part.replace("\\\n", " "), re.MULTILINE):
            words = instruction.replace('"', "").split()
            options = [word for word in words if word.startswith("--")]
            sources = [word for word in words if not word.startswith("--")][:-1]
            stage = next((word.removeprefix("--from=") for word in options if word.startswith("--from=")), "")
            if stage:
                builds_on.append(stage)
            elif not sources[0].startswith("<<"):
                copies += sources
        found.append(Stage(opening[2] or "", _lines(part, HASH), tuple(builds_on), tuple(copies)))
    return found


def needed(among: Sequence[Stage], target: str | None) -> list[int]:
    """Return the places of the stages that a target (the last one, where none is named) is built from."""
    places = {stage.name: place for place, stage in enumerate(among) if stage.name}
    waiting, found = [places[target] if target else len(among) - 1], set()
    while waiting:
        place = waiting.pop()
        found.add(place)
        waiting += [places[name] for name in among[place].builds_on if name in places]
    return sorted(found)


def _shared(root: Path, checkout: Path) -> dict[tuple[Path, int], int]:
    """Return the lines outside of a sandbox's folder that it builds from, by file and, for a Dockerfile, stage."""
    found: dict[tuple[Path, int], int] = {}
    for compose in files(root):
        if not compose.name.startswith("docker-compose"):
            continue
        services = yaml.safe_load(compose.read_text(encoding="utf-8")).get("services") or {}
        for build in (service["build"] for service in services.values() if "build" in service):
            asked: Mapping[str, Any] = {"context": build} if isinstance(build, str) else build
            context = (compose.parent / asked["context"]).resolve()
            dockerfile = (context / asked.get("dockerfile", "Dockerfile")).resolve()
            text = dockerfile.read_text(encoding="utf-8")
            arguments = dict(re.findall(r"^ARG (\w+)=(\S+)", text, re.MULTILINE)) | (asked.get("args") or {})
            among = stages(text)
            for place in needed(among, asked.get("target")):
                found[dockerfile, place] = among[place].lines
                for source in among[place].copies:
                    wanted = string.Template(source).safe_substitute(arguments).strip("/")
                    for path in context.glob(wanted.removeprefix("./") if wanted != "." else "*"):
                        read = files(path) if path.is_dir() else [path]
                        found |= {(one, 0): lines_of(one) for one in read}
    return {
        where: lines
        for where, lines in found.items()
        if where[0].is_relative_to(checkout) and not where[0].is_relative_to(root)
    }


def _comment(path: Path) -> re.Pattern[str] | None:
    if GENERATED.search(path.name):
        return None
    if path.name.startswith("Dockerfile") or path.name in ("Makefile", ".env"):
        return HASH
    return COMMENTS.get(path.suffix)


def _lines(text: str, comment: re.Pattern[str]) -> int:
    """Count the lines of `text` that are neither empty nor only a comment; a key or certificate in it is one."""
    text = PEM.sub("PEM", text)
    counted, place = 0, 0
    while place < len(text):
        begin = place + len(text[place:]) - len(text[place:].lstrip())
        if begin == len(text):
            break
        found = comment.match(text, begin)
        end = text.find("\n", found.end() if found else begin)
        place = len(text) if end < 0 else end + 1
        if not found or text[found.end() : place].strip():
            counted += 1
    return counted


def recorded() -> dict[str, Any]:
    """Return what was counted: `{repository, commit, demos: {demo: {folder, own, shared}}}`."""
    found: dict[str, Any] = yaml.safe_load(NUMBERS.read_text(encoding="utf-8"))
    return found


def figures(_folder: Path) -> list[Figure]:
    """Count each demo that has a sandbox, and show a table."""
    known = recorded()
    print(f"lines to read, sandboxes of {known['repository']} at {known['commit'][:12]}")
    print(f"{'demo':<26}{'sandbox':<26}{'ours':>6}{'theirs':>8}{'of shared/':>12}{'ratio':>7}")
    rows, without = [], []
    for path in sorted((ROOT / "playbooks/demos").glob("*.yml")):
        entry = known["demos"].get(path.stem)
        if not entry:
            without.append(path.stem)
            continue
        theirs = Count(entry["own"], entry["shared"])
        rows.append((path.stem, entry["folder"], lines_of(path), theirs))
    ours = sum(row[2] for row in rows)
    total = Count(sum(row[3].own for row in rows), sum(row[3].shared for row in rows))
    for demo, folder, mine, theirs in [*rows, ("total", "", ours, total)]:
        ratio = mine / theirs.lines
        print(f"{demo:<26}{folder:<26}{mine:>6}{theirs.lines:>8}{theirs.shared:>12}{ratio:>7.2f}")
    print(f"without a sandbox, and not in the total: {', '.join(without) or 'none'}")
    return [
        Figure(
            f"lines to read, {len(rows)} demos",
            ours / total.lines,
            0.5,
            "× their sandboxes",
            f"{ours} lines, the sandboxes' {total.lines}; {total.own} without what they share ({ours / total.own:.2f} ×)",
        )
    ]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", type=Path, help="a clone of envoyproxy/examples")
    parser.add_argument("--write", action="store_true", help=f"write the numbers to {NUMBERS.name}")
    options = parser.parse_args()
    known, different = recorded(), []
    command = ["git", "-C", str(options.path), "rev-parse", "HEAD"]
    known["commit"] = subprocess.check_output(command, text=True).strip()
    print(f"{'sandbox':<26}{'own':>6}{'shared':>8}")
    for demo, entry in known["demos"].items():
        folder, counted = entry["folder"], count(options.path, entry["folder"])
        print(f"{folder:<26}{counted.own:>6}{counted.shared:>8}")
        now = {"folder": folder, **asdict(counted)}
        if now != entry:
            different.append(f"{folder} was {entry.get('own')} and {entry.get('shared')}")
        known["demos"][demo] = now
    print("\n".join(different) or "nothing is different")
    if options.write:
        text = NUMBERS.read_text(encoding="utf-8")
        head, _mark, _rest = text.partition("---\n")
        body = "".join(
            f"  {demo}: {{folder: {one['folder']}, own: {one['own']}, shared: {one['shared']}}}\n"
            for demo, one in known["demos"].items()
        )
        where = f"repository: {known['repository']}\ncommit: {known['commit']}\n"
        NUMBERS.write_text(f"{head}---\n{where}demos:\n{body}", encoding="utf-8")
    return 1 if different and not options.write else 0


if __name__ == "__main__":
    sys.exit(main())
