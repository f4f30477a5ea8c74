# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The comparison of planned with existing objects, and the diff."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

import pytest
from sidecar_deployment import DEPLOYMENT

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.object_diff import (
    APPLIED,
    LAST_APPLIED_BY_KUBECTL,
    diff_entry,
    differs,
    is_current,
    is_manually_applied,
    is_subset,
    object_key,
    with_digest,
)


def as_stored(thing: dict[str, Any]) -> dict[str, Any]:
    """Return a Deployment as the API server stores it: defaults, canonical quantities, no empty lists, controller annotations."""
    stored = copy.deepcopy(with_digest(thing))
    stored["metadata"] |= {"uid": "1", "resourceVersion": "5", "generation": 3}
    stored["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "1"
    stored["spec"]["progressDeadlineSeconds"] = 600
    [container] = stored["spec"]["template"]["spec"]["containers"]
    container["imagePullPolicy"] = "IfNotPresent"
    container["resources"]["limits"] = {"cpu": "500m", "memory": "1Gi"}
    del container["args"]
    stored["status"] = {"replicas": 2}
    return stored


def test_object_as_the_server_stores_it_is_current() -> None:
    assert is_current(with_digest(DEPLOYMENT), as_stored(DEPLOYMENT))


@pytest.mark.parametrize(
    "path",
    [
        ("spec", "replicas"),
        ("metadata", "labels", "x"),
        ("spec", "template", "spec", "containers", 0, "image"),
        ("spec", "template", "spec", "containers", 0, "resources", "limits", "cpu"),
    ],
)
def test_changed_field_makes_an_object_outdated(path: tuple[Any, ...]) -> None:
    stored = as_stored(DEPLOYMENT)
    parent: Any = stored
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = "another"
    assert not is_current(with_digest(DEPLOYMENT), stored)


def test_dropped_field_makes_an_object_outdated() -> None:
    stored = as_stored(DEPLOYMENT)
    less = copy.deepcopy(DEPLOYMENT)
    del less["spec"]["template"]["spec"]["serviceAccountName"]
    assert is_subset(less, stored)
    assert not is_current(with_digest(less), stored)


def test_further_key_makes_a_config_map_outdated() -> None:
    planned = with_digest({"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}})
    assert is_current(planned, planned)
    assert not is_current(planned, {**planned, "data": {"a": "1", "b": "2"}})


def test_server_metadata_and_status_are_no_difference() -> None:
    stored = as_stored(DEPLOYMENT)
    later = copy.deepcopy(stored)
    later["metadata"] |= {"resourceVersion": "6", "generation": 4}
    later["metadata"]["annotations"][APPLIED] = "another"
    later["status"] = {}
    assert not differs(stored, later)
    later["spec"]["replicas"] = 3
    assert differs(stored, later)


@pytest.mark.parametrize(
    ("planned", "existing", "is_equal"),
    [
        ("0.5", "500m", True),
        ("1", "1000m", True),
        ("1024Mi", "1Gi", True),
        ("1G", "1000M", True),
        ("1Gi", "1G", False),
        ("a1", "a1000m", False),
        ("1", "2", False),
    ],
)
def test_quantities_are_compared_by_value(planned: str, existing: str, is_equal: bool) -> None:
    assert is_subset({"cpu": planned}, {"cpu": existing}) is is_equal


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [({}, True), ({APPLIED: "1"}, False), ({APPLIED: "1", LAST_APPLIED_BY_KUBECTL: "{}"}, True)],
)
def test_manually_applied_objects_are_recognised(annotations: dict[str, str], expected: bool) -> None:
    assert is_manually_applied({"metadata": {"annotations": annotations}}) is expected
    assert not is_manually_applied(None)


def test_key_of_a_gateway_includes_its_group() -> None:
    gateway = {"apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": {"name": "g"}}
    assert object_key(gateway) == ("Gateway.networking.istio.io", "g")
    assert object_key(DEPLOYMENT) == ("Deployment", "d-a")


def secret(text: str) -> dict[str, Any]:
    data = {"tls.key": base64.b64encode(text.encode()).decode()}
    # kubectl repeats the whole object in an annotation.
    annotations = {LAST_APPLIED_BY_KUBECTL: json.dumps({"data": data}), "note": "kept"}
    metadata = {"name": "s", "uid": text, "annotations": annotations}
    return {"kind": "Secret", "metadata": metadata, "data": data}


def test_diff_does_not_contain_the_data_of_secrets() -> None:
    entry = diff_entry(secret("private one"), secret("private two"))
    assert entry["before"] != entry["after"]
    for text in ("private one", "private two"):
        for part in (text, base64.b64encode(text.encode()).decode()):
            assert part not in str(entry)


def test_diff_of_a_new_secret_has_an_absent_before() -> None:
    entry = diff_entry(None, secret("private"))
    assert (entry["before"], entry["before_header"]) == ("", "Secret/s (absent)")
    assert base64.b64encode(b"private").decode() not in str(entry)
    assert "kept" in entry["after"]
