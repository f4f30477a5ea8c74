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
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions import assertion
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints import endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils.stats_api import (
    ASSERTION_ARGS,
    ASSERTION_OPTIONS,
    ENDPOINT_ARGS,
    ENDPOINT_OPTIONS,
    WAIT_ARGS,
    SpecError,
    parse_assertions,
    parse_endpoints,
    pick,
)

ONE = {"stat": "a.b", "op": "eq", "value": 1}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stat": None}, "either stat"),
        ({"match": "a"}, "not both"),
        ({"op": None}, "op: a value is missing"),
        ({"op": "equals"}, "unknown value 'equals'"),
        ({"value": None}, "value is missing"),
        ({"value": [1]}, "expected a number or text"),
        ({"value": True}, "expected a number or text"),
        ({"op": "lt", "value": "x"}, "expected a number"),
        ({"op": "between", "value": [2, 1]}, "lowest, highest"),
        ({"op": "between", "value": 2}, "has to be a list"),
        ({"op": "absent"}, "leave it out"),
        ({"op": "matches", "value": "(?=a)"}, "RE2"),
        ({"quantile": 99}, "write 0.99"),
        ({"quantile": -1}, "from 0 to 1"),
        ({"quantile": 0.5, "bucket": 1}, "not both"),
        ({"quantile": 0.5, "of": "rate"}, "no rate"),
        ({"window": "interval"}, "quantile or bucket"),
        ({"source": "clusters", "of": "delta"}, "are for stats"),
        ({"over": "c", "across": "count"}, "ratio"),
        ({"over": "c", "quantile": 0.5}, "ratio"),
        ({"over": "c", "over_match": "d"}, "not both"),
        ({"over_match": "c", "across": "any"}, "ratio"),
        ({"over_match": "("}, "over_match"),
        ({"over": "a.b"}, "ratio to itself"),
        ({"over_labels": {"a": "b"}}, "goes with over"),
        ({"over": "c", "over_labels": 5}, "over_labels has to be a dictionary"),
        ({"stat": None, "labels": {}}, "either stat"),
        ({"labels": ["a"]}, "dictionary"),
        ({"acros": "sum"}, "Did you mean .across"),
        ({"tolerance": "-5%"}, "tolerance"),
        ({"tolerance": "binomial"}, "it goes with over"),
        ({"tolerance": "binomial", "over": "b", "of": "rate"}, "of: value or delta"),
        ({"tolerance": "binomial", "over": "b", "across": "max"}, "each or sum"),
        ({"tolerance": "binomial", "over": "b", "op": "gt"}, "Use one of: eq, le, ge, between"),
        ({"tolerance": "binomial", "over": "b", "value": 5}, "the value is 5"),
        ({"tolerance": {"binomial": 2}, "over": "b"}, "false alarm"),
        ({"default": "none"}, "default"),
        ({"quantile": 0.5, "default": 0}, "no quantile of nothing"),
        ({"endpoint": [1]}, "a name or a list of names"),
        ({"stat": {"a": 1}}, "expected text"),
    ],
)
def test_an_assertion_that_cannot_be_meant(change: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words) as caught:
        parse_assertions([ONE, {**ONE, **change}])
    assert str(caught.value).startswith("assertions[1]")


@pytest.mark.parametrize("entries", [{"stat": "a"}, "a", 5, ["a"]])
def test_assertions_that_are_no_list_of_dictionaries(entries: Any) -> None:
    with pytest.raises(SpecError, match="assertions"):
        parse_assertions(entries)


def test_an_assertion_in_words() -> None:
    one = parse_assertions(
        [
            {
                "stat": "h",
                "quantile": "0.99",
                "of": "delta",
                "across": "sum",
                "op": "lt",
                "value": "50",
                "tolerance": "5%",
            }
        ]
    )[0]
    assert one.expected == "sum p99 delta less than 50 ± 5 %"
    assert parse_assertions(None) == []
    assert parse_assertions([{"stat": "a", "op": "between", "value": "1, 2"}])[0].value == (1, 2)


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

    for text, spec in (
        (ModuleDocFragment.DOCUMENTATION, ENDPOINT_ARGS),
        (ModuleDocFragment.ASSERTIONS, ASSERTION_ARGS),
        (ModuleDocFragment.WAIT, WAIT_ARGS),
    ):
        documented = yaml.safe_load(text)["options"]
        assert str(shape(documented, "suboptions")).replace("suboptions", "options") == str(
            shape(spec, "options")
        )


def test_the_arguments_are_those_that_are_read() -> None:
    assert set(ASSERTION_OPTIONS) == set(assertion.KEYS)
    assert set(ENDPOINT_OPTIONS) == set(endpoint.KEYS)
