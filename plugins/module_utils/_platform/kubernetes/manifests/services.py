# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Services, Routes and HTTPRoutes by which pods and users reach the ports of workloads."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests import (
    object_names,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.cluster_settings import (
    ClusterSettings,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.pod_template import (
    Object,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Port, Workload

WEB = ("http", "https")
ENCRYPTED = ("https", "tls")


def services(
    demo: str,
    group: str,
    selected: str,
    workloads: Iterable[Workload],
    settings: ClusterSettings,
    standby_names: Collection[str],
) -> Iterator[Object]:
    """Yield the Services of `group`, whose workloads run in the pods of `selected`.

    A headless Service resolves to each pod, for Envoy. Another one has the name by which the files of an author refer to the
    group. A Service with a cluster IP is the standby endpoint of clusters, if its name is among `standby_names`. A Service of
    the chosen type has the published ports, for users.
    """
    workloads = list(workloads)
    ports = [port for one in workloads for port in one.ports]
    called = [port for port in ports if port.peers]
    aliases = dict.fromkeys(alias for one in workloads for alias in one.aliases)
    for name in [object_names.pods_name(demo, group), *map(object_names.dns, aliases)] if called else []:
        yield _service(
            demo,
            name,
            group,
            {
                "clusterIP": "None",
                "selector": object_names.match(demo, selected),
                "ports": [_port(one, one.number) for one in called],
            },
        )
    standby = object_names.standby_name(demo, group)
    if called and standby in standby_names:
        yield _service(
            demo,
            standby,
            group,
            {
                "selector": object_names.match(demo, selected),
                "ports": [_port(one, one.number) for one in called],
            },
        )
    published = [(port, port.published) for port in ports if port.published]
    if published:
        yield _service(
            demo,
            object_names.object_name(demo, group),
            group,
            {
                "type": settings.service_type,
                "selector": object_names.match(demo, selected),
                "ports": [_port(one, number) for one, number in published],
            },
        )


def routes(
    demo: str, group: str, workloads: Sequence[Workload], settings: ClusterSettings
) -> Iterator[Object]:
    """Yield OpenShift Routes to the published ports that a router can distinguish: HTTP by its host, TLS by its SNI."""
    for port in (one for workload in workloads for one in workload.ports):
        if not port.published or port.scheme not in (*WEB, *ENCRYPTED):
            continue
        name = object_names.route_name(demo, group, port.name)
        spec: Object = {
            "to": {"kind": "Service", "name": object_names.object_name(demo, group), "weight": 100},
            "port": {"targetPort": object_names.port_name(port.name)},
            "tls": _termination(port, settings),
            "wildcardPolicy": "None",
        }
        if settings.domain:
            spec = {"host": f"{name}.{settings.domain}", **spec}
        more = {}
        if spec["tls"]["termination"] == "reencrypt":
            # The router must trust the certificate authority of the deployment, which the host generates.
            more = {"annotations": {object_names.FOLDER: f"{group}/certs"}}
        yield {
            "apiVersion": "route.openshift.io/v1",
            "kind": "Route",
            "metadata": object_names.metadata(demo, name, group, **more),
            "spec": spec,
        }


def authority_file(route: Object) -> str:
    """Return the certificate authority file that a Route must trust, or '' if the Route does not re-encrypt."""
    folder = (route["metadata"].get("annotations") or {}).get(object_names.FOLDER)
    return f"{folder}/ca.crt" if folder and route["kind"] == "Route" else ""


def http_routes(
    demo: str, group: str, workloads: Sequence[Workload], settings: ClusterSettings
) -> Iterator[Object]:
    """Yield HTTPRoutes (Gateway API) to the published HTTP ports of `group`."""
    namespace, _slash, gateway = settings.gateway.rpartition("/")
    for port in (one for workload in workloads for one in workload.ports):
        if not port.published or port.scheme != "http":
            continue
        name = object_names.route_name(demo, group, port.name)
        spec: Object = {
            "parentRefs": [{"name": gateway, **({"namespace": namespace} if namespace else {})}],
            "rules": [
                {"backendRefs": [{"name": object_names.object_name(demo, group), "port": port.published}]}
            ],
        }
        if settings.domain:
            spec = {**spec, "hostnames": [f"{name}.{settings.domain}"]}
        yield {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": object_names.metadata(demo, name, group),
            "spec": spec,
        }


def _termination(port: Port, settings: ClusterSettings) -> Object:
    if port.scheme == "http":
        return {"termination": "edge", "insecureEdgeTerminationPolicy": "Redirect"}
    if port.scheme == "https" and not port.own_certificate:
        return {"termination": settings.termination, "insecureEdgeTerminationPolicy": "Redirect"}
    return {"termination": "passthrough"}


def _service(demo: str, name: str, group: str, spec: Object) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": object_names.metadata(demo, name, group),
        "spec": spec,
    }


def _port(port: Port, number: int) -> Object:
    return {
        "name": object_names.port_name(f"{port.name}-udp" if port.protocol == "udp" else port.name),
        "port": number,
        "targetPort": port.number,
        "protocol": port.protocol.upper(),
        # For service meshes and routers that use the protocol.
        **({"appProtocol": port.scheme} if port.scheme in WEB else {}),
    }
