# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The OpenShift Template of a demo. Its parameters set the namespace, the images, the replicas and the hosts of Routes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ansible_collections.meshlab.envoy.plugins.module_utils._common.plain_copies import copied
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests import (
    object_names,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.pod_template import (
    Object,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.policies import (
    disruption_budget,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.services import (
    authority_file,
)

FILE = "template.yaml"
# The parameter with the certificate authority, which the host that renders the demo generates.
AUTHORITY = "CA_CERTIFICATE"


@dataclass
class _Parameters:
    """The parameters of a Template, with the values of the demo as defaults."""

    found: dict[str, Object] = field(default_factory=dict)

    def text(self, name: str, value: str, description: str) -> str:
        """Return a reference to the parameter `name`, which is text."""
        self.found.setdefault(name, {"name": name, "description": description, "value": value})
        return "${" + name + "}"

    def required(self, name: str, description: str) -> str:
        """Return a reference to the parameter `name`, which has no default."""
        self.found.setdefault(name, {"name": name, "description": description, "required": True})
        return "${" + name + "}"

    def number(self, name: str, value: int, description: str) -> str:
        """Return a reference to the parameter `name`, which `oc process` replaces by a number."""
        self.text(name, str(value), description)
        return "${{" + name + "}}"


def template(demo: str, summary: str, objects: Sequence[Object]) -> Object:
    """Return the Template of `objects`: `oc process --filename template.yaml | oc create --filename -` creates them.

    Source: Template (template.openshift.io/v1) in OpenShift's API reference. `${NAME}` is replaced by text, `${{NAME}}` by a
    value of another type.
    """
    parameters = _Parameters()
    parameters.required("NAMESPACE", "Name of the project that the demo runs in.")
    made = [_object(copied(one), parameters) for one in (*_budgets(demo, objects), *objects)]
    return {
        "apiVersion": "template.openshift.io/v1",
        "kind": "Template",
        "metadata": {
            "name": object_names.dns(demo),
            "labels": object_names.labels(demo),
            "annotations": {"description": summary},
        },
        "parameters": list(parameters.found.values()),
        "objects": made,
    }


def _budgets(demo: str, objects: Sequence[Object]) -> list[Object]:
    """Return the PodDisruptionBudgets that are not among `objects`, because a user can set more replicas than the demo."""
    existing = {one["metadata"]["name"] for one in objects if one["kind"] == "PodDisruptionBudget"}
    return [
        disruption_budget(demo, one["metadata"]["labels"][object_names.NAME])
        for one in objects
        if one["kind"] == "Deployment" and one["metadata"]["name"] not in existing
    ]


def _object(one: Object, parameters: _Parameters) -> Object:
    one["metadata"] = {**one["metadata"], "namespace": "${NAMESPACE}"}
    if one["kind"] == "Deployment":
        group = one["metadata"]["labels"][object_names.NAME]
        spec = one["spec"]
        spec["replicas"] = parameters.number(
            f"{_upper(group)}_REPLICAS", spec["replicas"], f"Number of pods of {group}."
        )
        for container in _containers(spec["template"]["spec"]):
            container["image"] = parameters.text(
                _image_name(container, group, parameters),
                container["image"],
                f"Image of container {container['name']}.",
            )
    if one["kind"] == "Route":
        name = one["metadata"]["name"]
        host = one["spec"].pop("host", "")
        parameter = parameters.text(
            f"{_upper(name)}_HOST",
            host,
            f"Host of Route {name}. Empty: the router generates one.",
        )
        one["spec"] = {"host": parameter, **one["spec"]}
        if authority := authority_file(one):
            one["spec"]["tls"]["destinationCACertificate"] = parameters.required(
                AUTHORITY,
                f"Certificate authority that re-encrypting Routes trust: the content of {authority}.",
            )
    return one


def _image_name(container: Object, group: str, parameters: _Parameters) -> str:
    """Return the parameter of an image: one for all containers of a name if they have the same image."""
    name = f"{_upper(container['name'])}_IMAGE"
    if parameters.found.get(name, {}).get("value", container["image"]) == container["image"]:
        return name
    return f"{_upper(group)}_{name}"


def _containers(spec: Object) -> Iterator[Object]:
    yield from spec.get("initContainers", ())
    yield from spec["containers"]


def _upper(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", name.upper())
