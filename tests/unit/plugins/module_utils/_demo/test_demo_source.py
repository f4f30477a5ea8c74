# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the origin of a demo's data."""

from __future__ import annotations

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.demo_source import DemoSource, with_line
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError

SOURCE = DemoSource(
    lines={
        "services": 1,
        "services.web": 2,
        "services.web.files.a.txt": 3,
        "services.web.port": 4,
        "traffic[0].to": 5,
        "changes.more.set.services.web": 6,
        "changes.more.set.services.web.port": 7,
        "changes.more.traffic[0].to": 8,
        "publsh": 9,
    },
    written={"services.web.port": "0644", "changes.more.set.services.web.port": "0755"},
)


@pytest.mark.parametrize(
    ("file", "problem", "expected"),
    [
        ("a.yml", "services.web.port: wrong. Correct it.", "a.yml, line 4: services.web.port: wrong. Correct it."),
        ("a.yml", "services.web.files.a.txt.source: wrong.", "a.yml, line 3: services.web.files.a.txt.source: wrong."),
        ("a.yml", "services.web: unknown key 'x'.", "a.yml, line 2: services.web: unknown key 'x'."),
        ("a.yml", "services.web: unknown key 'port'.", "a.yml, line 4: services.web: unknown key 'port'."),
        ("a.yml", "unknown key 'publsh'. Did you mean 'publish'?", "a.yml, line 9: unknown key 'publsh'. Did you mean 'publish'?"),
        ("a.yml", "traffic[0].to: wrong.", "a.yml, line 5: traffic[0].to: wrong."),
        ("a.yml", "summary: missing. Add the key.", "a.yml: summary: missing. Add the key."),
        ("a.yml", "expected a mapping.", "a.yml: expected a mapping."),
        ("a.yml with change 'more'", "services.web.port: wrong.", "a.yml with change 'more', line 7: services.web.port: wrong."),
        ("a.yml with change 'more'", "services.web.files.a.txt: x.", "a.yml with change 'more', line 3: services.web.files.a.txt: x."),
        ("a.yml with change 'more'", "traffic[0].to: wrong.", "a.yml with change 'more', line 8: traffic[0].to: wrong."),
    ],
)  # fmt: skip
def test_error_has_the_line_of_its_key(file: str, problem: str, expected: str) -> None:
    assert with_line(DemoError(file, problem), SOURCE) == expected


def test_written_text_of_a_change_is_in_the_change() -> None:
    assert SOURCE.written_text("services.web.port") == "0644"
    assert SOURCE.of_change("more").written_text("services.web.port") == "0755"
    assert SOURCE.of_change("more").written_text("services.web") is None
    assert DemoSource().written_text("services.web.port") is None
