# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The planner's view of platform `kubernetes`: one Deployment for each group, one pod for each replica.

Longer than 300 lines because one class is the whole view of the platform, after 70 lines of imports.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import Demo
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import EXPORTER
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.context import (
    CONTEXT,
    LOOPBACK,
    Context,
    check_context_choice,
    check_context_keys,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.generated_files import (
    File,
    titled_stream,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Instance, Proxy
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.documents import (
    FILE,
    manifests,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.cluster_members import (
    cluster_members,
    clusters_with_standby,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.cluster_settings import (
    ClusterSettings,
    SettingsError,
    read_settings,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.config_maps import (
    sensitive_paths,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.kubectl_commands import (
    CLUSTER_KEYS,
    apply_commands,
    secret_commands,
    with_flags,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.object_names import (
    object_name,
    pods_name,
    route_name,
    selector,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.pod_template import (
    Object,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.service_edge import (
    without_edges,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.services import (
    authority_file,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.mesh.istio_mesh import (
    IstioMesh,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.pod_envoys import (
    EnvoysInPods,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.layout import netloc
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import (
    Documents,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    EMPTY,
    UNPRIVILEGED_PORT,
    Packages,
    Workload,
)

EDGES = ("envoy", "service")
MESHES = ("istio",)
LOCAL_PORT_OFFSET = 8000  # of the local end of a port-forward to a port below 1024


class KubernetesPlatform(EnvoysInPods):
    """One instance per group stands for all its pods. Names are those of Services, and users connect by port-forward."""

    key_mode = "0600"
    replacement = "rollout"
    # The names of headless Services list the pods: Envoy learns of new and removed pods by resolving them again.
    dns_refresh = "1s"
    # A mounted ConfigMap replaces all its files by one rename of a symbolic link beside them.
    watches_directory = True
    validates_elsewhere = True
    host_programs = ("envoy",)
    volume_kinds = (EMPTY, "config_map", "secret", "claim")
    host_name_in_containers = ""
    # The command-line client that users type.
    tool: ClassVar[str] = "kubectl"
    # Settings that the platform changes before those of the context.
    default_settings: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, demo: Demo, context: Context) -> None:
        self.settings = self._settings(context)
        if context.hosts or context.placement:
            raise DemoError(
                CONTEXT, "hosts: a cluster places its pods itself. Remove 'hosts' and 'placement'."
            )
        self.mesh: IstioMesh | None = None
        if context.mesh:
            self.mesh = IstioMesh(demo, context.cluster.get("namespace") or "")
            demo = self.mesh.demo()
        elif context.edge == "service":
            demo = without_edges(demo)
        super().__init__(demo, context)

    @classmethod
    def check_context(cls, context: Context) -> None:
        """Raise DemoError for a wrong key or value in the keys of the context about a cluster."""
        check_context_choice(context.edge or "envoy", EDGES, "edge", "kind of edge")
        if context.mesh:
            check_context_choice(context.mesh, MESHES, "mesh", "mesh")
            if context.edge == "service":
                raise DemoError(
                    CONTEXT,
                    "edge: a mesh has gateways of its own. Remove `deployment_edge`, or leave `deployment_mesh` empty.",
                )
        check_context_keys(context.cluster, CLUSTER_KEYS, "cluster")
        cls._settings(context)

    @classmethod
    def _settings(cls, context: Context) -> ClusterSettings:
        try:
            return read_settings(context.kubernetes, cls.default_settings)
        except SettingsError as error:
            raise DemoError(f"{CONTEXT}.kubernetes", str(error)) from None

    def command(self, tool: str) -> str:
        """Return `tool` with the flags that select the cluster and the namespace of the context."""
        return with_flags(tool, self.context.cluster)

    # Instances and ports

    def proxies(self) -> Iterator[Proxy]:
        """Yield the Envoys of the demo. In a mesh there are none."""
        if self.mesh is None:
            yield from super().proxies()

    def injected_proxies(self) -> list[Proxy]:
        """Return the proxies that the mesh injects in place of those of the demo."""
        return self.mesh.proxies() if self.mesh is not None else []

    def instance_name(self, group: str, replica: int) -> str:
        """Return the name of the group, whose pods have one configuration."""
        del replica
        return group

    def planned_replicas(self, group: str) -> int:
        """Return 1: one Deployment runs all pods of a group."""
        del group
        return 1

    def published_port(self, group: str, name: str, replica: int = 1) -> int | None:
        """Return the port of the Service, or None if the demo does not publish the port."""
        return self.ports[group, name].publish if replica == 1 else None

    def host_name(self, group: str, replica: int) -> str:
        """Return the name of the headless Service, which resolves to all pods."""
        del replica
        return pods_name(self.demo["name"], group)

    def service_name(self, group: str) -> str:
        """Return the name of the Service of the published ports of `group`."""
        return object_name(self.demo["name"], group)

    def public_netloc(self, group: str, name: str, replica: int = 1) -> str:
        """Return `host:port` of the Service. A read-only admin that is not published has the port of its pod."""
        port = self.published_port(group, name, replica) or self.port(group, name, replica)
        return netloc(self.service_name(group), port)

    def publishing_label(self, instance: Instance) -> str | None:
        """Return the Service of the group."""
        return f"the Service of {instance.group}"

    def probes_from_outside(self, server: Mapping[str, Any]) -> bool:
        """Return True: the kubelet connects to the address of the pod."""
        del server
        return True

    # Programs and Envoy

    def injected_workloads(self) -> list[Workload]:
        """Return the gateways of the mesh."""
        return self.mesh.workloads(self) if self.mesh is not None else []

    def reported_hostname(self, instance: Instance) -> str:
        """Return the empty string: the name of the pod identifies the replica."""
        del instance
        return ""

    def certificate_names(self, proxy: Proxy) -> list[str]:
        """Return the usual names and that of the Service."""
        return [*super().certificate_names(proxy), self.service_name(proxy.group)]

    def server_packages(self, group: str) -> Packages:
        """Return an image that the nodes pull from a registry. Raises DemoError without a registry."""
        if not self.context.registry:
            raise DemoError(
                self.demo["file"],
                f"services.{group}.server.packages: a cluster runs an image with these packages, which this host builds and the nodes pull,"
                " but no registry is set. Set `deployment_registry` to a registry that this host can push to.",
            )
        return replace(super().server_packages(group), is_pushed=True)

    # Endpoints and addresses

    def admin_endpoint(self, proxy: Proxy) -> dict[str, Any]:
        """Return the admin in each pod, and the pods that each cluster of the proxy must find."""
        if self.mesh is not None:
            return self.mesh.admin_endpoint(proxy)
        return {
            "url": f"http://{LOOPBACK}:{self.admin_pod_port(proxy)}",
            "pods": self._admin_pods(proxy),
            "members": self.author_members(proxy) if proxy.spec["config"] else cluster_members(self, proxy),
        }

    def stats_endpoint(self, proxy: Proxy) -> dict[str, Any]:
        """Return the pods of the proxy, and its clusters with a standby host."""
        if self.mesh is not None:
            return self.mesh.stats_endpoint(proxy)
        return {**self._admin_pods(proxy), "standby": clusters_with_standby(self, proxy)}

    def _admin_pods(self, proxy: Proxy) -> dict[str, Any]:
        return {
            "selector": selector(self.demo["name"], proxy.group),
            "container": "envoy",
            "port": self.admin_pod_port(proxy),
        }

    def page_endpoint(self, instance: Instance, container: str, port: str, path: str) -> dict[str, Any]:
        """Return the pods that serve the page."""
        group = self.exporter_instance().group if instance.group == EXPORTER else instance.group
        return {
            "selector": selector(self.demo["name"], group),
            "container": container,
            "port": self.port(instance.group, port),
            "path": path,
        }

    def public_address(self, group: str, port: str, scheme: str, path: str, what: str) -> tuple[str, str]:
        """Return the host of a Route, or else an address on loopback and the port-forward that makes it reachable."""
        published = self.published_port(group, port)
        if published and self.settings.domain and self.settings.routes and scheme in ("http", "https"):
            host = f"{route_name(self.demo['name'], group, port)}.{self.settings.domain}"
            return f"https://{host}{path}", what
        number = self.port(group, port)
        runs_in = self.exporter_instance().group if group == EXPORTER else group
        target = f"deployment/{object_name(self.demo['name'], runs_in)} {number}"
        if published:
            # A user needs permission to bind a port below 1024.
            number = published if published >= UNPRIVILEGED_PORT else published + LOCAL_PORT_OFFSET
            ports = f"{number}:{published}" if number != published else f"{published}"
            target = f"service/{self.service_name(group)} {ports}"
        return (
            f"{scheme}://{LOOPBACK}:{number}{path}",
            f"{what}, after: {self.command('kubectl')} port-forward {target}",
        )

    def traffic_target(self, group: str, port: str) -> dict[str, Any]:
        """Return the pods, which requests reach by port-forward."""
        return {"pod": {"selector": selector(self.demo["name"], group), "port": self.port(group, port)}}

    def responding_hosts(self, service: str) -> list[str] | None:  # noqa: ARG002
        """Return None: Kubernetes chooses the names of pods."""
        return None

    # Documents

    def documents(
        self, host: str, workloads: Sequence[Workload], files: Sequence[File], certificates: Sequence[str]
    ) -> Documents:
        """Return the objects of the demo and manifests.yaml, which has all of them except the Secrets."""
        name, tool = self.demo["name"], self.command(self.tool)
        contents = {file.path: file.content for file in files}
        sensitive = [file.path for file in files if file.sensitive]
        objects = manifests(name, workloads, contents, sensitive, certificates, self.settings)
        if self.mesh is not None:
            objects = self.mesh.objects(objects)
        # No document contains secrets. The commands create them from the files of the deployment folder.
        public = [one for one in objects if one["kind"] != "Secret"]
        secrets = secret_commands(
            tool, name, certificates, sensitive_paths(name, workloads, sensitive, contents)
        )
        commands = [*secrets, *apply_commands(tool, FILE, self.routes_with_authority(public))]
        document = File(FILE, titled_stream(f"{name}: {' && '.join(commands)}", public), host=host)
        further, commands = self.further_documents(host, public, secrets, commands)
        return Documents((document, *further), tuple(objects), tuple(commands))

    def further_documents(
        self, host: str, objects: Sequence[Object], secrets: Sequence[str], commands: Sequence[str]
    ) -> tuple[list[File], list[str]]:
        """Return further files, and the commands that run the demo without Ansible. `secrets` creates the Secrets."""
        del host, objects, secrets
        return [], list(commands)

    def routes_with_authority(self, objects: Sequence[Object]) -> dict[str, str]:
        """Return the path of the certificate authority of each Route that verifies one, by name of the Route."""
        return {one["metadata"]["name"]: path for one in objects if (path := authority_file(one))}
