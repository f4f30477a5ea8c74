# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the Python packages of a server: pinned, hashed, and refused with a remedy otherwise."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from demo_data import SHOP, changed, error_of

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.demo_source import DemoSource
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo

A, B = 64 * "a", 64 * "b"
PINNED = f"grpcio==1.76.0 --hash=sha256:{A}"


def with_packages(packages: Any, command: str = "python3", **server: Any) -> dict[str, Any]:
    spec = {"image": "python:3", "command": [command, "db.py"], "packages": packages, **server}
    return changed("services.db.server", spec)


def packages_of(packages: Any, files: dict[str, str] | None = None) -> str:
    source = DemoSource(read=lambda path: (files or {})[path].encode())
    demo = read_demo("shop", with_packages(packages), source=source)
    return str(demo["services"]["db"]["server"]["packages"])


def test_server_without_packages_has_none() -> None:
    assert read_demo("shop", copy.deepcopy(SHOP))["services"]["db"]["server"]["packages"] is None


def test_list_becomes_sorted_requirements() -> None:
    found = packages_of([f"six == 1.17.0 --hash=sha256:{B} --hash=sha256:{A}", PINNED])
    assert found == f"{PINNED}\nsix==1.17.0 --hash=sha256:{A} --hash=sha256:{B}\n"


def test_file_of_pip_compile_is_equal_to_a_list() -> None:
    text = f"# by pip-compile\n\ngrpcio==1.76.0 \\\n    --hash=sha256:{A}\n    # via -r requirements.in\n"
    assert packages_of({"source": "requirements.txt"}, {"requirements.txt": text}) == packages_of([PINNED])
    assert packages_of({"content": text}) == packages_of([PINNED])


@pytest.mark.parametrize(
    ("packages", "problem"),
    [
        (
            ["grpcio"],
            "packages[0]: 'grpcio' is not pinned. Write one version, such as grpcio==1.76.0, with its hashes",
        ),
        (["grpcio>=1.76"], "packages[0]: 'grpcio>=1.76' is not pinned. Write one version"),
        (["grpcio==1.*"], "packages[0]: 'grpcio==1.*' is not pinned"),
        (
            ["grpcio==1.76.0"],
            "packages[0]: grpcio==1.76.0 has no hash. Add --hash=sha256:… for each of its files",
        ),
        ([PINNED[:-1]], "packages[0]: expected hashes as --hash=sha256: with 64 hexadecimal digits"),
        (["-r other.txt"], "packages[0]: '-r other.txt' is no requirement such as grpcio==1.76.0"),
        (["--index-url=https://example.com"], "is no requirement such as grpcio==1.76.0"),
        ([PINNED.replace("==", " @ https://example.com/")], "is not pinned"),
        (
            [PINNED.replace(" --", " ; python_version < '3.12' --")],
            "has a marker, but the Python of an image differs",
        ),
        ([PINNED, PINNED.replace("grpcio", "GRPCIO")], "packages[1]: package 'grpcio' occurs twice"),
        ([], "packages: no package. Add one, or remove the key"),
        ({"content": f"# one\n{PINNED}\nsix\n"}, "packages, line 3: 'six' is not pinned"),
        (7, "packages: expected a list of requirements, or a file such as {source: requirements.txt}"),
    ],
)
def test_wrong_packages_are_refused(packages: Any, problem: str) -> None:
    found = error_of(with_packages(packages))
    assert found.startswith("shop.yml: services.db.server.packages")
    assert problem in found


def test_program_must_be_python() -> None:
    assert (
        "server.command[0]: 'packages' are for a program that Python runs, got 'uvicorn'. Begin with python3"
        in error_of(with_packages([PINNED], command="uvicorn"))
    )
    assert "server.program: with 'packages', the Python of their virtual environment runs" in error_of(
        with_packages([PINNED], program="python3.12")
    )
