# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the controller makes of a proxy's files."""

from __future__ import annotations

import json

import pytest
import yaml

from ansible_collections.meshlab.envoy.plugins.plugin_utils._candidate_config import (
    Wrong,
    as_text,
    candidate,
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


def test_watched_files_are_written_into_the_bootstrap_after_its_own() -> None:
    made = yaml.safe_load(candidate(PROXY, TEXTS))
    assert "dynamic_resources" not in made
    assert made["static_resources"] == {
        "clusters": [{"name": "own"}, {"name": "one"}],
        "listeners": [{"name": "http", "mode": 0o644}],
    }


def test_what_envoy_reads_otherwise_than_python_stays_as_it_was_written() -> None:
    made = candidate(PROXY, TEXTS)
    # Envoy takes a plain n for false: validation must see it plain.
    assert "id: n," in made
    assert "cluster: 'n'" in made
    assert "mode: 0644" in made


def test_other_sources_of_configuration_stay() -> None:
    bootstrap = TEXTS["b.yaml"].replace("  cds_config", "  ads_config: {api_type: GRPC}\n  cds_config")
    made = yaml.safe_load(candidate(PROXY, {**TEXTS, "b.yaml": bootstrap}))
    assert made["dynamic_resources"] == {"ads_config": {"api_type": "GRPC"}}


def test_without_a_bootstrap_there_is_an_empty_one() -> None:
    made = yaml.safe_load(candidate({"name": "edge", "clusters": "c.yaml"}, TEXTS))
    assert made["static_resources"] == {"clusters": [{"name": "one"}]}
    assert set(made["node"]) == {"id", "cluster"}


def test_json_is_yaml() -> None:
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
        ("l.yaml", "resources:\n- a: b\n\tc: d\n", "l.yaml line 3: is no YAML: found character '\\\\t'"),
        ("l.yaml", "listeners: []\n", "l.yaml: a file that Envoy watches starts with 'resources:'"),
        ("l.yaml", "resources:\n  name: a\n", "l.yaml line 2: 'resources' is not a list"),
        ("l.yaml", "resources:\n- a\n", "l.yaml line 2: a resource is not a mapping"),
        ("l.yaml", "resources:\n- name: a\n", "l.yaml line 2: a resource has no '@type'"),
        ("l.yaml", TEXTS["c.yaml"], "l.yaml line 3: '@type' is .*Cluster, and here it must be .*Listener"),
        ("c.yaml", "[\n", "c.yaml line 2: is no YAML"),
        ("b.yaml", "- a\n", "b.yaml: is not a mapping"),
        ("b.yaml", "", "b.yaml: is not a mapping"),
        ("x.yaml", "", "proxies: edge: its listeners 'l.yaml' is none of the 'files'"),
    ],
)
def test_mistakes_are_told_with_file_and_line(path: str, text: str, message: str) -> None:
    texts = {**TEXTS, path: text} if path != "x.yaml" else {**TEXTS, "x.yaml": ""}
    if path == "x.yaml":
        del texts["l.yaml"]
    with pytest.raises(Wrong, match=message):
        candidate(PROXY, texts)


def test_data_is_written_as_the_path_says() -> None:
    class Text(str):
        __slots__ = ()

    data = {"resources": [{Text("name"): Text("n"), "port": 8080, "on": True}]}
    assert json.loads(as_text("a.json", data)) == data
    assert as_text("a.yaml", data) == "resources:\n- name: 'n'\n  port: 8080\n  'on': true\n"
    assert as_text("a.yaml", Text("x: 1 # as it is")) == "x: 1 # as it is"
