# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the candidate of a proxy, and the errors of its files."""

from __future__ import annotations

import json

import pytest
import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.candidate import (
    FileError,
    candidate,
    check_syntax,
    to_text,
)

PROXY = {"name": "edge", "bootstrap": "b.yaml", "listeners": "l.yaml", "clusters": "c.yaml"}
TEXTS = {
    "b.yaml": """node: {id: n, cluster: 'n'}
dynamic_resources:
  lds_config: {path_config_source: {path: l.yaml}}
  cds_config: {path_config_source: {path: c.yaml}}
static_resources:
  clusters:
  - {name: own}
""",
    "l.yaml": "resources:\n- '@type': type.googleapis.com/envoy.config.listener.v3.Listener\n  name: http\n  mode: 0644\n",
    "c.yaml": "resources:\n- name: one\n  '@type': type.googleapis.com/envoy.config.cluster.v3.Cluster\n",
}


def test_resources_are_added_after_those_of_the_bootstrap() -> None:
    made = yaml.safe_load(candidate(PROXY, TEXTS))
    assert "dynamic_resources" not in made
    assert made["static_resources"] == {
        "clusters": [{"name": "own"}, {"name": "one"}],
        "listeners": [{"name": "http", "mode": 0o644}],
    }


def test_scalars_are_not_modified() -> None:
    made = candidate(PROXY, TEXTS)
    # Envoy parses a plain n as false, so the candidate must have it plain.
    assert "id: n," in made
    assert "cluster: 'n'" in made
    assert "mode: 0644" in made


def test_other_dynamic_resources_are_kept() -> None:
    bootstrap = TEXTS["b.yaml"].replace("  cds_config", "  ads_config: {api_type: GRPC}\n  cds_config")
    made = yaml.safe_load(candidate(PROXY, {**TEXTS, "b.yaml": bootstrap}))
    assert made["dynamic_resources"] == {"ads_config": {"api_type": "GRPC"}}


def test_proxy_without_a_bootstrap_gets_a_minimal_one() -> None:
    made = yaml.safe_load(candidate({"name": "edge", "clusters": "c.yaml"}, TEXTS))
    assert made["static_resources"] == {"clusters": [{"name": "one"}]}
    assert set(made["node"]) == {"id", "cluster"}


def test_json_files_are_accepted() -> None:
    texts = {
        **TEXTS,
        "b.yaml": json.dumps(yaml.safe_load(TEXTS["b.yaml"])),
        "l.yaml": json.dumps({"resources": []}),
    }
    made = yaml.safe_load(candidate(PROXY, texts))
    assert made["static_resources"]["clusters"] == [{"name": "own"}, {"name": "one"}]


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        (
            "l.yaml",
            "resources:\n- a: b\n\tc: d\n",
            "l.yaml line 3: not YAML: a tab indents this line. YAML needs blanks",
        ),
        ("l.yaml", "listeners: []\n", "l.yaml: a watched file needs the key 'resources'"),
        ("l.yaml", "resources:\n  name: a\n", "l.yaml line 2: 'resources' is not a list"),
        ("l.yaml", "resources:\n- a\n", "l.yaml line 2: a resource is not a mapping"),
        ("l.yaml", "resources:\n- name: a\n", "l.yaml line 2: a resource has no '@type'"),
        ("l.yaml", TEXTS["c.yaml"], "l.yaml line 3: '@type' is .*Cluster. Use .*Listener"),
        ("c.yaml", "[\n", "c.yaml line 1: not YAML: the '\\[' in this line is not closed"),
        ("b.yaml", "- a\n", "b.yaml: the file is not a mapping"),
        ("b.yaml", "", "b.yaml: the file is not a mapping"),
        ("x.yaml", "", "proxies.edge.listeners: 'l.yaml' is not a path of 'files'"),
    ],
)
def test_errors_name_the_file_and_the_line(path: str, text: str, message: str) -> None:
    texts = {**TEXTS, path: text} if path != "x.yaml" else {**TEXTS, "x.yaml": ""}
    if path == "x.yaml":
        del texts["l.yaml"]
    with pytest.raises(FileError, match=message):
        candidate(PROXY, texts)


def test_data_becomes_json_or_yaml_by_the_path() -> None:
    class Text(str):
        __slots__ = ()

    data = {"resources": [{Text("name"): Text("n"), "port": 8080, "on": True}]}
    assert json.loads(to_text("a.json", data)) == data
    assert to_text("a.yaml", data) == "resources:\n- name: 'n'\n  port: 8080\n  'on': true\n"
    assert to_text("a.yaml", Text("x: 1 # as it is")) == "x: 1 # as it is"


@pytest.mark.parametrize("text", ["a: 1\n---\nb: 2\n", "{}", ""])
def test_check_syntax_accepts_yaml_streams(text: str) -> None:
    check_syntax("a.yaml", text)


def test_check_syntax_names_the_line() -> None:
    with pytest.raises(FileError, match=r"^a.json line 1: not YAML"):
        check_syntax("a.json", "{\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:\n  - b: 1\n    b: 2\n", "a.yaml line 3: the key 'b' is already in line 2. Keep one of the two"),
        ("{a: 1, a: 2}", "a.yaml line 1: the key 'a' is already in line 1. Keep one of the two"),
    ],
)
def test_key_that_occurs_twice_is_refused(text: str, message: str) -> None:
    with pytest.raises(FileError) as caught:
        check_syntax("a.yaml", text)
    assert str(caught.value) == message
