# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test how the resources of a watched file are separated, merged and compared."""

from __future__ import annotations

import json

import pytest
import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy import xds_file

CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
ZERO = """# upstream clusters
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


def resources(text: str) -> list[dict[str, object]]:
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
def test_names_are_found_in_order(text: str, names: list[str]) -> None:
    assert xds_file.names(text) == names


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (ZERO, ""),
        ("version_info: sha256:12e4\nresources: []\n", "sha256:12e4"),
        ('resources: []\nversion_info: "3 or so"  # by hand\n', "3 or so"),
        ("# version_info: '1'\nresources:\n- version_info: '2'\n", ""),
        # Envoy can parse these as another type than text.
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
def test_only_a_plain_version_is_found(text: str, version: str) -> None:
    assert xds_file.version_info(text) == version


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("version_info: sha256:0a\nresources: []\n", "version_info: 'sha256:0a again'\nresources: []\n"),
        ("resources: []\n", "resources: []\n\n"),
        ('{"version_info": "4"}', '{"version_info": "4"}\n'),
    ],
)
def test_other_version_keeps_the_resources(text: str, other: str) -> None:
    assert xds_file.with_other_version(text) == other
    assert yaml.safe_load(other).get("resources") == yaml.safe_load(text).get("resources")


def test_union_of_json_has_both_versions() -> None:
    old, new = (json.dumps({"version_info": one, "resources": [{"name": one}]}) for one in ("old", "new"))
    assert xds_file.version_info(xds_file.union(old, new)) == "new+old"


@pytest.mark.parametrize("text", [ZERO, TWO, "resources: []\n", ZERO + "version_info: '1'\n"])
def test_joined_parts_are_the_text(text: str) -> None:
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
def test_unsupported_layout_is_an_error(text: str) -> None:
    with pytest.raises(xds_file.UnsupportedLayout):
        xds_file.names(text)


@pytest.mark.parametrize(("old", "new"), [(ZERO, TWO), (TWO, ZERO), (ZERO, ZERO.replace("one", "uno"))])
def test_union_adds_the_removed_resources(old: str, new: str) -> None:
    new_names = {resource["name"] for resource in resources(new)}
    both = resources(xds_file.union(old, new))
    assert both == resources(new) + [
        resource for resource in resources(old) if resource["name"] not in new_names
    ]


def test_union_without_removed_resources_is_the_new_text() -> None:
    assert xds_file.union("resources:\n- name: one\n", ZERO) == ZERO
    assert xds_file.union("resources: []\n", ZERO) == ZERO


def test_union_with_an_empty_new_text_is_the_old_one() -> None:
    assert resources(xds_file.union(ZERO, "resources: []\n")) == resources(ZERO)


def test_union_keeps_the_text_after_the_resources() -> None:
    text = xds_file.union("version_info: sha256:0a # by hash\n" + TWO, ZERO + "version_info: '7'\n")
    assert yaml.safe_load(text)["version_info"] == xds_file.version_info(text) == "7+sha256:0a"
    assert len(resources(text)) == 3


def test_union_adds_a_missing_last_newline() -> None:
    assert xds_file.names(xds_file.union("resources:\n- name: a", "resources:\n- name: b")) == ["b", "a"]


def test_union_of_json_is_json() -> None:
    def text(*names: str) -> str:
        return json.dumps({"resources": [{"name": name} for name in names]})

    assert json.loads(xds_file.union(text("a", "b"), text("b", "c")))["resources"] == [
        {"name": "b"},
        {"name": "c"},
        {"name": "a"},
    ]
    with pytest.raises(xds_file.UnsupportedLayout):
        xds_file.union(text("a"), ZERO)


def test_union_of_anchors_is_an_error() -> None:
    with pytest.raises(xds_file.UnsupportedLayout):
        xds_file.union("resources:\n- name: a\n  x: &anchor 1\n", "resources:\n- name: b\n")


def test_changed_and_removed_names() -> None:
    assert xds_file.changed_names(ZERO, ZERO.replace("connect_timeout: 1s", "connect_timeout: 2s")) == ["one"]
    assert xds_file.removed_names(ZERO, TWO) == ["two"]


@pytest.mark.parametrize(
    ("path", "text", "kind"),
    [
        ("a/x.yaml", ZERO, "clusters"),
        ("a/x.json", json.dumps({"resources": [{"@type": CLUSTER}]}), "clusters"),
        ("a/x.yaml", ZERO.replace("cluster.v3.Cluster", "listener.v3.Listener"), "listeners"),
        ("a/clusters.yaml", ZERO.replace("cluster.v3.Cluster", "route.v3.RouteConfiguration"), "routes"),
        (
            "a/clusters.yaml",
            ZERO.replace("cluster.v3.Cluster", "endpoint.v3.ClusterLoadAssignment"),
            "endpoints",
        ),
        (
            "a/x.yaml",
            ZERO.replace("config.cluster.v3.Cluster", "extensions.transport_sockets.tls.v3.Secret"),
            "secrets",
        ),
        ("a/clusters.yaml", ZERO.replace("cluster.v3.Cluster", "route.v3.VirtualHost"), "other"),
        ("a/lds.yaml", "resources: []\n", "listeners"),
        ("cluster/rds.yaml", "resources: []\n", "routes"),
        ("cluster/eds.yaml", "resources: []\n", "endpoints"),
        ("cluster/secret.yaml", "resources: []\n", "secrets"),
        ("cluster/runtime.yaml", "resources: []\n", "other"),
    ],
)
def test_kind_follows_from_the_types_or_the_file_name(path: str, text: str, kind: str) -> None:
    assert xds_file.kind(path, text) == kind
