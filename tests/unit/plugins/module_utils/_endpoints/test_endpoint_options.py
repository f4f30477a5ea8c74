# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be asked for: assertions and endpoints from plain data, and the sentences for those that cannot be meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.meshlab.envoy.plugins.doc_fragments.endpoints import ModuleDocFragment
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints import endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils.stats_api import (
    ENDPOINT_ARGS,
    ENDPOINT_OPTIONS,
    SpecError,
    parse_endpoints,
    pick,
)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({}, "needs url"),
        ({"url": "127.0.0.1:8001"}, "has to begin with http"),
        ({"url": "ftp://a"}, "has to begin with"),
        ({"url": "http://"}, "no host"),
        ({"url": "http://a:b"}, "no address"),
        ({"url": "http://u:secret@a"}, "send it in headers"),
        ({"url": "http://a/stats?x=1"}, "has to end before"),
        ({"url": "http://a/stats?token=secret"}, "'http://a/stats' has to end before"),
        ({"url": "ftp://u:secret@a/b?secret"}, "'ftp://…@a/b' has to begin with"),
        ({"url": "http://a b"}, "blanks"),
        ({"url": "http://a\r\nX: 1"}, "blanks"),
        ({"url": "unix://run/x"}, "absolute path"),
        ({"url": "unix:///x", "container": "c"}, "inside a container"),
        ({"url": "https://x", "container": "c"}, "inside a container"),
        ({"url": "http://a", "format": "json"}, "Use one of: envoy, prometheus"),
        ({"url": "http://a", "headers": {"a b": "c"}}, "no header can carry"),
        ({"url": "http://a", "headers": {"a": "c\nd"}}, "no header can carry"),
        ({"url": "http://a", "client_key": "k"}, "client_cert"),
        ({"url": "http://a", "contianer": "k"}, "Did you mean .container"),
    ],
)
def test_an_endpoint_that_cannot_be_meant(entry: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words) as caught:
        parse_endpoints([entry])
    assert "secret" not in str(caught.value)


def test_endpoints() -> None:
    one, home, six, page, inside = parse_endpoints(
        [
            {"name": "one", "url": "http://h:1/admin/"},
            {"url": "unix://~/x.sock"},
            {"name": "six", "url": "http://[::1]:8001"},
            {"name": "page", "url": "unix:///x.sock:/metrics?a=b", "format": "prometheus"},
            {"container": "c"},
        ]
    )
    assert (one.path, one.authority) == ("/admin", "h:1")
    assert home.socket == str(Path.home() / "x.sock")
    assert six.authority == "[::1]:8001"
    assert (page.socket, page.path) == ("/x.sock", "/metrics?a=b")
    assert (inside.name, inside.port) == ("c", 9901)
    with pytest.raises(SpecError, match="two are named 'a'"):
        parse_endpoints([{"name": "a", "url": "http://a"}, {"name": "a", "url": "http://b"}])
    with pytest.raises(SpecError, match="not both"):
        parse_endpoints([{"url": "http://a"}], "http://b")


@pytest.mark.parametrize("url", ["http://a/metrics?token=hidden", "unix:///x.sock:/metrics?token=hidden"])
def test_a_token_in_an_address_does_not_become_a_name(url: str) -> None:
    one = parse_endpoints([{"url": url, "format": "prometheus"}])[0]
    assert one.path == "/metrics?token=hidden"
    assert "hidden" not in one.name + one.where


def test_secrets_do_not_show() -> None:
    one = parse_endpoints([{"url": "https://a", "headers": {"authorization": "Bearer hidden"}}])[0]
    assert "hidden" not in repr(one)
    assert "hidden" not in one.where
    assert ENDPOINT_OPTIONS["headers"]["no_log"] is True


def test_who_is_meant() -> None:
    many = parse_endpoints(
        [{"name": name, "url": f"http://{name}"} for name in ("web-1", "web-2", "edge")]
        + [{"name": "exporter", "url": "http://x", "format": "prometheus"}]
    )
    assert [one.name for one in pick(many, ())] == ["web-1", "web-2", "edge"]
    assert [one.name for one in pick(many, ("web-*", "exporter"))] == ["web-1", "web-2", "exporter"]
    assert [one.name for one in pick(many[3:], ())] == ["exporter"]
    with pytest.raises(SpecError, match="no endpoint is named 'wob'; there are web-1"):
        pick(many, ("wob",))


def test_the_documentation_is_of_these_arguments() -> None:
    def shape(options: dict[str, Any], nested: str) -> dict[str, Any]:
        keys = ("type", "elements", "choices", "default", "required")
        return {
            name: {key: option[key] for key in keys if key in option}
            | {nested: shape(option.get(nested, {}), nested)}
            for name, option in options.items()
        }

    for text, spec in ((ModuleDocFragment.DOCUMENTATION, ENDPOINT_ARGS),):
        documented = yaml.safe_load(text)["options"]
        assert str(shape(documented, "suboptions")).replace("suboptions", "options") == str(
            shape(spec, "options")
        )


def test_the_arguments_are_those_that_are_read() -> None:
    assert set(ENDPOINT_OPTIONS) == set(endpoint.KEYS)
