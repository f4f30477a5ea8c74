# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Istio and Envoy Gateway in the lab's cluster, built from their Go modules. Other namespaces of the cluster do not notice them."""

from __future__ import annotations

import json
import os
from pathlib import Path

from . import artefacts, debian, docker, kubernetes, registry
from .base import STATE, log, run, write_whole
from .catalogue import ENVOY_GATEWAY_IMAGES, ISTIO_IMAGES

NAMESPACE = "meshlab-istio"
GATEWAY_NAMESPACE = "meshlab-gateway"
#: only namespaces with the label `istio.io/rev: meshlab` are part of the mesh
REVISION = "meshlab"
FOLDER = STATE / "mesh"
_GATEWAY_MANIFEST = Path(__file__).resolve().parent.parent / "mesh_manifests" / "envoy-gateway.yaml"
_OPERATOR = {
    "apiVersion": "install.istio.io/v1alpha1",
    "kind": "IstioOperator",
    "metadata": {"namespace": NAMESPACE},
    "spec": {
        "profile": "minimal",
        "namespace": NAMESPACE,
        "hub": f"{registry.ADDRESS}/istio",
        "tag": "lab",
        "revision": REVISION,
        "meshConfig": {
            # Envoy has no filters that only Istio's own build contains.
            "enablePrometheusMerge": False,
            "defaultProviders": {"metrics": []},
            "discoverySelectors": [{"matchLabels": {"istio.io/rev": REVISION}}],
        },
        "values": {
            "global": {
                "istioNamespace": NAMESPACE,
                "proxy": {"resources": {"requests": {"cpu": "10m", "memory": "64Mi"}}},
            },
            "pilot": {
                "autoscaleEnabled": False,
                "resources": {"requests": {"cpu": "10m", "memory": "128Mi"}},
                "env": {
                    "PILOT_ENABLE_ALPN_FILTER": "false",
                    "PILOT_ENABLE_METADATA_EXCHANGE": "false",
                    "PILOT_ENABLE_GATEWAY_API": "false",
                },
            },
        },
    },
}


def istio_up() -> None:
    """Build Istio if necessary, install it, and wait until it is available."""
    _fill_registry(ISTIO_IMAGES)
    manifest = _manifest()
    _kubectl("create", "namespace", NAMESPACE, check=False)
    _apply(manifest)
    log("waiting for istiod")
    _wait(NAMESPACE, f"istiod-{REVISION}")


def istio_down() -> None:
    """Remove everything of Istio from the cluster, except the CustomResourceDefinitions of the lab."""
    _kubectl("delete", "--ignore-not-found", "--filename", _manifest())
    _kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")


def envoy_gateway_up() -> None:
    """Build Envoy Gateway if necessary, install it with its schemas, and wait until it is available."""
    _fill_registry(ENVOY_GATEWAY_IMAGES)
    _kubectl("create", "namespace", GATEWAY_NAMESPACE, check=False)
    _apply(*artefacts.ENVOY_GATEWAY_CRDS.files())
    _kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=60s")
    _apply(_GATEWAY_MANIFEST)
    log("waiting for Envoy Gateway")
    _wait(GATEWAY_NAMESPACE, "envoy-gateway")


def envoy_gateway_down() -> None:
    """Remove everything of Envoy Gateway from the cluster."""
    _kubectl("delete", "--ignore-not-found", "--wait=false", "--filename", _GATEWAY_MANIFEST, check=False)
    # The finalizer of Envoy Gateway, which no longer runs.
    no_finalizers = '{"metadata": {"finalizers": null}}'
    _kubectl("patch", "gatewayclass", "meshlab", "--type=merge", f"--patch={no_finalizers}", check=False)
    _kubectl("delete", "namespace", GATEWAY_NAMESPACE, "--ignore-not-found")
    sources = [f"--filename={file}" for file in artefacts.ENVOY_GATEWAY_CRDS.files()]
    _kubectl("delete", "--ignore-not-found", *sources)


def istioctl() -> Path:
    """Return the path of istioctl, built if necessary."""
    return artefacts.ISTIOCTL.built()


def _manifest() -> Path:
    """Return the file with the objects of Istio that istioctl renders, without the schemas, which the cluster has."""
    write_whole(FOLDER / "operator.json", json.dumps(_OPERATOR, indent=2))
    rendered = run([istioctl(), "manifest", "generate", "--filename", FOLDER / "operator.json"]).stdout
    documents = [one for one in rendered.split("\n---\n") if "\nkind: CustomResourceDefinition\n" not in one]
    write_whole(FOLDER / "istio.yaml", "\n---\n".join(documents))
    return FOLDER / "istio.yaml"


def _fill_registry(images: tuple) -> None:
    """Build images with the Docker that runs."""
    debian.require("docker-registry")
    registry.up()
    registry.fill(["docker"], docker.environment() if docker.is_ours() else dict(os.environ), images)


def _apply(*files: Path) -> None:
    sources = [f"--filename={file}" for file in files]
    _kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=lab", *sources)


def _wait(namespace: str, deployment: str) -> None:
    _kubectl("--namespace", namespace, "rollout", "status", f"deployment/{deployment}", "--timeout=300s")


def _kubectl(*arguments: object, check: bool = True):
    return run([kubernetes.kubectl(), "--kubeconfig", kubernetes.KUBECONFIG, *arguments], check=check)


PARTS = {"istio": (istio_up, istio_down), "envoy-gateway": (envoy_gateway_up, envoy_gateway_down)}
