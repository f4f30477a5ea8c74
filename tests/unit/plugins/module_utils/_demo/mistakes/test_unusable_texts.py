# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of texts that no process or file accepts."""

from __future__ import annotations

from typing import Any

import pytest
from demo_data import changed, error_of

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("summary", "a\x00b", "summary: the text contains the character U+0000, which no program accepts as text. Remove it."),
        ("services.web.app.version", "\ud800", "services.web.app.version: the text contains the character U+D800"),
        ("proxies.edge.bootstrap", {"x\x00": 1}, "proxies.edge.bootstrap: the key contains the character U+0000"),
        ("services.web.app.environment", {"A=B": "1"}, "services.web.app.environment: 'A=B' is not the name of a variable."),
        ("services.db.server.environment", {"": "1"}, "services.db.server.environment: '' is not the name of a variable."),
        ("proxies.edge.environment", {"1A": "1"}, "proxies.edge.environment: '1A' is not the name of a variable."),
        (
            "services.db.server.command", ["db", "--config=${files}/db.conf"],
            "services.db.server.command[1]: the server has no file 'db.conf'. It has no files. Correct the path, or add the file under",
        ),
    ],
)  # fmt: skip
def test_unusable_text_is_refused(path: str, value: Any, message: str) -> None:
    assert error_of(changed(path, value)).startswith(f"shop.yml: {message}")


def test_files_and_folders_of_files_are_accepted() -> None:
    data = changed("services.db.server.files", {"conf/db.conf": "x"})
    data["services"]["db"]["server"]["command"] = ["db", "${files}/conf/db.conf", "${files}/conf", "${files}"]
    read_demo("shop", data)
