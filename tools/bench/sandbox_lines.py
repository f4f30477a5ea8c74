# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Count the lines of each demo, and compare them with the sandbox of envoyproxy/examples that shows the same.

    sandbox_lines.py PATH [--write]

counts a clone at PATH, prints the counts, and reports differences from sandbox_lines.yml; `--write` writes the counts to that file. The
repository contains only the numbers of the sandboxes and their commit.

The count includes each line that is neither empty nor only a comment, in the files that show how the sandbox works: compose files, Envoy
configurations, Dockerfiles, scripts (also verify.sh), programs and their data. It excludes documentation, images, certificates (a
certificate in a configuration counts as one line), generated code, lists of dependencies, locks, and verify-common.sh, which serves all
sandboxes as the collection serves all demos.

Of the folder shared/, the count includes what the compose files of a sandbox build: the stages of the target in a Dockerfile, and the files
that these stages copy. Of a demo, the count includes its one file, by the same rules.
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
from measure import ROOT, Figure, MeasurementError

NUMBERS = Path(__file__).with_suffix(".yml")
HASH = re.compile(r"#.*")
SLASHES = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
# The suffixes of counted files, with the pattern of a comment at the start of a line.
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
    """The lines of one sandbox: in its own folder, and in shared/."""

    own: int
    shared: int

    @property
    def lines(self) -> int:
        """Return the sum of both counts."""
        return self.own + self.shared


@dataclass(frozen=True)
class Stage:
    """One stage of a Dockerfile: the images or stages that it begins with or copies from, and the files that it copies."""

    name: str
    lines: int
    builds_on: tuple[str, ...]
    copies: tuple[str, ...]


def lines_of(path: Path) -> int:
    """Return the number of counted lines of a file, 0 for a file of another kind."""
    comment = _comment(path)
    return _lines(path.read_text(encoding="utf-8"), comment) if comment else 0


def count(checkout: Path, folder: str) -> Count:
    """Return the lines of one sandbox.

    Raises:
        OSError: The sandbox does not exist.
    """
    root = (checkout / folder).resolve(strict=True)
    return Count(sum(lines_of(path) for path in files(root)), sum(_shared(root, checkout.resolve()).values()))


def files(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder without those of the documentation, whose folders begin with an underscore."""
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts
        if path.is_file() and not path.is_symlink() and not any(part.startswith("_") for part in inside[:-1]):
            yield path


def stages(text: str) -> list[Stage]:
    """Return the stages of a Dockerfile, in order; the lines before the first stage belong to it."""
    found: list[Stage] = []
    for part in re.split(r"(?=^FROM )", text, flags=re.MULTILINE):
        opening = re.match(r"FROM (?:--\S+ )*(\S+)(?: AS (\S+))?", part, re.IGNORECASE)
        if not opening:
            continue
        builds_on, copies = [opening[1]], []
        # An instruction can continue on the next line.
        for instruction in re.findall(r"^(?:COPY|ADD) (.*)", part.replace("\\\n", " "), re.MULTILINE):
            parts = instruction.replace('"', "").split()
            options = [word for word in parts if word.startswith("--")]
            sources = [word for word in parts if not word.startswith("--")][:-1]
            stage = next((word.removeprefix("--from=") for word in options if word.startswith("--from=")), "")
            if stage:
                builds_on.append(stage)
            elif not sources[0].startswith("<<"):
                copies += sources
        found.append(Stage(opening[2] or "", _lines(part, HASH), tuple(builds_on), tuple(copies)))
    return found


def needed(all_stages: Sequence[Stage], target: str | None) -> list[int]:
    """Return the indices of the stages that a target, by default the last stage, is built from."""
    indices = {stage.name: index for index, stage in enumerate(all_stages) if stage.name}
    waiting, found = [indices[target] if target else len(all_stages) - 1], set()
    while waiting:
        index = waiting.pop()
        found.add(index)
        waiting += [indices[name] for name in all_stages[index].builds_on if name in indices]
    return sorted(found)


def _shared(root: Path, checkout: Path) -> dict[tuple[Path, int], int]:
    """Return the lines outside the folder of a sandbox that it builds from, by file and, for a Dockerfile, stage."""
    found: dict[tuple[Path, int], int] = {}
    for compose in files(root):
        if not compose.name.startswith("docker-compose"):
            continue
        services = yaml.safe_load(compose.read_text(encoding="utf-8")).get("services") or {}
        for build in (service["build"] for service in services.values() if "build" in service):
            options: Mapping[str, Any] = {"context": build} if isinstance(build, str) else build
            context = (compose.parent / options["context"]).resolve()
            dockerfile = (context / options.get("dockerfile", "Dockerfile")).resolve()
            text = dockerfile.read_text(encoding="utf-8")
            arguments = dict(re.findall(r"^ARG (\w+)=(\S+)", text, re.MULTILINE)) | (
                options.get("args") or {}
            )
            all_stages = stages(text)
            for index in needed(all_stages, options.get("target")):
                found[dockerfile, index] = all_stages[index].lines
                for source in all_stages[index].copies:
                    pattern = string.Template(source).safe_substitute(arguments).strip("/")
                    for path in context.glob(pattern.removeprefix("./") if pattern != "." else "*"):
                        sources = files(path) if path.is_dir() else [path]
                        found |= {(one, 0): lines_of(one) for one in sources}
    return {
        key: lines
        for key, lines in found.items()
        if key[0].is_relative_to(checkout) and not key[0].is_relative_to(root)
    }


def _comment(path: Path) -> re.Pattern[str] | None:
    if GENERATED.search(path.name):
        return None
    if path.name.startswith("Dockerfile") or path.name in ("Makefile", ".env"):
        return HASH
    return COMMENTS.get(path.suffix)


def _lines(text: str, comment: re.Pattern[str]) -> int:
    """Count the lines of `text` that are neither empty nor only a comment; a key or certificate counts as one line."""
    text = PEM.sub("PEM", text)
    counted, position = 0, 0
    while position < len(text):
        begin = position + len(text[position:]) - len(text[position:].lstrip())
        if begin == len(text):
            break
        found = comment.match(text, begin)
        end = text.find("\n", found.end() if found else begin)
        position = len(text) if end < 0 else end + 1
        if not found or text[found.end() : position].strip():
            counted += 1
    return counted


def recorded() -> dict[str, Any]:
    """Return the content of sandbox_lines.yml: `{repository, commit, demos: {demo: {folder, own, shared}}}`."""
    found: dict[str, Any] = yaml.safe_load(NUMBERS.read_text(encoding="utf-8"))
    return found


def figures(_folder: Path) -> list[Figure]:
    """Count the lines of each demo that has a sandbox, print a table, and return the ratio of the totals."""
    known = recorded()
    print(f"lines of the demos and of the sandboxes of {known['repository']} at {known['commit'][:12]}")
    print(f"{'demo':<26}{'sandbox':<26}{'lines':>7}{'sandbox':>9}{'in shared/':>12}{'ratio':>7}")
    rows, without = [], []
    for path in sorted((ROOT / "playbooks/demos").glob("*.yml")):
        entry = known["demos"].get(path.stem)
        if not entry:
            without.append(path.stem)
            continue
        rows.append((path.stem, entry["folder"], lines_of(path), Count(entry["own"], entry["shared"])))
    if not rows:
        raise MeasurementError(
            "playbooks/demos: no demo has a sandbox in sandbox_lines.yml. Run sandbox_lines.py with --write."
        )
    demo_lines = sum(row[2] for row in rows)
    total = Count(sum(row[3].own for row in rows), sum(row[3].shared for row in rows))
    for demo, folder, lines, counted in [*rows, ("total", "", demo_lines, total)]:
        ratio = lines / counted.lines
        print(f"{demo:<26}{folder:<26}{lines:>7}{counted.lines:>9}{counted.shared:>12}{ratio:>7.2f}")
    print(f"not in the total, as they have no sandbox: {', '.join(without) or 'none'}")
    return [
        Figure(
            f"lines, {len(rows)} demos",
            demo_lines / total.lines,
            0.5,
            "× their sandboxes",
            f"{demo_lines} lines, sandboxes {total.lines}; without shared/ {total.own} ({demo_lines / total.own:.2f} ×)",
        )
    ]


def main() -> int:
    """Count the sandboxes of a clone, and return 1 if a recorded number differs."""
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
            different.append(
                f"{folder}: sandbox_lines.yml has own {entry.get('own')} and shared {entry.get('shared')}"
            )
        known["demos"][demo] = now
    print("\n".join(different) or "no differences")
    if options.write:
        text = NUMBERS.read_text(encoding="utf-8")
        head, _mark, _rest = text.partition("---\n")
        body = "".join(
            f"  {demo}: {{folder: {one['folder']}, own: {one['own']}, shared: {one['shared']}}}\n"
            for demo, one in known["demos"].items()
        )
        commit = f"repository: {known['repository']}\ncommit: {known['commit']}\n"
        NUMBERS.write_text(f"{head}---\n{commit}demos:\n{body}", encoding="utf-8")
    return 1 if different and not options.write else 0


if __name__ == "__main__":
    sys.exit(main())
