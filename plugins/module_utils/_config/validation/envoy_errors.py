# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Envoy says about a configuration, without what surrounds it, and the words and the place that it names."""

from __future__ import annotations

import re
from dataclasses import dataclass

LOG_LINE = re.compile(
    r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[^\]]*\]\[\d+\]\[(?P<level>\w+)\]\[\w+\] (\[[^\]]*\] )?"
)
ERROR = re.compile(r"error initializing configuration '[^']*': ", re.S)
UNKNOWN = re.compile(r"Protobuf message \(type \S+ reason (?P<reason>.*)\) has unknown fields$", re.S)
UNPARSABLE = re.compile(r"Unable to parse JSON as proto \((?P<reason>.*?)\): \{", re.S)
CONSTRAINT = re.compile(r"Proto constraint validation failed \((?P<chain>.*)\)$", re.S)
JSON_ERROR = re.compile(
    r"(?:[A-Z_]+: )?invalid JSON in \S+ @ (?P<path>\S+): (?:(?P<kind>\S+ \S+|\S+), )?near \S+ \(offset \d+\): (?P<words>.*)",
    re.S,
)
CHAIN_LINK = re.compile(
    r"(?P<type>\w+)ValidationError\.(?P<field>\w+)(?P<index>\[\d+\])?: (?P<words>.*)", re.S
)
# What an Envoy that runs says of a watched file.
REJECTED = re.compile(r"config update (?:rejected|failure): (?P<why>.*)", re.S)
# What Envoy's text form of a message starts with in its errors.
DEBUG = re.compile(r"goo\.gle/debug\w+\s*")


@dataclass(frozen=True)
class Said:
    """`words` for people; `path` as `static_resources.listeners[0].address`, '' where Envoy names none."""

    words: str
    path: str = ""

    @property
    def tokens(self) -> list[str]:
        """The words to look for in the files, most telling first."""
        found = [token for token in re.findall(r"(?<!\w)'([^'\n]+)'", self.words) if token.strip()]
        tail = self.words.rpartition(": ")[2].strip()
        if tail and tail != self.words and " " not in tail:
            found.append(tail.strip("'"))
        seconds = re.search(r"seconds: (-?\d+)", self.words)
        return [*found, *([f"{seconds.group(1)}s"] if seconds else [])]


def said(text: str) -> Said:
    """Return what a failed `envoy --mode validate` complained about; for another program its last line."""
    return _told(_message(text))


def rejected(log: str) -> str:
    """Return why a running Envoy refused a watched file last, as its log has it; '' where that says nothing of it."""
    # An Envoy may write what it answers into the same log, a line of JSON for each request.
    lines = [line for line in log.splitlines() if not line.startswith("{")]
    found = [match for _level, words in _entries("\n".join(lines)) if (match := REJECTED.search(words))]
    return _told(found[-1].group("why")).words.removeprefix(": ") if found else ""


def _told(message: str) -> Said:
    """Return what Envoy's message says, without its types and its place in the sources."""
    if unknown := UNKNOWN.search(message):
        message = unknown.group("reason")
    elif unparsable := UNPARSABLE.search(message):
        message = unparsable.group("reason")
    elif constraint := CONSTRAINT.search(message):
        return _constraint(constraint.group("chain"))
    message = " ".join(DEBUG.sub("", message).split())
    if error := JSON_ERROR.fullmatch(message):
        path = error.group("path").replace(".<any>", "")
        return Said(error.group("words"), path)
    return Said(re.sub(r"^[A-Z]+(_[A-Z]+)+: ", "", message))


def _message(text: str) -> str:
    """Return the last error of a log, all its lines."""
    entries = _entries(text)
    worst = (
        [words for level, words in entries if level in ("critical", "error")]
        or [words for _level, words in entries]
        or [""]
    )
    telling = [words for words in worst if ERROR.search(words)]
    if telling:
        return ERROR.split(telling[-1], maxsplit=1)[1].strip()
    return worst[-1].strip().splitlines()[-1] if worst[-1].strip() else ""


def _entries(text: str) -> list[tuple[str, str]]:
    """Return level and words of each entry of a log; an entry may have several lines."""
    entries: list[tuple[str, str]] = []
    for line in text.strip().splitlines():
        start = LOG_LINE.match(line)
        if start or not entries:
            entries.append(
                (start.group("level") if start else "error", line[start.end() :] if start else line)
            )
        else:
            entries[-1] = (entries[-1][0], f"{entries[-1][1]}\n{line}")
    return entries


def _constraint(chain: str) -> Said:
    """`A.B: embedded message failed validation | caused by B.C: …` → the last words, and the path that the links make."""
    path, words, name = [], "", ""  # of the message in which the last link is
    for link in " ".join(chain.split()).split(" | caused by "):
        parts = CHAIN_LINK.fullmatch(link)
        if not parts:
            words = link
            continue
        name, words = parts.group("type"), parts.group("words")
        path.append(
            re.sub(r"(?<!^)(?=[A-Z])", "_", parts.group("field")).lower() + (parts.group("index") or "")
        )
    # Only a chain that starts at the bootstrap names a place: others start somewhere inside.
    whole = (
        ".".join(path)
        if path and path[0].startswith(("static_resources", "admin", "node", "stats", "dynamic"))
        else ""
    )
    field = path[-1].partition("[")[0] if path else ""
    if not field:
        return Said(words)
    return Said(f"{field}: {words}", whole) if whole else Said(f"{field} of a {name}: {words}", field)
