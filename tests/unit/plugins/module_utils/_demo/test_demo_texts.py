# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the placeholders of proxies, and of the texts without placeholders."""

from __future__ import annotations

from typing import Any

import pytest
from demo_data import EDGE, changed, error_of

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.demo_texts import (
    proxy_placeholders,
    with_values,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        ("summary", "of ${web/app}", "summary"),
        ("traffic", [{"to": "edge", "path": "/?url=${web/app}/x"}], "traffic[0].path"),
        ("traffic", [{"to": "edge", "headers": {"x": "${web/app}"}}], "traffic[0].headers.x"),
        ("expectations", [{"at": "edge", "stat": "${web/app}"}], "expectations[0].stat"),
        ("services.web.app", {"version": "${web/app}"}, "services.web.app.version"),
        ("services.db.server.image", "${web/app}", "services.db.server.image"),
        ("statsd_exporter.arguments", ["${web/app}"], "statsd_exporter.arguments[0]"),
        ("changes.bigger.summary", "${web/app}", "changes.bigger.summary"),
        ("changes.bigger.during", [{"to": "edge", "path": "${web/app}"}], "changes.bigger.during[0].path"),
    ],
)
def test_placeholder_without_a_value_is_refused(path: str, value: Any, where: str) -> None:
    assert error_of(changed(path, value)).startswith(
        f"shop.yml: {where}: this text has no placeholders, but it contains '${{web/app}}'. Write the value itself,"
    )


def test_escaped_placeholder_is_text() -> None:
    assert read_demo("shop", changed("summary", "a $${web/app}"))["summary"] == "a ${web/app}"


def test_texts_of_proxies_keep_placeholders_for_the_plan() -> None:
    demo = read_demo("shop", changed(f"{EDGE}.environment", {"A": "${web/app} ${files}"}))
    assert proxy_placeholders(demo["proxies"]["edge"]) == {"web/app", "files"}


def test_values_are_filled_at_any_depth() -> None:
    value = {"a": [{"b": "${x}-$${x}"}, 1, None], "c": "%REQ(x)%"}
    assert with_values(value, {"x": "1"}) == {"a": [{"b": "1-${x}"}, 1, None], "c": "%REQ(x)%"}
