# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes to planned objects before their apply."""

from __future__ import annotations

import base64
import copy
from pathlib import Path

from demo_objects import SERVICE, network_policy
from sidecar_deployment import DEPLOYMENT, POD_SPEC, SIDECAR

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.object_changes import (
    for_cluster_version,
    sample_pod,
    with_certificates,
    with_previous_callers,
)

ANNOTATED = {"annotations": {"meshlab.envoy/folder": "edge/certs"}}
SECRET = {"kind": "Secret", "metadata": {"name": "s", **ANNOTATED}}
ROUTE = {
    "kind": "Route",
    "metadata": {"name": "r", **ANNOTATED},
    "spec": {"tls": {"termination": "reencrypt"}},
}


def test_missing_certificate_makes_an_object_incomplete(tmp_path: Path) -> None:
    assert with_certificates(SECRET, tmp_path) is None
    assert with_certificates(ROUTE, tmp_path) is None
    assert with_certificates(SERVICE, tmp_path) == SERVICE


def test_secret_and_route_get_files_of_the_state_folder(tmp_path: Path) -> None:
    (tmp_path / "edge/certs").mkdir(parents=True)
    for name in ("tls.crt", "tls.key", "ca.crt"):
        (tmp_path / "edge/certs" / name).write_text(f"{name}!")
    secret = with_certificates(SECRET, tmp_path)
    assert secret
    assert {key: base64.b64decode(value) for key, value in secret["data"].items()} == {
        "tls.crt": b"tls.crt!",
        "tls.key": b"tls.key!",
        "ca.crt": b"ca.crt!",
    }
    route = with_certificates(ROUTE, tmp_path)
    assert route
    assert route["spec"]["tls"] == {"termination": "reencrypt", "destinationCACertificate": "ca.crt!"}


def test_policy_keeps_the_rules_of_previous_callers() -> None:
    combined = with_previous_callers(network_policy("b"), network_policy("a", "b"))
    callers = [
        rule["from"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/name"]
        for rule in combined["spec"]["ingress"]
    ]
    assert callers == ["b", "a"]
    assert with_previous_callers(network_policy("b"), network_policy("b")) == network_policy("b")
    assert with_previous_callers(SERVICE, None) == SERVICE


def test_old_cluster_gets_sidecars_as_first_containers() -> None:
    before = copy.deepcopy(DEPLOYMENT)
    spec = for_cluster_version(DEPLOYMENT, (1, 28))["spec"]["template"]["spec"]
    assert [one["name"] for one in spec["containers"]] == ["envoy", "app"]
    assert "initContainers" not in spec
    assert "restartPolicy" not in spec["containers"][0]
    assert before == DEPLOYMENT


def test_old_cluster_keeps_other_init_containers() -> None:
    init = {"name": "prepare", "image": "i"}
    both = copy.deepcopy(DEPLOYMENT)
    both["spec"]["template"]["spec"]["initContainers"] = [init, SIDECAR]
    spec = for_cluster_version(both, (1, 28))["spec"]["template"]["spec"]
    assert spec["initContainers"] == [init]
    assert for_cluster_version(both, (1, 29)) == both


def test_old_cluster_runs_sleep_before_a_stop() -> None:
    new = copy.deepcopy(DEPLOYMENT)
    pod = new["spec"]["template"]["spec"]
    for one in [*pod["initContainers"], *pod["containers"]]:
        one["lifecycle"] = {"preStop": {"sleep": {"seconds": 10}}}
    assert for_cluster_version(new, (1, 30)) == new
    old = for_cluster_version(new, (1, 29))["spec"]["template"]["spec"]
    for one in [*old["initContainers"], *old["containers"]]:
        assert one["lifecycle"] == {"preStop": {"exec": {"command": ["sleep", "10"]}}}


def test_other_kinds_do_not_depend_on_the_version() -> None:
    assert for_cluster_version(SERVICE, (1, 20)) == SERVICE


def test_sample_pod_has_everything_but_the_account() -> None:
    pod = sample_pod(DEPLOYMENT)
    assert pod["metadata"] == {"name": "d-a-dry-run", "labels": {"x": "y"}}
    assert pod["spec"] == {key: value for key, value in POD_SPEC.items() if key != "serviceAccountName"}
