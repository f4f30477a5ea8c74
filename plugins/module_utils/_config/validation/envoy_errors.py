# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Envoy's error messages about a configuration: the fault without the log around it, and the path of the faulty field."""

from __future__ import annotations

import re
from dataclasses import dataclass

LOG_LINE = re.compile(
    r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[^\]]*\]\[\d+\]\[(?P<level>\w+)\]\[\w+\] (\[[^\]]*\] )?"
)
ERROR = re.compile(r"error initializing configuration '[^']*': ", re.S)
UNKNOWN_FIELDS = re.compile(r"Protobuf message \(type \S+ reason (?P<reason>.*)\) has unknown fields$", re.S)
UNPARSABLE = re.compile(r"Unable to parse JSON as proto \((?P<reason>.*?)\): \{", re.S)
CONSTRAINT = re.compile(r"Proto constraint validation failed \((?P<chain>.*)\)$", re.S)
JSON_ERROR = re.compile(
    r"(?:[A-Z_]+: )?invalid JSON in \S+ @ (?P<path>\S+): (?:(?P<kind>\S+ \S+|\S+), )?near \S+ \(offset \d+\): (?P<text>.*)",
    re.S,
)
CHAIN_LINK = re.compile(
    r"(?P<type>\w+)ValidationError\.(?P<field>\w+)(?P<index>\[\d+\])?: (?P<text>.*)", re.S
)
# The log line of a running Envoy that rejects a watched file, or the files of a certificate.
REJECTED = re.compile(
    r"(?:config update (?:rejected|failure)|Failed to reload certificates): (?P<reason>.*)", re.S
)
# The prefix of a message in protobuf's debug format.
DEBUG_PREFIX = re.compile(r"goo\.gle/debug\w+\s*")
# The first fields of Bootstrap: a chain that begins with one of them is a path from the top of the candidate.
BOOTSTRAP_FIELDS = ("static_resources", "admin", "node", "stats", "dynamic")


@dataclass(frozen=True)
class EnvoyError:
    """An error that Envoy printed.

    Attributes:
        text: The fault.
        path: The path of the faulty field, such as `static_resources.listeners[0].address`. Empty when Envoy names none.
        message_type: The type of the message that lacks the field. Empty when Envoy names none.
    """

    text: str
    path: str = ""
    message_type: str = ""

    @property
    def tokens(self) -> list[str]:
        """Return the words of the fault that the configuration may contain, the most specific one first."""
        tokens = [token for token in re.findall(r"(?<!\w)'([^'\n]+)'", self.text) if token.strip()]
        last = self.text.rpartition(": ")[2].strip()
        if last and last != self.text and " " not in last:
            tokens.append(last.strip("'"))
        seconds = re.search(r"seconds: (-?\d+)", self.text)
        return [*tokens, *([f"{seconds.group(1)}s"] if seconds else [])]


def parse_error(output: str) -> EnvoyError:
    """Return the error of a failed `envoy --mode validate`; of another program, its last line."""
    return _parse_message(_last_message(output))


def last_rejection(log: str) -> str:
    """Return why a running Envoy rejected a watched file last, from its log; empty when the log has no rejection."""
    # An Envoy can write its access log to the same stream, one line of JSON per request.
    lines = [line for line in log.splitlines() if not line.startswith("{")]
    rejections = [
        match for _level, text in _log_entries("\n".join(lines)) if (match := REJECTED.search(text))
    ]
    return _parse_message(rejections[-1].group("reason")).text.removeprefix(": ") if rejections else ""


def _parse_message(message: str) -> EnvoyError:
    """Return the error without the names of protobuf types and source files."""
    if unknown := UNKNOWN_FIELDS.search(message):
        message = unknown.group("reason")
    elif unparsable := UNPARSABLE.search(message):
        message = unparsable.group("reason")
    elif constraint := CONSTRAINT.search(message):
        return _parse_constraint(constraint.group("chain"))
    message = " ".join(DEBUG_PREFIX.sub("", message).split())
    if error := JSON_ERROR.fullmatch(message):
        path = error.group("path").replace(".<any>", "")
        return EnvoyError(error.group("text"), path, (error.group("kind") or "").rpartition(" ")[2])
    return EnvoyError(re.sub(r"^[A-Z]+(_[A-Z]+)+: ", "", message))


def _last_message(output: str) -> str:
    """Return the last error of a log with all its lines."""
    entries = _log_entries(output)
    texts = (
        [text for level, text in entries if level in ("critical", "error")]
        or [text for _level, text in entries]
        or [""]
    )
    errors = [text for text in texts if ERROR.search(text)]
    if errors:
        return ERROR.split(errors[-1], maxsplit=1)[1].strip()
    return texts[-1].strip().splitlines()[-1] if texts[-1].strip() else ""


def _log_entries(output: str) -> list[tuple[str, str]]:
    """Return the level and the text of each entry of a log. An entry can have several lines."""
    entries: list[tuple[str, str]] = []
    for line in output.strip().splitlines():
        start = LOG_LINE.match(line)
        if start or not entries:
            entries.append(
                (start.group("level") if start else "error", line[start.end() :] if start else line)
            )
        else:
            entries[-1] = (entries[-1][0], f"{entries[-1][1]}\n{line}")
    return entries


def _parse_constraint(chain: str) -> EnvoyError:
    """Return the last fault of `A.B: embedded message failed validation | caused by B.C: …`, and the path of all fields."""
    path: list[str] = []
    text, message_type = "", ""
    for link in " ".join(chain.split()).split(" | caused by "):
        parts = CHAIN_LINK.fullmatch(link)
        if not parts:
            text = link
            continue
        message_type, text = parts.group("type"), parts.group("text")
        path.append(
            re.sub(r"(?<!^)(?=[A-Z])", "_", parts.group("field")).lower() + (parts.group("index") or "")
        )
    whole_path = ".".join(path) if path and path[0].startswith(BOOTSTRAP_FIELDS) else ""
    field = path[-1].partition("[")[0] if path else ""
    if not field:
        return EnvoyError(text)
    if whole_path:
        return EnvoyError(f"{field}: {text}", whole_path)
    return EnvoyError(f"{field} of a {message_type}: {text}", field)
