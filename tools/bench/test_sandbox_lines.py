# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the counted lines, on an invented sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest
from sandbox_lines import Count, count, lines_of, needed, recorded, stages

COMPOSE = """\
# a comment
services:
  proxy:
    build:
      context: .
      dockerfile: ../shared/envoy/Dockerfile
      target: admin
      args: {CONFIG: envoy.yaml}

  app:
    build:
      context: ../shared/python
      target: service
  own:
    build:
      context: .
      dockerfile: Dockerfile-own
"""
ENVOY = """\
ARG IMAGE=envoy

FROM ${IMAGE} AS base
ARG CONFIG=other.yaml
# a comment
COPY --chmod=777 "$CONFIG" /etc/envoy.yaml

FROM base AS admin
HEALTHCHECK \\
    CMD true

FROM base AS another
COPY nothing /

FROM base
"""
PYTHON = """\
FROM python AS builder
ARG LISTS=lists
ADD "$LISTS/requirements.txt" /
COPY <<EOF /etc/config.yaml
EOF
COPY program/ \\
  extra.sh /built

FROM python AS service
COPY --from=builder /built /built

FROM python AS another
COPY another.py /
"""
KEY = "admin: {}\n\n  # a comment\nkey: |\n  -----BEGIN KEY-----\n  a\n  b\n  -----END KEY-----\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    written = {
        "one/docker-compose.yaml": COMPOSE,  # 15
        "one/envoy.yaml": KEY,  # 3
        "one/verify.sh": "#!/bin/sh\n\ncurl localhost  # not only a comment\n",  # 1
        "one/Dockerfile-own": "FROM scratch\n",  # 1
        "one/inner/.env": "A=1\n",  # 1
        "one/README.md": "read\n",
        "one/_include/answer.json": "{}\n",
        "one/requirements.txt": "aiohttp\n",
        "one/api_pb2.py": "generated\n",
        "two/docker-compose.yaml": "services:\n  app:\n    build: ../shared/python\n",  # 3
        "shared/envoy/Dockerfile": ENVOY,
        "shared/python/Dockerfile": PYTHON,
        "shared/python/lists/requirements.txt": "aiohttp\n",
        "shared/python/program/main.py": "import os\n\nprint(os.name)\n",
        "shared/python/program/main.go": "// a comment\n/* more\nof it */\npackage main /* and */\n",
        "shared/python/extra.sh": "true\n",
        "shared/python/another.py": "pass\npass\n",
        "verify-common.sh": "true\n",
    }
    for name, text in written.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_count_includes_own_and_shared_files(checkout: Path) -> None:
    # Envoy's stages base (3) and admin (3), Python's stages builder (7) and service (2), and the files that builder copies.
    assert count(checkout, "one") == Count(own=15 + 3 + 1 + 1 + 1, shared=3 + 3 + 7 + 2 + (2 + 1 + 1))


def test_last_stage_is_built_without_a_target(checkout: Path) -> None:
    assert count(checkout, "two") == Count(own=3, shared=2 + 2)


def test_missing_sandbox_is_an_error(checkout: Path) -> None:
    with pytest.raises(OSError, match="three"):
        count(checkout, "three")


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("a.yaml", "", 0),
        ("a.yaml", "\n\n  \n", 0),
        ("a.yaml", "a: 1", 1),
        ("a.yaml", "a: '#'\n#b\n", 1),
        ("a.lua", "-- no\n--[[ no\nno ]]\nlocal a\n", 1),
        ("a.js", "/* no\nno */\nvar a // yes\n//\n", 1),
        ("a.js", "/* no\nno */ var a\n", 1),
        ("a.html", "<p>\n<!-- no\nno -->\n</p>\n", 2),
        ("a.json", '{\n"#": 1\n}\n', 3),
        ("Makefile", "a:\n\ttrue\n", 2),
        ("Dockerfile-a", "FROM a\n", 1),
        ("a.pb.go", "package a\n", 0),
        ("go.mod", "module a\n", 0),
        ("a.pem", "a\n", 0),
    ],
)
def test_lines_of_a_file_without_comments(tmp_path: Path, name: str, text: str, lines: int) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert lines_of(path) == lines


def test_stages_with_their_copied_files() -> None:
    found = stages(PYTHON)
    assert [(stage.name, stage.copies) for stage in found] == [
        ("builder", ("$LISTS/requirements.txt", "program/", "extra.sh")),
        ("service", ()),
        ("another", ("another.py",)),
    ]
    assert needed(found, "service") == [0, 1]
    assert needed(found, None) == [2]


def test_each_recorded_sandbox_has_numbers() -> None:
    demos = recorded()["demos"]
    assert all(one["folder"] and one["own"] > 0 and one["shared"] >= 0 for one in demos.values())
