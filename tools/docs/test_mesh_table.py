# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the table of the demos that Istio can run: docs/service-mesh.md has the current one."""

from __future__ import annotations

import pytest
from mesh_table import PAGE, main, reason, rows


def test_table_of_the_page_is_current() -> None:
    main(["--check"])


def test_outdated_table_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesh_table.rows", lambda: iter([("canary", "`proxies.edge`: is wrong")]))
    with pytest.raises(
        SystemExit, match=r"docs/service-mesh.md: the table is out of date. Run `make mesh-table`."
    ):
        main(["--check"])
    assert "`proxies.edge`: is wrong" not in PAGE.read_text(encoding="utf-8")


def test_demos_of_the_mesh_are_found() -> None:
    found = dict(rows())
    assert [demo for demo, why in found.items() if not why] == ["canary", "front_proxy"]
    assert found["dynamic_config_fs"].startswith("`expectations[2].stat` of change `green`: ")
    assert found["rbac"].startswith("`proxies.edge.listeners.http.http_filters`: ")


def test_error_without_a_key_is_reported() -> None:
    with pytest.raises(SystemExit, match="the error names no key"):
        reason("shop.yml has no key")
