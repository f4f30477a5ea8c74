# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The planner's view of a platform: how it runs, configures and reaches the workloads of a demo.

A platform is a subclass of `Platform`. The base class describes containers whose directories are mounted from the deployment
folder of one host: a new platform implements `documents` and overrides what differs. docs/extending.md lists the steps.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import Demo
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import ADMIN
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.any_message import Message
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.content import AuthorConfig
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.bootstrap import admin_pipe, admin_socket
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.authors.author_layout import (
    AuthorLayout,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.context import (
    DEFAULT_SYSTEM_CA,
    LOOPBACK,
    WILDCARDS,
    Context,
    Program,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.generated_files import File
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Instance, Proxy
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.layout import netloc
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.layout_checks import check_layout
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.packages.server_layout import (
    ServerLayout,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.reachability.outside_hosts import (
    HOST,
    check_outside_address,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.reachability.outside_sockets import (
    socket_mounts,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.reachability.socket_layout import (
    SocketLayout,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement.replacement_layout import (
    ReplacementLayout,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    EMPTY,
    Mount,
    Workload,
)

SCRATCH = "/tmp"  # noqa: S108  (a container's own)


@dataclass(frozen=True)
class Documents:
    """What runs the workloads of one host: files that the platform reads, API objects, and the commands that use them."""

    files: tuple[File, ...] = ()
    objects: tuple[dict[str, Any], ...] = ()
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Validator:
    """The program that validates a configuration: in a container of `image`, or on the host if `image` is None."""

    program: str
    image: str | None = None


class Platform(AuthorLayout, SocketLayout, ServerLayout, ReplacementLayout, ABC):
    """One platform with one demo: the only object through which the planner learns where and how the demo runs.

    Args:
        demo: The demo, as `_demo.loader.read_demo` returns it.
        context: The planning context, whose `platform` names this class.

    Raises:
        DemoError: The platform cannot run the demo, or names or ports collide.

    Example:
        >>> from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo
        >>> from ansible_collections.meshlab.envoy.plugins.module_utils._platform.registry import platform_class
        >>> data = {"summary": "One app", "ports": 20000, "services": {"web": {"port": 8080, "publish": 18080}}}
        >>> context = Context(platform="docker", folder="/state")
        >>> docker = platform_class("docker")(read_demo("shop", data), context)
        >>> docker.port("web", "app"), docker.public_netloc("web", "app")
        (8080, '127.0.0.1:18080')
        >>> docker.path_in_workload("app", "/app")
        '/app'
    """

    # Permissions of private keys. The user of a container is not the owner of the files; the deployment folder, which is 0700,
    # keeps them private.
    key_mode: ClassVar[str] = "0644"
    # Interval at which Envoy resolves the names of its upstream hosts again.
    dns_refresh: ClassVar[str] = "5s"
    # The name by which containers reach the host itself. Empty: they have none.
    host_name_in_containers: ClassVar[str] = HOST
    # Whether Envoy watches the directory of its files, because the platform replaces all files of a directory at once.
    watches_directory: ClassVar[bool] = False
    # Whether configurations are validated on another machine than the one that runs them.
    validates_elsewhere: ClassVar[bool] = False
    # The kinds of volumes that a workload can mount. Empty: workloads open the paths of their host.
    volume_kinds: ClassVar[tuple[str, ...]] = (EMPTY, "host")
    # Names of the programs that the host itself runs.
    host_programs: ClassVar[tuple[str, ...]] = ()
    # Whether the mapping of statsd_exporter is validated before the deployment.
    validates_mappings: ClassVar[bool] = True

    def __init__(self, demo: Demo, context: Context) -> None:
        super().__init__(demo, context)
        check_layout(self)

    @classmethod
    def check_context(cls, context: Context) -> None:
        """Raise DemoError if a key of the context that only this platform uses has a wrong value."""

    # Programs and directories

    def program(self, program: Program, path_in_image: str) -> str:
        """Return the command that starts `program`."""
        del program
        return path_in_image

    def injected_workloads(self) -> list[Workload]:
        """Return the workloads of the `injected_proxies` that have pods of their own."""
        return []

    def validator(self, program: Program, path_in_image: str) -> Validator | None:
        """Return what validates a configuration of `program`. None: nothing can before the deployment."""
        return Validator(path_in_image, program.image)

    def working_directory(self, path: str) -> str:
        """Return the working directory of a workload that runs in `path` of its container."""
        return path

    def needs_app_file(self) -> bool:
        """Return whether the demo app's file is part of the deployment folder. An image can contain the app instead."""
        return not self.context.app_image

    def files_directory(self, instance: Instance) -> str:
        """Return the directory of the files that the server of an instance reads."""
        return f"files/{instance.group}"

    def data_directory(self, instance: Instance) -> str:
        """Return the directory that the server of an instance can write to."""
        del instance
        return SCRATCH

    def created_directories(self, instance: Instance) -> list[tuple[str, str]]:
        """Return (path, mode) of each directory that the server of an instance needs in the deployment folder."""
        del instance
        return []

    # Envoy

    def envoy(self, proxy: Proxy) -> Program:
        """Return the Envoy of `proxy`: that of its `envoy`, of the `envoy` of the demo, or of the context.

        The version of an author's Envoy is unknown, unless the author states it.
        """
        own = {
            key: value
            for spec in (self.demo["envoy"], proxy.spec["envoy"])
            for key, value in (spec or {}).items()
            if value
        }
        if not own:
            return self.context.envoy
        executable = "" if self.runs_images and "image" in own else self.context.envoy.executable
        return Program(**{"image": self.context.envoy.image, "executable": executable, **own})

    def admin_address(self, proxy: Proxy) -> Message:
        """Return the address of the admin interface of `proxy` (config.core.v3.Address)."""
        return admin_pipe(proxy.name, self.socket_mode)

    def run_directories(self, proxy: Proxy) -> list[tuple[str, str]]:
        """Return (path, mode) of each directory that `proxy` writes to."""
        return [(f"{proxy.name}/run", self.run_directory_mode)]

    def writable_directories(self, proxy: Proxy, home: str) -> list[str] | None:
        """Return the directories that `proxy` can write to, with the working directory `home`. None: those of its user."""
        run = (f"{home}/{path}" for path, _mode in self.run_directories(proxy))
        return [SCRATCH, *run, *(mount.target for mount in self.socket_mounts(proxy))]

    def node_arguments(self) -> tuple[str, ...]:
        """Return the arguments of Envoy that identify the replica, if replicas share one configuration."""
        return ()

    def reported_hostname(self, instance: Instance) -> str:
        """Return the host name that the demo app reports in its responses. Empty: that of its operating system."""
        return instance.name

    def drain_command(self, proxy: Proxy) -> str:
        """Return the Bash command that makes Envoy close its connections gracefully before it stops. Empty: none."""
        del proxy
        return ""

    def outside_mounts(self, proxy: Proxy) -> tuple[Mount, ...]:
        """Return the mounts of the Unix sockets of the host that `proxy` connects to. Raise DemoError if it cannot have them."""
        return self.mounts(*socket_mounts(proxy))

    def outside_address(self, address: str, port: int, proxy: Proxy, where: str) -> str:
        """Return the address by which `proxy` reaches a program outside the demo.

        Args:
            address: The address that the demo states.
            port: The port that the demo states.
            proxy: The proxy that connects.
            where: The key of the cluster.

        Raises:
            DemoError: The proxy cannot reach the address.
        """
        check_outside_address(self, proxy, address, port, where, self.host_name_in_containers)
        return address

    def certificate_names(self, proxy: Proxy) -> list[str]:
        """Return the names by which `proxy` is reached."""
        return [proxy.group, proxy.name, "localhost"]

    def system_ca(self) -> str:
        """Return the path of the authorities that the system of Envoy trusts: in Envoy's official images, Debian's path."""
        return DEFAULT_SYSTEM_CA

    def certificate_addresses(self, proxy: Proxy) -> list[str]:
        """Return the IP addresses by which users reach `proxy`."""
        return list(dict.fromkeys([LOOPBACK, self.hosts[proxy.host].reachable_address]))

    # Endpoints and addresses

    def admin_location(self, proxy: Proxy) -> dict[str, str]:
        """Return the keys `url` and, inside a container, `container` by which the host of `proxy` reaches its admin interface."""
        config: AuthorConfig | None = proxy.spec["config"]
        if config is None or config.admin is None:
            return {"url": f"unix://{self.context.folder}/{admin_socket(proxy.name)}"}
        if config.admin.pipe:
            return {"url": f"unix://{self.author_socket(proxy, config.admin.pipe)}"}
        published = self.published_port(proxy.group, ADMIN, proxy.replica)
        if published:
            return {"url": f"http://{self.public_netloc(proxy.group, ADMIN, proxy.replica)}"}
        address = WILDCARDS.get(config.admin.address, config.admin.address)
        return {
            "url": f"http://{netloc(address, config.admin.port)}",
            "container": self.container_name(proxy),
        }

    def admin_endpoint(self, proxy: Proxy) -> dict[str, Any]:
        """Return the keys of `plan_schema.AdminEndpoint` that depend on the platform."""
        return self.admin_location(proxy)

    def stats_endpoint(self, proxy: Proxy) -> dict[str, Any]:
        """Return the keys of `plan_schema.StatsEndpoint` that locate the admin interface of `proxy`."""
        return self.admin_location(proxy)

    def page_endpoint(self, instance: Instance, container: str, port: str, path: str) -> dict[str, Any]:
        """Return the keys of `plan_schema.StatsEndpoint` that locate a page of `instance`."""
        del container
        return {"url": f"http://{self.public_netloc(instance.group, port, instance.replica)}{path}"}

    def public_address(self, group: str, port: str, scheme: str, path: str, what: str) -> tuple[str, str]:
        """Return (URL, description) of an address that users can open. `what` describes the port."""
        return f"{scheme}://{self.public_netloc(group, port)}{path}", what

    def traffic_target(self, group: str, port: str) -> dict[str, Any]:
        """Return the keys of http_traffic, besides `url`, by which a request reaches a port of `group`."""
        del group, port
        return {}

    def responding_hosts(self, service: str) -> list[str] | None:
        """Return the host names that the replicas of `service` report. None: they are unknown before deployment."""
        return [one.name for one in self.instances(service)]

    # Documents

    def document_directories(self) -> list[tuple[str, str]]:
        """Return (path, mode) of each directory that the programs of the documents need in the deployment folder."""
        return []

    @abstractmethod
    def documents(
        self, host: str, workloads: Sequence[Workload], files: Sequence[File], certificates: Sequence[str]
    ) -> Documents:
        """Return the documents that run the workloads of one host.

        Args:
            host: Name of the host.
            workloads: The workloads of the host.
            files: The files of the host.
            certificates: Directories of the certificates of the host.
        """
