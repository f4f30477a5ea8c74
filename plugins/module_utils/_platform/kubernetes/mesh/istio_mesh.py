# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A demo whose proxies are those of Istio: its topology, the proxies that Istio injects, and the objects of its pods."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import Demo
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import replicas
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.listeners import scheme
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.context import DEFAULT_HOST, LOOPBACK
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Instance, Proxy
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests import (
    object_names,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.pod_template import (
    Object,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.mesh import istio_objects
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.mesh.istio_stats import (
    with_istio_stats,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.mesh.supported_keys import (
    check_supported,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.layout import Layout
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    Mount,
    Port,
    Probe,
    Workload,
)

# The container of Istio's proxy, and the port of its Envoy's admin on the loopback of the pod.
CONTAINER = "istio-proxy"
ADMIN_PORT = 15000
# Istio sets the image, the command and the probe when it injects its proxy (istio.io, "Installing Gateways").
IMAGE = "auto"
COMMAND = ("pilot-agent", "proxy", "router")
PROBE = Probe("http", port=15021, path="/healthz/ready")
# Istio injects its proxy into a pod with this label (istio.io, "Installing the Sidecar").
INJECTED = {"sidecar.istio.io/inject": "true"}
NOT_INJECTED = (
    "the cluster injects no Istio proxy into its pods. Install Istio, label the namespace with istio-injection=enabled"
    " or istio.io/rev=REVISION, or leave `deployment_mesh` empty."
)


def lacks_proxy(pod: Mapping[str, Any]) -> bool:
    """Return whether a pod of a demo in a mesh has no proxy of Istio, although its labels request one."""
    labels = pod["metadata"].get("labels") or {}
    if not INJECTED.items() <= labels.items():
        return False
    containers = [*pod["spec"].get("containers", ()), *pod["spec"].get("initContainers", ())]
    return not any(one["name"] == CONTAINER and one["image"] != IMAGE for one in containers)


class IstioMesh:
    """The part of Istio in one demo.

    Args:
        demo: The demo with its own proxies.
        namespace: The namespace of the demo; empty if it is not known.

    Raises:
        DemoError: The demo has a key that Istio's proxies cannot replace.
    """

    def __init__(self, demo: Demo, namespace: str) -> None:
        check_supported(demo)
        self._original, self._namespace = demo, namespace

    def demo(self) -> Demo:
        """Return the demo without sidecars, and with the stats of Istio's proxies in its expectations."""
        changed = deepcopy(self._original)
        for service in changed["services"].values():
            service["sidecar"] = None
        changed["expectations"] = with_istio_stats(self._original, changed["expectations"])
        return changed

    def proxies(self) -> list[Proxy]:
        """Return Istio's proxies that replace those of the demo: the sidecars, then the gateways."""
        host = DEFAULT_HOST
        sidecars = [
            Proxy(name, name, 1, host, "sidecar", service["sidecar"])
            for name, service in self._original["services"].items()
            if service["sidecar"] is not None and service["replicas"]
        ]
        edges = [Proxy(name, name, 1, host, "edge", spec) for name, spec in self._original["proxies"].items()]
        return [*sidecars, *edges]

    def workloads(self, layout: Layout) -> list[Workload]:
        """Return the gateways, with the ports of the edge proxies that they replace."""
        return [_workload(proxy, layout) for proxy in self.proxies() if proxy.kind == "edge"]

    def admin_endpoint(self, proxy: Proxy) -> dict[str, Any]:
        """Return the admin of a proxy in each pod, and the configuration that the proxy must have received."""
        return {
            "url": f"http://{LOOPBACK}:{ADMIN_PORT}",
            "pods": self.stats_endpoint(proxy),
            "received": self.received(proxy),
        }

    def stats_endpoint(self, proxy: Proxy) -> dict[str, Any]:
        """Return the pods of a proxy."""
        return {
            "selector": object_names.selector(self._original["name"], proxy.group),
            "container": CONTAINER,
            "port": ADMIN_PORT,
        }

    def received(self, proxy: Instance) -> dict[str, Any]:
        """Return the configuration that a gateway must have received: its routes, and the pods of its clusters."""
        demo = self._original
        edge = demo["proxies"].get(proxy.group)
        if edge is None:
            return {"routes": [], "listeners": 0, "members": {}}
        members = {}
        for cluster in edge["clusters"].values():
            host, port = istio_objects.cluster_host(demo, cluster["to"])
            group = cluster["to"].partition("/")[0]
            if hosts := replicas(demo, group):
                selector = object_names.selector(demo["name"], group)
                members[f"outbound|{port}||{host}."] = {"selector": selector, "hosts": hosts}
        return {
            "routes": istio_objects.route_names(edge),
            "listeners": len(edge["listeners"]),
            "members": members,
        }

    def objects(self, objects: Sequence[Object]) -> list[Object]:
        """Return the objects of the demo with Istio's proxies in its pods, and Istio's own objects."""
        found = [self._adapted(one) for one in objects if one["kind"] != "ConfigMap" or one["data"]]
        return [*found, *istio_objects.istio_objects(self._original, self._namespace)]

    def _adapted(self, one: Object) -> Object:
        if one["kind"] == "Service":
            changed = deepcopy(one)
            # The same demo in another namespace of the mesh has Services of the same names.
            changed["metadata"].setdefault("annotations", {})[istio_objects.EXPORT_TO] = "."
            return changed
        return self._with_proxy(one) if one["kind"] == "Deployment" else one

    def _with_proxy(self, deployment: Object) -> Object:
        changed = deepcopy(deployment)
        template = changed["spec"]["template"]
        label = template["metadata"]["labels"][object_names.NAME]
        edges = {object_names.dns(name): name for name in self._original["proxies"]}
        name = edges.get(label, "")
        services = {object_names.dns(one): service for one, service in self._original["services"].items()}
        spec = self._original["proxies"][name] if name else services.get(label, {}).get("sidecar")
        annotations = {"proxy.istio.io/config": _proxy_config(spec or {})}
        template["metadata"]["labels"].update(INJECTED)
        if name:
            demo = self._original["name"]
            template["metadata"]["labels"].update(istio_objects.gateway_labels(demo, name, self._namespace))
            annotations["inject.istio.io/templates"] = "gateway"
            template["spec"]["containers"] = [_gateway_container(template["spec"]["containers"][0])]
        template["metadata"]["annotations"] = annotations
        return changed


def _workload(proxy: Proxy, layout: Layout) -> Workload:
    listeners = proxy.spec["listeners"]
    encrypted = any(listener["tls"] is not None for listener in listeners.values())
    return Workload(
        name=proxy.workload,
        image=IMAGE,
        command=COMMAND,
        mounts=(Mount(proxy.name, istio_objects.CERTIFICATES, writable=False),) if encrypted else (),
        ports=tuple(
            Port(
                layout.port(proxy.group, name, proxy.replica),
                layout.published_port(proxy.group, name, proxy.replica),
                name=name,
                scheme=scheme(listener),
                peers=layout.callers(proxy.group, name),
            )
            for name, listener in listeners.items()
        ),
        probe=PROBE,
        aliases=(proxy.name,),
        hostname=proxy.name,
        memory_mb=256,
        cpus=1.0,
        group=proxy.group,
        replicas=layout.workload_replicas(proxy.group),
        container=CONTAINER,
        host=proxy.host,
    )


def _proxy_config(spec: Mapping[str, Any]) -> str:
    """Return Istio's ProxyConfig: all stats, as the expectations need them, and the header `server` of Envoy."""
    config = {
        "concurrency": spec.get("concurrency", 1),
        "holdApplicationUntilProxyStarts": True,
        "proxyHeaders": {"server": {"value": "envoy"}},
        "proxyStatsMatcher": {"inclusionRegexps": [".*"]},
    }
    return json.dumps(config, sort_keys=True)


def _gateway_container(container: Object) -> Object:
    """Return the container that Istio completes: it has no command, no probe, and no limit of its own."""
    kept = ("ports", "volumeMounts", "securityContext", "resources")
    return {
        "name": CONTAINER,
        "image": IMAGE,
        **{key: container[key] for key in kept if key in container},
    }
