# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the language of the checkout against the word list in style_words.yml, which docs/style.md explains.

The check reads prose only: Markdown outside code, comments, docstrings, strings that contain a blank, YAML, and comments in scripts,
Dockerfiles and Go. It also reads the names of files, functions and classes, and limits the length of the names of tests.

    style.py                          check all files of the checkout
    style.py --only docs --only FILE  check the files below a folder, or one file
    style.py --count                  print only the number of findings for each file
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import yaml
from checkout import ROOT, files

LIST = Path(__file__).with_name("style_words.yml")
GUIDE = "See docs/style.md."
LONGEST_TEST_NAME = 60
# Stands for code. No pattern matches it, so that two strings with code between them are not read as one sentence.
CODE = "\x01"
PROSE = (".cfg", ".css", ".go", ".j2", ".md", ".py", ".sh", ".toml", ".txt", ".yaml", ".yml")
PROSE_NAMES = ("Makefile", "Dockerfile")
# Of these files only the comments are prose.
CODE_SUFFIXES = (".go", ".sh")
SHEBANG = "#!"


@dataclass(frozen=True)
class Word:
    """One entry of the word list."""

    pattern: re.Pattern[str]
    reason: str
    replacement: str
    not_after: frozenset[str] = frozenset()

    def matches(self, text: str) -> Iterator[re.Match[str]]:
        """Yield the matches, except those after a word of `not_after`."""
        for match in self.pattern.finditer(text):
            before = text[max(0, match.start() - 40) : match.start()].split()
            if not before or before[-1].lower() not in self.not_after:
                yield match


@dataclass(frozen=True)
class Allowed:
    """A phrase that a file may contain although the list has a word of it; an empty phrase allows the whole file."""

    path: str
    phrase: str


@dataclass(frozen=True)
class Rules:
    """The word list: the words of prose, the words of names, and the exceptions."""

    prose: tuple[Word, ...]
    names: tuple[Word, ...]
    allowed: tuple[Allowed, ...]


@dataclass(frozen=True, order=True)
class Finding:
    """One word that the style guide refuses, at a line of a file."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        """Return the finding as linters print it."""
        return f"{self.path}:{self.line}: {self.text} {GUIDE}"


def load(path: Path = LIST) -> Rules:
    """Return the rules of a word list."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    return Rules(
        tuple(_words(data["prose"])),
        tuple(_words(data["names"])),
        tuple(Allowed(one["path"], one.get("phrase", "")) for one in data["allow"]),
    )


def check(path: str, text: str, rules: Rules) -> list[Finding]:
    """Return the findings in the text of a file, in the order of their lines."""
    exceptions = [one for one in rules.allowed if fnmatch(path, one.path)]
    if any(not one.phrase for one in exceptions):
        return []
    prose = prose_of(path, text)
    spans = [span for one in exceptions for span in _spans(one.phrase, prose)]
    found = [
        Finding(path, prose.count("\n", 0, match.start()) + 1, _finding(" ".join(match[0].split()), word))
        for word in rules.prose
        for match in word.matches(prose)
        if not any(begin <= match.start() and match.end() <= end for begin, end in spans)
    ]
    allowed_names = [one.phrase for one in exceptions]
    stem = Path(path).stem
    if stem not in allowed_names:
        found += _words_of_name(path, 1, stem, "file name", rules)
    if path.endswith(".py"):
        found += _names(path, text, rules, allowed_names)
    return sorted(found)


def prose_of(path: str, text: str) -> str:
    """Return the text of a file with its code replaced, each line and each character at its place."""
    if path.endswith(".py"):
        return _python(text)
    if path.endswith(".md"):
        return _markdown(text)
    if path.endswith(CODE_SUFFIXES) or Path(path).name == "Dockerfile" or text.startswith(SHEBANG):
        text = "\n".join(_comment(line) for line in text.split("\n"))
    text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", _hidden, text, flags=re.DOTALL)
    text = re.sub(r"^[ \t]*(?:#+|//+)(?!!)", lambda match: " " * len(match[0]), text, flags=re.MULTILINE)
    return _inline_code(text)


def is_prose(name: str, path: Path) -> bool:
    """Return whether the check reads a file: one of a known kind, or a script."""
    if name.endswith(PROSE) or Path(name).name in PROSE_NAMES:
        return True
    with path.open("rb") as file:
        return file.read(2) == SHEBANG.encode()


def main(arguments: list[str] | None = None) -> int:
    """Check files, print the findings, and return 1 if there are any."""
    parser = argparse.ArgumentParser(description="Check the language of the checkout against docs/style.md.")
    parser.add_argument(
        "--only", action="append", metavar="PATH", help="a folder or file; all files by default"
    )
    parser.add_argument(
        "--count", action="store_true", help="print only the number of findings for each file"
    )
    options = parser.parse_args(arguments)
    only = [str(Path(one).resolve().relative_to(ROOT)) for one in options.only or ()]
    names = [
        name
        for name in files()
        if not only or any(one == "." or name == one or name.startswith(f"{one}/") for one in only)
    ]
    if only and not names:
        parser.error(f"--only {' '.join(options.only)}: no file of the checkout is there")
    rules, found = load(), []
    for name in names:
        # LICENSES has the texts of other authors.
        if is_prose(name, ROOT / name) and not name.startswith("LICENSES/"):
            found += check(name, (ROOT / name).read_text(encoding="utf-8"), rules)
    if options.count:
        for name, number in Counter(one.path for one in found).most_common():
            print(f"{number:5} {name}")
    else:
        for one in found:
            print(one)
    if found:
        print(f"style: {len(found)} findings in {len({one.path for one in found})} files", file=sys.stderr)
    return 1 if found else 0


def _words(entries: Iterable[Mapping[str, Any]]) -> Iterator[Word]:
    for one in entries:
        # A blank in a pattern matches the end of a line as well.
        pattern = one["pattern"].replace(" ", r"\s+")
        compiled = re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE)
        yield Word(compiled, one["reason"], one["replacement"], frozenset(one.get("not_after", ())))


def _finding(text: str, word: Word, where: str = "") -> str:
    return f"'{text}'{where} {word.reason}: {word.replacement}."


def _spans(phrase: str, prose: str) -> list[tuple[int, int]]:
    pattern = r"\s+".join(re.escape(part) for part in phrase.split())
    return [match.span() for match in re.finditer(pattern, prose, re.IGNORECASE)]


def _hidden(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", CODE, match[0])


def _comment(line: str) -> str:
    """Return a line of code with everything hidden except a comment."""
    match = re.search(r"(?:^|\s)(?:#|//)\s(.*)", line)
    return CODE * match.start(1) + match[1] if match else CODE * len(line)


def _inline_code(text: str) -> str:
    return re.sub(r"(`+)[^`\n]+(?:\n[^`\n]+)?\1", _hidden, text)


def _markdown(text: str) -> str:
    lines, fence = [], ""
    for line in text.split("\n"):
        mark = re.match(r"\s*(```+|~~~+)", line)
        if mark and not fence:
            fence = mark[1]
        elif mark and line.strip() == fence:
            fence = ""
        elif fence:
            # Of code, only the comments are prose.
            code, hash_mark, comment = line.partition("# ")
            lines.append(CODE * len(code) + (CODE + " " if hash_mark else "") + comment)
            continue
        else:
            lines.append(re.sub(r"\]\([^)\s]*\)|https?://\S+", _hidden, line))
            continue
        lines.append(CODE * len(line))
    return _inline_code("\n".join(lines))


def _python(text: str) -> str:
    lines = text.split("\n")
    kept = [list(re.sub(r"\S", CODE, line)) for line in lines]
    inside = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        kind = tokenize.tok_name[token.type]
        if kind == "COMMENT":
            shown = " " + token.string[1:]
        elif kind == "STRING":
            shown = _string(token.string)
        elif kind == "FSTRING_MIDDLE" and inside:
            shown = token.string
        else:
            inside += {"FSTRING_START": 1, "FSTRING_END": -1}.get(kind, 0)
            shown = " " * len(token.string) if kind in ("FSTRING_START", "FSTRING_END") else ""
        row, column = token.start
        for number, part in enumerate(shown.split("\n")):
            begin = column if number == 0 else 0
            kept[row - 1 + number][begin : begin + len(part)] = part
    return _inline_code("\n".join("".join(line) for line in kept))


def _string(source: str) -> str:
    """Return a string literal as prose: without its quotes, escapes and replacement fields; one word alone is no prose."""
    opening = re.match(r"[a-zA-Z]*(?:\"\"\"|'''|\"|')", source)
    assert opening, source
    quote = opening[0].lstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    body = source[opening.end() : len(source) - len(quote)]
    if "f" in opening[0].lower():
        body = re.sub(r"\{[^{}]*\}", _hidden, body)
    body = re.sub(r"\\[nrt]", "  ", body)
    body = body if re.search(r"\s", body.strip()) else re.sub(r"\S", CODE, body)
    return " " * opening.end() + body + " " * len(quote)


def _names(path: str, text: str, rules: Rules, allowed: list[str]) -> Iterator[Finding]:
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        name = node.name
        if name in allowed:
            continue
        if name.startswith("test_") and len(name) > LONGEST_TEST_NAME:
            wrong = f"the name of the test has {len(name)} characters: shorten {name} to {LONGEST_TEST_NAME}."
            yield Finding(path, node.lineno, wrong)
        yield from _words_of_name(path, node.lineno, name, f"name {name}", rules)


def _words_of_name(path: str, line: int, name: str, what: str, rules: Rules) -> Iterator[Finding]:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|[-.]", "_", name).replace("_", " ").lower()
    for word in rules.names:
        if match := word.pattern.search(words):
            yield Finding(path, line, _finding(match[0], word, f" in the {what}"))


if __name__ == "__main__":
    sys.exit(main())
