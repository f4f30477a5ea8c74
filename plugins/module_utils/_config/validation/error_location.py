# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From Envoy's words about a candidate to the file and line that a person wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import Check
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.xds_file import kind
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import Finding
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation import yaml_position
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.envoy_errors import Said, said


def finding(check: Check, output: str, texts: Mapping[str, str]) -> Finding:
    """Return what a failed `check` found; `texts` has the contents of all files of the staged folder by their path."""
    what = said(output)
    files = {path: texts[path].splitlines() for path in check.validated_files if path in texts}
    name, rest = _resource(check, what)
    words = what.words.rstrip(".") or "it failed without a word"
    if name:
        words += f" (in {str(yaml_position.steps(what.path)[1])[:-1]} {name!r}{_at(rest)})"
    elif "." in what.path:
        words += f" (at {what.path})"
    place = _by_path(files, name, rest, what) or _by_word(files, what, name)
    if not place and len(files) == 1:
        return Finding(f"{words}.", check.name, next(iter(files)))
    return Finding(f"{words}.", check.name, *(place or (None, None)))


def _at(rest: list[str | int]) -> str:
    """Return the path within a resource, as Envoy writes it."""
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in rest).lstrip(".")
    return f" at {path}" if path else ""


def _resource(check: Check, what: Said) -> tuple[str, list[str | int]]:
    """Return the name of the listener or cluster that the path leads to in the candidate, and the path within it."""
    steps = yaml_position.steps(what.path)
    if len(steps) < 3 or steps[0] != "static_resources" or not isinstance(steps[2], int):
        return "", []
    for file in check.files:
        lines = file.content.decode(errors="replace").splitlines()
        span, followed = yaml_position.walk(lines, steps[:3])
        if followed == 3:
            return yaml_position.resource_name(lines, span), steps[3:]
    return "", steps[3:]


def _by_path(
    files: Mapping[str, list[str]], name: str, rest: list[str | int], what: Said
) -> tuple[str, int] | None:
    """Look in the block of that resource: down the path, then for the words."""
    found = _block(files, yaml_position.steps(what.path), name)
    if not found:
        return None
    path, span, whole = found
    deeper, _count = yaml_position.walk(files[path], rest if whole else [], span)
    for token in what.tokens:
        number = yaml_position.word(files[path], token, deeper)
        if number is not None:
            return path, number + 1
    return path, deeper.start + 1


def _block(
    files: Mapping[str, list[str]], steps: list[str | int], name: str
) -> tuple[str, yaml_position.Span, bool] | None:
    """Return the file and the place of a resource, in the bootstrap or in a watched file; without one, of a path.

    The last part says whether the place is that of a whole resource.
    """
    if len(steps) < 3 or steps[0] != "static_resources" or not isinstance(steps[2], int):
        for path, lines in files.items():
            span, followed = yaml_position.walk(lines, steps)
            if followed:
                return path, span, False
        return None
    index = steps[2]
    # The candidate has the bootstrap's own resources first, then those of the watched file.
    for path, lines in files.items():
        watched = kind(path, "\n".join(lines)) == steps[1]
        roots: list[list[str | int]] = [["static_resources", steps[1]]]
        if watched:
            roots.append(["resources"])
        for root in roots:
            spans = _items(lines, root)
            named = [span for span in spans if name and yaml_position.resource_name(lines, span) == name]
            if named or (not name and index < len(spans)):
                return path, named[0] if named else spans[index], True
            index -= len(spans)
    return None


def _items(lines: list[str], root: list[str | int]) -> list[yaml_position.Span]:
    """Return the places of all items of the list at `root`."""
    spans: list[yaml_position.Span] = []
    while True:
        span, followed = yaml_position.walk(lines, [*root, len(spans)])
        if followed <= len(root):
            return spans
        spans.append(span)


def _by_word(files: Mapping[str, list[str]], what: Said, name: str) -> tuple[str, int] | None:
    nth = 1 if "duplicate " in what.words and "address" not in what.words else 0
    field = what.path.rpartition(".")[2].partition("[")[0]
    for token in [*what.tokens, *([name] if name else []), *([field] if field else [])]:
        for path, lines in files.items():
            number = yaml_position.word(lines, token, None, nth)
            if number is not None:
                return path, number + 1
    return None


def doubled(
    checks: Sequence[Check], texts: Mapping[str, str], names: Mapping[str, Sequence[str]]
) -> list[Finding]:
    """Return what `--mode validate` lets pass and a running Envoy refuses: two resources of one name in a watched file."""
    owners = {path: check.name for check in checks for path in check.validated_files}
    findings = []
    for path, every in names.items():
        spans = _items(texts[path].splitlines(), ["resources"])
        for number, name in enumerate(every):
            if name in every[:number]:
                words = f"there is a {name!r} already; a running Envoy refuses the whole file."
                line = spans[number].start + 1 if number < len(spans) else None
                findings.append(Finding(words, owners.get(path), path, line))
    return findings
