# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the files of a demo's author."""

from __future__ import annotations

from typing import Any

import pytest
from demo_data import changed, error_of

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.author_files import AuthorFile
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.demo_source import DemoSource
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo

FILES = "services.db.server.files"
STORED = {"a.txt": b"text ${port}", "b.wasm": b"\0asm\xff", "nul.txt": b"a\0b"}


def read(path: str) -> bytes:
    try:
        return STORED[path]
    except KeyError:
        raise FileNotFoundError(2, "No such file or directory", path) from None


def files(value: Any) -> Any:
    demo = read_demo("shop", changed(FILES, value), source=DemoSource(read=read))
    return demo["services"]["db"]["server"]["files"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", AuthorFile("plain")),
        ({"content": "text"}, AuthorFile("text")),
        ({"content": "text", "sensitive": True}, AuthorFile("text", sensitive=True)),
        ({"source": "a.txt"}, AuthorFile("text ${port}", "a.txt")),
        ({"source": "b.wasm"}, AuthorFile(b"\0asm\xff", "b.wasm")),
        ({"source": "nul.txt"}, AuthorFile(b"a\0b", "nul.txt")),
        ({"base64": "AGFzbf8=\n"}, AuthorFile(b"\0asm\xff")),
        ({"base64": "JHtw b3J0fQ==", "sensitive": True}, AuthorFile(b"${port}", sensitive=True)),
    ],
)
def test_file_of_an_author_is_read(value: Any, expected: AuthorFile) -> None:
    assert files({"config": value}) == {"config": expected}


def test_source_has_no_placeholders() -> None:
    read_files = files({"a": {"source": "a.txt"}, "b": "on ${port}", "c": {"base64": "JHtwb3J0fQ=="}})
    assert [one.template for one in read_files.values()] == ["", "on ${port}", ""]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"source": "c.txt"}, f"{FILES}.config.source: cannot read 'c.txt': no such file or directory. Correct the path"),
        ({"source": "a", "content": "b"}, f"{FILES}.config: has both 'source' and 'content'. Use 'source'"),
        ({"content": "a", "base64": "b"}, f"{FILES}.config: has both 'content' and 'base64'. Use 'source'"),
        ({"base64": "a"}, f"{FILES}.config.base64: not Base64. Encode the file with `base64`"),
        ({"base64": "ä==="}, f"{FILES}.config.base64: not Base64."),
        ({"sensitive": True}, f"{FILES}.config: has neither 'source' nor 'content'. Use 'source'"),
        ({"sourc": "a"}, f"{FILES}.config: unknown key of a file 'sourc'. Did you mean 'source'?"),
        ({"content": {"a": 1}}, f"{FILES}.config.content: expected text. Put it in quotes."),
        ({"content": "a", "sensitive": "x"}, f"{FILES}.config.sensitive: expected true or false, got 'x'."),
        ([1], f"{FILES}.config: expected text, or a mapping with 'source' or 'content'."),
        (None, f"{FILES}.config: expected text, or a mapping with 'source' or 'content'."),
    ],
)  # fmt: skip
def test_wrong_file_is_refused(value: Any, message: str) -> None:
    error = error_of(changed(FILES, {"config": value}), source=DemoSource(read=read))
    assert error.startswith(f"shop.yml: {message}")


def test_file_is_refused_where_the_data_has_no_folder() -> None:
    error = error_of(changed(FILES, {"config": {"source": "a.txt"}}))
    assert "cannot read 'a.txt': this demo has no folder" in error
