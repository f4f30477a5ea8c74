# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Tests of the conversion of values to the types of their options."""

from __future__ import annotations

from typing import Any

import pytest
from demo_data import EDGE, changed, error_of

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("ports", "many", "ports: expected a whole number, got 'many'."),
        ("ports", True, "ports: expected a whole number, got true."),
        ("ports", 1.5, "ports: expected a whole number, got '1.5'."),
        ("ports", 80, "ports: expected a number from 1024 to 65436, got 80 (the block of a demo begins at 1024 or above)."),
        ("ports", 65500, "ports: expected a number from 1024 to 65436, got 65500."),
        ("summary", ["a"], "summary: expected text, got '['a']'."),
        ("summary", True, "summary: expected text, got true. Put it in quotes."),
        ("notes", "one", "notes: expected a list, got 'one'."),
        ("notes", ["a", {}], "notes[1]: expected text, got '{}'."),
        ("services", ["web"], "services: expected a mapping, got '['web']'."),
        ("services.web", "web", "services.web: expected a mapping with keys such as 'app', 'server', 'port', got 'web'."),
        ("services.web.app", "yes", "services.web.app: expected a mapping, got 'yes'."),
        ("services.web.port", 0, "services.web.port: expected a number from 1 to 65535, got 0."),
        ("services.web.publish", -1, "services.web.publish: expected a number from 1 to 65535, got -1."),
        ("services.web.replicas", 11, "services.web.replicas: expected a number from 0 to 10, got 11."),
        ("services.web.replicas", -1, "services.web.replicas: expected a number from 0 to 10, got -1."),
        ("services.web.protocol", "grpc", "services.web.protocol: unknown choice 'grpc'. Use one of: http, tcp, udp."),
        ("services.web.protocol", "htp", "services.web.protocol: unknown choice 'htp'. Did you mean 'http'?"),
        ("services.Web", {}, "services.Web: invalid name 'Web'. Use at most 42 lower case letters, digits"),
        ("services.-web", {}, "services.-web: invalid name '-web'."),
        ("services." + "x" * 43, {}, "Use at most 42 lower case letters"),
        (f"{EDGE}.access_log", "maybe", f"{EDGE}.access_log: expected true or false, got 'maybe'."),
        (f"{EDGE}.admin.publish", 0, f"{EDGE}.admin.publish: expected a number from 1 to 65535, got 0."),
        (f"{EDGE}.listeners.http.port", 0, f"{EDGE}.listeners.http.port: expected a number from 1 to 65535, got 0."),
        (f"{EDGE}.listeners.http.publish", 70000, f"{EDGE}.listeners.http.publish: expected a number from 1 to 65535"),
        (f"{EDGE}.listeners.http.routes", {}, f"{EDGE}.listeners.http.routes: expected a list, got '{{}}'."),
        (f"{EDGE}.listeners.http.routes", ["x"], f"{EDGE}.listeners.http.routes[0]: expected a mapping, got 'x'."),
        ("statsd_exporter.publish", 65536, "statsd_exporter.publish: expected a number from 1 to 65535"),
    ],
)  # fmt: skip
def test_wrong_value_is_refused(path: str, value: Any, message: str) -> None:
    assert error_of(changed(path, value)).startswith("shop.yml: ")
    assert message in error_of(changed(path, value))


@pytest.mark.parametrize(
    ("value", "kind", "taken"),
    [("3", "services.web.replicas", 3), ("false", f"{EDGE}.access_log", False), (5, "summary", "5")],
)
def test_text_of_a_template_is_converted(value: Any, kind: str, taken: Any) -> None:
    found: Any = read_demo("shop", changed(kind, value))
    for key in kind.split("."):
        found = found[key]
    assert found == taken
    assert type(found) is type(taken)
