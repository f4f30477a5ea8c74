# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file and line of the author's file that an error of Envoy about a candidate refers to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import Check, CheckSource
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.xds_file import kind
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import Finding
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation import yaml_position
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.author_location import (
    author_location,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.envoy_errors import (
    EnvoyError,
    parse_error,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.remedies import (
    DEFAULT,
    IN_LOG,
    remedy,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.yaml_position import Path, Span
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.bootstrap import (
    ADMIN_CLUSTER,
    STATSD_CLUSTER,
)

REFUSES = "Envoy refuses it"
GENERATED_CLUSTERS = (ADMIN_CLUSTER, STATSD_CLUSTER)
Location = tuple[str, "int | None"]  # file, line (counted from 1)


def locate_error(check: Check, output: str, texts: Mapping[str, str]) -> Finding:
    """Return the error of a failed check with its location.

    Args:
        check: The check.
        output: Standard output and standard error of its command.
        texts: The text of all deployed files, by path.
    """
    error = parse_error(output)
    if check.source is not None:
        return _in_demo_file(check, check.source, error)
    files = {path: texts[path].splitlines() for path in check.validated_files if path in texts}
    name, rest = _resource(check, error)
    message = error.text.rstrip(".") or "the check failed without a message"
    if name:
        resource_kind = str(yaml_position.parse_path(error.path)[1])[:-1]
        message += f" (in {resource_kind} {name!r}{_within(rest)})"
    elif "." in error.path:
        message += f" (at {error.path})"
    location = _by_path(files, name, rest, error) or _by_token(files, error, name)
    if not location and len(files) == 1:
        location = (next(iter(files)), None)
    sentence = f"{message}. {remedy(error.text, _cluster_names(check), message_type=error.message_type)}"
    return Finding(sentence, check.name, *(location or (None, None)))


def rejection(checks: Sequence[Check], proxy: str, problem: str, reason: str, file: str | None) -> Finding:
    """Return the rejection of a file by a running Envoy, at the author's key if the file is generated.

    Args:
        checks: The checks, whose names are those of the proxies.
        proxy: The proxy.
        problem: What the Envoy did.
        reason: Its reason, which validation does not find.
        file: The rejected file.
    """
    for check in checks:
        if check.name == proxy and check.source is not None:
            return _in_demo_file(check, check.source, EnvoyError(reason), problem)
    return Finding(f"{problem} the file: {reason}. {remedy(reason, (), default=IN_LOG)}", proxy, file)


def _in_demo_file(check: Check, source: CheckSource, error: EnvoyError, problem: str = REFUSES) -> Finding:
    """Return an error of a generated configuration at the author's key."""
    candidate = [line for file in check.files for line in file.content.decode(errors="replace").splitlines()]
    found = author_location(source, candidate, error)
    text = error.text.rstrip(".") or "the check failed without a message"
    default = DEFAULT if problem == REFUSES else IN_LOG
    what_to_do = remedy(error.text, _cluster_names(check), source.key, default, error.message_type)
    sentence = f"{check.name}: {problem}: {text}. {what_to_do}"
    return Finding(sentence, check.name, source.file, found.line, found.key)


def _cluster_names(check: Check) -> list[str]:
    """Return the names of the clusters of a candidate."""
    for file in check.files:
        lines = file.content.decode(errors="replace").splitlines()
        spans = _items(lines, ["static_resources", "clusters"])
        names = [yaml_position.resource_name(lines, span) for span in spans]
        return [name for name in names if name not in ("", *GENERATED_CLUSTERS)]
    return []


def duplicate_names(
    checks: Sequence[Check], texts: Mapping[str, str], names: Mapping[str, Sequence[str]]
) -> list[Finding]:
    """Return the resources of a watched file that have the same name: validation accepts them, a running Envoy rejects the file.

    Args:
        checks: The checks, whose names are those of the proxies.
        texts: The text of all deployed files, by path.
        names: The names of the resources of each watched file, in order.
    """
    proxies = {path: check.name for check in checks for path in check.validated_files}
    findings = []
    for path, file_names in names.items():
        if len(set(file_names)) == len(file_names):
            continue
        spans = _items(texts[path].splitlines(), ["resources"])
        for number, name in enumerate(file_names):
            if name in file_names[:number]:
                message = f"the name {name!r} occurs twice, and a running Envoy rejects such a file. Rename one of the two."
                line = spans[number].start + 1 if number < len(spans) else None
                findings.append(Finding(message, proxies.get(path), path, line))
    return findings


def _within(rest: Path) -> str:
    """Return ` at PATH` for a path within a resource, as Envoy writes it."""
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in rest).lstrip(".")
    return f" at {path}" if path else ""


def _resource(check: Check, error: EnvoyError) -> tuple[str, Path]:
    """Return the name of the listener or cluster of the candidate that the error is in, and the path within it."""
    path = yaml_position.parse_path(error.path)
    if not _is_in_resource(path):
        return "", []
    for file in check.files:
        lines = file.content.decode(errors="replace").splitlines()
        span, followed = yaml_position.follow_path(lines, path[:3])
        if followed == 3:
            return yaml_position.resource_name(lines, span), path[3:]
    return "", path[3:]


def _is_in_resource(path: Path) -> bool:
    """Return whether a path of the candidate is `static_resources.KIND[INDEX]…`."""
    return len(path) >= 3 and path[0] == "static_resources" and isinstance(path[2], int)


def _by_path(files: Mapping[str, list[str]], name: str, rest: Path, error: EnvoyError) -> Location | None:
    """Search the block of the resource: along the path within it, then for the tokens of the error."""
    found = _block(files, yaml_position.parse_path(error.path), name)
    if not found:
        return None
    path, span, is_resource = found
    deepest, _followed = yaml_position.follow_path(files[path], rest if is_resource else [], span)
    for token in error.tokens:
        number = yaml_position.find_token(files[path], token, deepest)
        if number is not None:
            return path, number + 1
    return path, deepest.start + 1


def _block(files: Mapping[str, list[str]], path: Path, name: str) -> tuple[str, Span, bool] | None:
    """Return the file and the lines of a resource, in the bootstrap or in a watched file; of another path, its lines.

    The last item is whether the lines are those of a whole resource.
    """
    if not _is_in_resource(path):
        for file, lines in files.items():
            span, followed = yaml_position.follow_path(lines, path)
            if followed:
                return file, span, False
        return None
    index = int(path[2])
    # The candidate has the resources of the bootstrap first, then those of the watched file.
    for file, lines in files.items():
        roots: list[Path] = [["static_resources", path[1]]]
        if kind(file, "\n".join(lines)) == path[1]:
            roots.append(["resources"])
        for root in roots:
            spans = _items(lines, root)
            named = [span for span in spans if name and yaml_position.resource_name(lines, span) == name]
            if named or (not name and index < len(spans)):
                return file, named[0] if named else spans[index], True
            index -= len(spans)
    return None


def _items(lines: list[str], root: Path) -> list[Span]:
    """Return the lines of each item of the list at `root`."""
    span, followed = yaml_position.follow_path(lines, root)
    return yaml_position.items(lines, span) if followed == len(root) else []


def _by_token(files: Mapping[str, list[str]], error: EnvoyError, name: str) -> Location | None:
    occurrence = 1 if "duplicate " in error.text and "address" not in error.text else 0
    field = error.path.rpartition(".")[2].partition("[")[0]
    for token in [*error.tokens, *([name] if name else []), *([field] if field else [])]:
        for path, lines in files.items():
            number = yaml_position.find_token(lines, token, None, occurrence)
            if number is not None:
                return path, number + 1
    return None
