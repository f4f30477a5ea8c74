# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes to objects of the plan before their apply: certificates, the cluster's version, callers of the previous plan.

All are pure functions, except that `with_certificates` reads the state folder.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.api_server import KubernetesObject
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.config_maps import (
    CERTIFICATE,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.object_names import (
    FOLDER,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.object_diff import (
    is_subset,
    with_digest,
)

# The first versions that enable these features by default: native sidecars, and a preStop hook that sleeps in the kubelet.
NATIVE_SIDECARS = (1, 29)
SLEEP_HOOK = (1, 30)


def source_folder(thing: Mapping[str, Any]) -> str:
    """Return the folder below the state folder whose files an object contains; empty for other objects."""
    return str((thing["metadata"].get("annotations") or {}).get(FOLDER) or "")


def with_certificates(thing: Mapping[str, Any], state_folder: Path) -> KubernetesObject | None:
    """Return an object with the files of the state folder that the plan does not contain.

    These are the data of the Secret of a certificate, and the certificate authority of a Route.

    Args:
        thing: An object of the plan.
        state_folder: The demo's state folder.

    Returns:
        The complete object; None where its certificate does not exist yet.
    """
    source = source_folder(thing)
    if not source or thing["kind"] not in ("Secret", "Route") or thing.get("data"):
        return dict(thing)
    try:
        if thing["kind"] == "Secret":
            contents = {name: (state_folder / source / name).read_bytes() for name in CERTIFICATE}
            data = {name: base64.b64encode(content).decode() for name, content in contents.items()}
            return {**thing, "data": data}
        authority = (state_folder / source / "ca.crt").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    spec = thing["spec"]
    return {**thing, "spec": {**spec, "tls": {**spec["tls"], "destinationCACertificate": authority}}}


def with_previous_callers(planned: Mapping[str, Any], existing: Mapping[str, Any] | None) -> KubernetesObject:
    """Return a NetworkPolicy that also has the ingress rules of the existing one; other objects unchanged.

    The rules are removed at the end of a deployment, when the callers of the previous plan no longer run.
    """
    if planned["kind"] != "NetworkPolicy" or existing is None:
        return dict(planned)
    rules = planned["spec"]["ingress"]
    previous = [
        rule
        for rule in existing["spec"].get("ingress") or ()
        if not any(is_subset(new, rule) for new in rules)
    ]
    if not previous:
        return dict(planned)
    return with_digest({**planned, "spec": {**planned["spec"], "ingress": [*rules, *previous]}})


def for_cluster_version(thing: Mapping[str, Any], version: tuple[int, int]) -> KubernetesObject:
    """Return an object in the form that a cluster of this version supports; `version` is as (1, 34)."""
    if thing["kind"] != "Deployment":
        return dict(thing)
    if version < SLEEP_HOOK:
        thing = _with_sleep_command(thing)
    return _without_native_sidecars(thing) if version < NATIVE_SIDECARS else dict(thing)


def sample_pod(deployment: Mapping[str, Any]) -> KubernetesObject:
    """Return a pod as the Deployment creates them, for a dry run.

    It has no ServiceAccount, which may not exist yet.
    """
    template = deployment["spec"]["template"]
    spec = {key: value for key, value in template["spec"].items() if key != "serviceAccountName"}
    name = f"{deployment['metadata']['name']}-dry-run"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        # The webhook of a mesh reads labels and annotations.
        "metadata": {
            "name": name[:63].rstrip("-"),
            **{key: one for key, one in template["metadata"].items() if key in ("labels", "annotations")},
        },
        "spec": spec,
    }


def _with_sleep_command(thing: Mapping[str, Any]) -> KubernetesObject:
    """Return a Deployment whose preStop hooks run the program `sleep` of the image."""

    def change_container(container: Mapping[str, Any]) -> KubernetesObject:
        sleep = ((container.get("lifecycle") or {}).get("preStop") or {}).get("sleep")
        if not sleep:
            return dict(container)
        command = ["sleep", str(sleep["seconds"])]
        return {**container, "lifecycle": {"preStop": {"exec": {"command": command}}}}

    return _with_pod_spec(
        thing,
        lambda pod: {
            key: [*map(change_container, value)] if key in ("initContainers", "containers") else value
            for key, value in pod.items()
        },
    )


def _without_native_sidecars(thing: Mapping[str, Any]) -> KubernetesObject:
    """Return a Deployment whose native sidecars are ordinary containers, before the others."""

    def change(pod: Mapping[str, Any]) -> KubernetesObject:
        inits = pod.get("initContainers") or []
        sidecars = [
            {key: value for key, value in container.items() if key != "restartPolicy"}
            for container in inits
            if container.get("restartPolicy") == "Always"
        ]
        others = [container for container in inits if container.get("restartPolicy") != "Always"]
        changed = {**pod, "initContainers": others, "containers": [*sidecars, *pod["containers"]]}
        if not others:
            del changed["initContainers"]
        return changed

    return _with_pod_spec(thing, change)


def _with_pod_spec(
    thing: Mapping[str, Any], change: Callable[[Mapping[str, Any]], KubernetesObject]
) -> KubernetesObject:
    spec = thing["spec"]
    template = spec["template"]
    return {**thing, "spec": {**spec, "template": {**template, "spec": change(template["spec"])}}}
