# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy import xds_file

CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
ZERO = """# whom it talks to
resources:
- '@type': type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: one
  connect_timeout: 1s
  metadata: {name: not this one}
# about two
- name: "two"
  '@type': type.googleapis.com/envoy.config.cluster.v3.Cluster
  load_assignment:
    cluster_name: two
    endpoints:
    - name: nor this

"""
TWO = "resources:\n  - name: three # spoken\n    text: |\n      - name: x\n\n      # kept\n      y\n  -   name: 'one'\n      a: 1\n"
FLOW = "resources: [{name: one}]\n"


def data(text: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = yaml.safe_load(text)["resources"]
    return found


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (ZERO, ["one", "two"]),
        (TWO, ["three", "one"]),
        ("resources: []\n", []),
        ("version_info: '3'\nresources:\n", []),
        ("resources: # none\n# at all\n", []),
        (json.dumps({"resources": [{"name": "j"}]}), ["j"]),
        (ZERO + "version_info: '1'\n", ["one", "two"]),
        ("resources:\n- name: a\n- name: a\n", ["a", "a"]),
    ],
)
def test_the_names_of_the_resources_are_found(text: str, names: list[str]) -> None:
    assert xds_file.names(text) == names


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (ZERO, ""),
        ("version_info: sha256:12e4\nresources: []\n", "sha256:12e4"),
        ('resources: []\nversion_info: "3 or so"  # by hand\n', "3 or so"),
        ("# version_info: '1'\nresources:\n- version_info: '2'\n", ""),
        # What Envoy reads as something else than text is not ours to guess.
        ("version_info: 1.0\nresources: []\n", ""),
        ('version_info: "a\\tb"\nresources: []\n', ""),
        ("version_info: 'a\\1'\nresources: []\n", ""),
        ("version_info: v1\nresources: []\n", ""),
        ('version_info: "it\'s"\nresources: []\n', ""),
        ('{"version_info": "<4>", "resources": []}', ""),
        ('{"version_info": "4", "resources": []}', "4"),
        ('{"version_info": 4}', ""),
        ("{", ""),
    ],
)
def test_the_version_is_found_where_it_is_plain_to_see(text: str, version: str) -> None:
    assert xds_file.version(text) == version


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("version_info: sha256:0a\nresources: []\n", "version_info: 'sha256:0a again'\nresources: []\n"),
        ("resources: []\n", "resources: []\n\n"),
        ('{"version_info": "4"}', '{"version_info": "4"}\n'),
    ],
)
def test_the_same_may_be_another_text(text: str, other: str) -> None:
    assert xds_file.again(text) == other
    assert yaml.safe_load(other).get("resources") == yaml.safe_load(text).get("resources")


def test_a_union_in_json_is_of_both_versions() -> None:
    old, new = (json.dumps({"version_info": one, "resources": [{"name": one}]}) for one in ("old", "new"))
    assert xds_file.version(xds_file.union(old, new)) == "new+old"


@pytest.mark.parametrize("text", [ZERO, TWO, "resources: []\n", ZERO + "version_info: '1'\n"])
def test_the_parts_of_a_text_make_the_text_again(text: str) -> None:
    assert xds_file.split(text).text == text


@pytest.mark.parametrize(
    "text",
    [
        FLOW,
        "- name: one\n",
        "",
        "resources:\n  a: b\n",
        "resources:\n- a: b\n",
        "resources:\n- name: *x\n",
        "resources:\n- name: |\n    long\n",
        "resources:\n- name: a\n\tb: c\n",
        "resources:\n  stray: 1\n  - name: a\n",
        "{resources: [{name: a}]}",
        '{"resources": {"name": "a"}}',
        '{"resources": [{"nam": "a"}]}',
    ],
)
def test_what_cannot_be_told_apart_is_not_guessed(text: str) -> None:
    with pytest.raises(xds_file.Unclear):
        xds_file.names(text)


@pytest.mark.parametrize(("old", "new"), [(ZERO, TWO), (TWO, ZERO), (ZERO, ZERO.replace("one", "uno"))])
def test_a_union_has_the_new_and_what_only_the_old_has(old: str, new: str) -> None:
    have = {one["name"] for one in data(new)}
    both = data(xds_file.union(old, new))
    assert both == data(new) + [one for one in data(old) if one["name"] not in have]


def test_a_union_that_adds_nothing_is_the_new_text_itself() -> None:
    assert xds_file.union("resources:\n- name: one\n", ZERO) == ZERO
    assert xds_file.union("resources: []\n", ZERO) == ZERO


def test_a_union_with_an_empty_new_is_the_old() -> None:
    assert data(xds_file.union(ZERO, "resources: []\n")) == data(ZERO)


def test_a_union_keeps_what_follows_the_resources() -> None:
    text = xds_file.union("version_info: sha256:0a # by hash\n" + TWO, ZERO + "version_info: '7'\n")
    assert yaml.safe_load(text)["version_info"] == xds_file.version(text) == "7+sha256:0a"
    assert len(data(text)) == 3


def test_a_text_without_a_last_newline_is_joined_on_lines_of_its_own() -> None:
    assert xds_file.names(xds_file.union("resources:\n- name: a", "resources:\n- name: b")) == ["b", "a"]


def test_a_union_of_json_is_json() -> None:
    def text(*names: str) -> str:
        return json.dumps({"resources": [{"name": name} for name in names]})

    assert json.loads(xds_file.union(text("a", "b"), text("b", "c")))["resources"] == [
        {"name": "b"},
        {"name": "c"},
        {"name": "a"},
    ]
    with pytest.raises(xds_file.Unclear):
        xds_file.union(text("a"), ZERO)


def test_a_union_does_not_tear_anchors_apart() -> None:
    with pytest.raises(xds_file.Unclear):
        xds_file.union("resources:\n- name: a\n  x: &anchor 1\n", "resources:\n- name: b\n")


def test_what_is_new_or_not_the_same_has_changed() -> None:
    assert xds_file.changed(ZERO, ZERO.replace("connect_timeout: 1s", "connect_timeout: 2s")) == ["one"]
    assert xds_file.lacking(ZERO, TWO) == ["two"]


@pytest.mark.parametrize(
    ("path", "text", "kind"),
    [
        ("a/x.yaml", ZERO, "clusters"),
        ("a/x.json", json.dumps({"resources": [{"@type": CLUSTER}]}), "clusters"),
        ("a/x.yaml", ZERO.replace("cluster.v3.Cluster", "listener.v3.Listener"), "listeners"),
        ("a/clusters.yaml", ZERO.replace("cluster.v3.Cluster", "route.v3.RouteConfiguration"), "other"),
        ("a/lds.yaml", "resources: []\n", "listeners"),
        ("cluster/rds.yaml", "resources: []\n", "other"),
    ],
)
def test_a_file_is_known_by_its_types_or_else_by_its_name(path: str, text: str, kind: str) -> None:
    assert xds_file.kind(path, text) == kind
