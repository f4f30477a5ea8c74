# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that are wanted against objects that are there."""

from __future__ import annotations

import base64
import copy
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes import (
    object_diff as objects,
)

SIDECAR = {"name": "envoy", "image": "e:1", "restartPolicy": "Always"}
DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "d-a", "labels": {"x": "y"}},
    "spec": {
        "replicas": 2,
        "template": {
            "metadata": {"labels": {"x": "y"}},
            "spec": {
                "serviceAccountName": "d",
                "initContainers": [SIDECAR],
                "containers": [
                    {
                        "name": "app",
                        "image": "a:1",
                        "args": [],
                        "resources": {"limits": {"cpu": "0.5", "memory": "1024Mi"}},
                    }
                ],
                "volumes": [
                    {
                        "name": "edge",
                        "projected": {"sources": [{"configMap": {"name": "c"}}, {"secret": {"name": "s"}}]},
                    }
                ],
            },
        },
    },
}


def as_the_server_has_it(thing: dict[str, Any]) -> dict[str, Any]:
    """With defaults, canonical quantities, empty lists left out, and what others wrote."""
    there = copy.deepcopy(objects.stamped(thing))
    there["metadata"] |= {"uid": "1", "resourceVersion": "5", "generation": 3}
    there["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "1"
    there["spec"]["progressDeadlineSeconds"] = 600
    [container] = there["spec"]["template"]["spec"]["containers"]
    container["imagePullPolicy"] = "IfNotPresent"
    container["resources"]["limits"] = {"cpu": "500m", "memory": "1Gi"}
    del container["args"]
    there["status"] = {"replicas": 2}
    return there


def test_what_the_server_made_of_an_object_is_the_same_object() -> None:
    assert objects.holds_the_same(objects.stamped(DEPLOYMENT), as_the_server_has_it(DEPLOYMENT))


@pytest.mark.parametrize(
    "path",
    [
        ("spec", "replicas"),
        ("metadata", "labels", "x"),
        ("spec", "template", "spec", "containers", 0, "image"),
        ("spec", "template", "spec", "containers", 0, "resources", "limits", "cpu"),
    ],
)
def test_whatever_somebody_changed_is_noticed(path: tuple[Any, ...]) -> None:
    there = as_the_server_has_it(DEPLOYMENT)
    inside: Any = there
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = "another"
    assert not objects.holds_the_same(objects.stamped(DEPLOYMENT), there)


def test_what_is_wanted_no_more_is_noticed_although_all_that_is_wanted_is_there() -> None:
    there = as_the_server_has_it(DEPLOYMENT)
    less = copy.deepcopy(DEPLOYMENT)
    del less["spec"]["template"]["spec"]["serviceAccountName"]
    assert objects.is_as_wanted(less, there)
    assert not objects.holds_the_same(objects.stamped(less), there)


def test_a_config_map_with_one_key_too_many_is_another_one() -> None:
    wanted = objects.stamped({"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}})
    assert objects.holds_the_same(wanted, wanted)
    assert not objects.holds_the_same(wanted, {**wanted, "data": {"a": "1", "b": "2"}})


def test_bookkeeping_is_no_difference() -> None:
    there = as_the_server_has_it(DEPLOYMENT)
    later = copy.deepcopy(there)
    later["metadata"] |= {"resourceVersion": "6", "generation": 4}
    later["metadata"]["annotations"][objects.APPLIED] = "another"
    later["status"] = {}
    assert not objects.differs(there, later)
    later["spec"]["replicas"] = 3
    assert objects.differs(there, later)


@pytest.mark.parametrize(
    ("one", "other", "same"),
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
def test_quantities_are_compared_by_what_they_say(one: str, other: str, same: bool) -> None:
    assert objects.is_as_wanted({"cpu": one}, {"cpu": other}) is same


def test_a_secret_and_a_route_get_what_was_made_in_the_state_folder(tmp_path: Path) -> None:
    annotated = {"annotations": {"meshlab.envoy/folder": "edge/certs"}}
    secret = {"kind": "Secret", "metadata": {"name": "s", **annotated}}
    route = {
        "kind": "Route",
        "metadata": {"name": "r", **annotated},
        "spec": {"tls": {"termination": "reencrypt"}},
    }
    assert objects.filled(secret, tmp_path) is None
    assert objects.filled(route, tmp_path) is None
    (tmp_path / "edge/certs").mkdir(parents=True)
    for name in ("tls.crt", "tls.key", "ca.crt"):
        (tmp_path / "edge/certs" / name).write_text(f"{name}!")
    filled = objects.filled(secret, tmp_path)
    assert filled
    assert {key: base64.b64decode(value) for key, value in filled["data"].items()} == {
        "tls.crt": b"tls.crt!",
        "tls.key": b"tls.key!",
        "ca.crt": b"ca.crt!",
    }
    routed = objects.filled(route, tmp_path)
    assert routed
    assert routed["spec"]["tls"] == {"termination": "reencrypt", "destinationCACertificate": "ca.crt!"}


def test_an_old_cluster_gets_native_sidecars_as_containers_that_come_first() -> None:
    before = copy.deepcopy(DEPLOYMENT)
    old = objects.for_version(DEPLOYMENT, (1, 28))
    spec = old["spec"]["template"]["spec"]
    assert [one["name"] for one in spec["containers"]] == ["envoy", "app"]
    assert "initContainers" not in spec
    assert "restartPolicy" not in spec["containers"][0]
    assert before == DEPLOYMENT
    prepares = {"name": "prepares", "image": "i"}
    both = copy.deepcopy(DEPLOYMENT)
    both["spec"]["template"]["spec"]["initContainers"] = [prepares, SIDECAR]
    spec = objects.for_version(both, (1, 28))["spec"]["template"]["spec"]
    assert spec["initContainers"] == [prepares]
    assert objects.for_version(both, (1, 29)) == both


def test_an_old_cluster_waits_before_a_stop_by_a_program() -> None:
    new = copy.deepcopy(DEPLOYMENT)
    pod = new["spec"]["template"]["spec"]
    for one in [*pod["initContainers"], *pod["containers"]]:
        one["lifecycle"] = {"preStop": {"sleep": {"seconds": 10}}}
    assert objects.for_version(new, (1, 30)) == new
    old = objects.for_version(new, (1, 29))["spec"]["template"]["spec"]
    for one in [*old["initContainers"], *old["containers"]]:
        assert one["lifecycle"] == {"preStop": {"exec": {"command": ["sleep", "10"]}}}
    other = {"kind": "Service", "metadata": {"name": "s"}}
    assert objects.for_version(other, (1, 20)) == other


def test_pods_are_found_by_what_they_mount() -> None:
    pod = {"spec": DEPLOYMENT["spec"]["template"]["spec"]}
    assert objects.mounts(pod, "ConfigMap", "c")
    assert objects.mounts(pod, "Secret", "s")
    assert not objects.mounts(pod, "ConfigMap", "s")
    assert objects.mounts({"spec": {"volumes": [{"secret": {"secretName": "s"}}]}}, "Secret", "s")


def test_a_diff_never_shows_what_a_secret_holds() -> None:
    def secret(text: str) -> dict[str, Any]:
        data = {"tls.key": base64.b64encode(text.encode()).decode()}
        # Whoever applied it by hand has all of it once more in an annotation.
        by_hand = {objects.APPLIED_BY_HAND: json.dumps({"data": data}), "note": "kept"}
        metadata = {"name": "s", "uid": text, "annotations": by_hand}
        return {"kind": "Secret", "metadata": metadata, "data": data}

    found = objects.difference(secret("private one"), secret("private two"))
    assert found["before"] != found["after"]
    for text in ("private one", "private two"):
        for part in (text, base64.b64encode(text.encode()).decode()):
            assert part not in str(found)
    new = objects.difference(None, secret("private"))
    assert (new["before"], new["before_header"]) == ("", "Secret/s (absent)")
    assert base64.b64encode(b"private").decode() not in str(new)
    assert "kept" in new["after"]


def test_a_sample_pod_asks_for_what_the_pods_ask_for_but_the_account() -> None:
    pod = objects.sample_pod(DEPLOYMENT)
    assert pod["metadata"] == {"name": "d-a-would-it-be-let-in", "labels": {"x": "y"}}
    assert pod["spec"] == {
        key: value
        for key, value in DEPLOYMENT["spec"]["template"]["spec"].items()
        if key != "serviceAccountName"
    }
