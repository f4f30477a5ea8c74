# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The planner's view of platform `local`: processes on the host, supervised by supervisord."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import cached_property

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.authors.author_targets import NamedPort
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import Demo
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import ListeningPort
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.clusters import Address
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.context import (
    LOOPBACK,
    WILDCARDS,
    Context,
    Program,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.generated_files import File
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Instance, Proxy
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.layout import netloc
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local import boot_unit
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.documents import (
    FILE,
    LOGS,
    supervisord_conf,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.packages.server_layout import (
    HostServerLayout,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import (
    Documents,
    Platform,
    Validator,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.reachability.outside_hosts import HOST
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement.service_replacement import (
    QUIET,
    Obstacle,
    callers_at_start,
    is_fixed,
    obstacle,
    own_ports,
    port_placeholder,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Mount, Workload

# The name, among the ports of a proxy, of the number by which its Envoys find each other for a hot restart.
HOT_RESTART = "hot-restart"


class LocalPlatform(HostServerLayout, Platform):
    """Processes share the network of their host: each port has a number of its own, and loopback reaches all of them."""

    socket_mode = 0o600
    run_directory_mode = "0700"
    key_mode = "0600"
    volume_kinds = ()
    runs_images = False
    host_programs = ("openssl", "envoy", "statsd_exporter", "supervisord")
    unused_fields = (
        *("image", "mounts", "volumes", "probe", "network", "hostname", "user"),
        *("memory_mb", "cpus", "init", "drain"),
    )

    def __init__(self, demo: Demo, context: Context) -> None:
        super().__init__(demo, context)
        self._check_fixed_ports()

    # Ports

    def port(self, group: str, name: str, replica: int = 1) -> int:
        """Return the number that the server or the demo states, or else one that the planner chose.

        The numbers do not depend on the number of replicas. So a new replica can start while the demo runs.
        """
        port = self.ports[group, name]
        return self.stated_port(port, replica) or self.block_port(port, replica)

    def stated_port(self, port: ListeningPort, replica: int) -> int | None:
        """Return the number that a server listens on in its own command, or the published port of the first replica."""
        return port.number if self._is_fixed(port) else super().stated_port(port, replica)

    def needs_block_port(self, port: ListeningPort, replica: int) -> bool:
        """Return True: each port has a number of its own."""
        del port, replica
        return True

    def published_port(self, group: str, name: str, replica: int = 1) -> int | None:
        """Return the port itself: nothing forwards to a process."""
        return self.port(group, name, replica)

    def bind_address(self, group: str, name: str, replica: int = 1) -> str:
        """Return the address of the host for a port that is published or called from another host, else loopback."""
        port = self.ports[group, name]
        if port.bound_to:
            return port.bound_to
        public = port.publish and replica == 1
        if public or self.is_called_across_hosts(group, name, replica):
            return self.hosts[self.instance(group, replica).host].address
        return LOOPBACK

    def hot_restart_id(self, proxy: Proxy) -> int | None:
        """Return a number that no other Envoy of the host has, because the Envoys of a host share the names of hot restarts."""
        return self._chosen.numbers[f"{proxy.name}/{HOT_RESTART}"]

    def other_numbers(self) -> list[str]:
        """Return the number of each Envoy for hot restarts, those of further replicas last."""
        proxies = sorted(self.proxies(), key=lambda proxy: proxy.replica)
        return [f"{proxy.name}/{HOT_RESTART}" for proxy in proxies]

    # Replacement

    def service_obstacle(self, instance: Instance) -> Obstacle | None:
        """Return what prevents two processes of an instance: they share its data directory, but not the files with their ports."""
        return obstacle(self, instance, self._callers_at_start, shares_files=False, shares_data=True)

    def is_published(self, port: ListeningPort, replica: int) -> bool:
        """Return whether programs on other hosts connect to a port. Other ports are private, as all ports are those of the host."""
        return self.is_called_across_hosts(port.group, port.name, replica)

    def move_ports(self, instances: Sequence[Instance]) -> None:
        """Choose other numbers on the host."""
        self.move_numbers(
            self.port_key(port, one.replica) for one in instances for port in own_ports(self, one)
        )

    def fewer_threads_obstacle(self) -> Obstacle | None:
        """Return None where the kernel gives the connections of a socket that is closed to another socket of its port."""
        if self.context.migrates_connections:
            return None
        found = super().fewer_threads_obstacle()
        return found and Obstacle(
            found.reason,
            f"Set the sysctl net.ipv4.tcp_migrate_req of the host to 1 (Linux 5.14 or later), or {QUIET}",
        )

    @cached_property
    def _callers_at_start(self) -> dict[tuple[str, str], str]:
        return callers_at_start(self)

    # Addresses

    def own_address(self, group: str, name: str, replica: int = 1) -> str:
        """Return the address that the port is bound to."""
        address = self.bind_address(group, name, replica)
        return WILDCARDS.get(address, address)

    def outside_address(self, address: str, port: int, proxy: Proxy, where: str) -> str:
        """Return the loopback address in place of the name of the host, which only containers resolve."""
        del port, proxy, where
        return LOOPBACK if address == HOST else address

    def public_netloc(self, group: str, name: str, replica: int = 1) -> str:
        """Return the address and the port that the process listens on."""
        return netloc(self.own_address(group, name, replica), self.port(group, name, replica))

    def shares_network(self, target: Instance, source: Instance) -> bool:
        """Return whether both run on the same host."""
        return target.host == source.host

    def shares_exporter_network(self, proxy: Proxy) -> bool:
        """Return whether the exporter runs on the host of `proxy`."""
        return proxy.host == self.exporter_instance().host

    def exporter_network(self) -> str | None:
        """Return None: processes have no network that another process joins."""
        return None

    def author_addresses(self, target: NamedPort, proxy: Proxy) -> list[Address] | None:
        """Return the addresses of the instances: names of the demo do not resolve on a host."""
        return [self.address(one, target.name, proxy) for one in self._named_instances(target)]

    def author_socket(self, proxy: Proxy, path: str) -> str:
        """Return the path itself, or that in the working directory of the process."""
        return path if path.startswith(("/", "@")) else f"{self.context.folder}/{proxy.name}/config/{path}"

    def network_label(self, instance: Instance) -> str:
        """Return the host, whose network all its processes use."""
        return self.host_label(instance.host)

    def publishing_label(self, instance: Instance) -> str | None:
        """Return None: a process publishes a port by listening on it."""
        del instance
        return None

    # Programs and directories

    def program(self, program: Program, path_in_image: str) -> str:
        """Return the executable on the host."""
        del path_in_image
        return program.executable

    def validator(self, program: Program, path_in_image: str) -> Validator | None:
        """Return the executable on the host."""
        return Validator(self.program(program, path_in_image))

    def working_directory(self, path: str) -> str:
        """Return the deployment folder."""
        del path
        return "."

    def mounts(self, *mounts: Mount) -> tuple[Mount, ...]:
        """Return nothing: a process opens the deployment folder itself."""
        del mounts
        return ()

    def path_in_workload(self, source: str, target: str) -> str:
        """Return the path relative to the deployment folder, which is the working directory."""
        del target
        return source

    def needs_app_file(self) -> bool:
        """Return True: a process runs the demo app from its file."""
        return True

    def files_directory(self, instance: Instance) -> str:
        """Return a directory for this instance only, because its files can contain its ports."""
        return f"files/{instance.name}"

    def data_directory(self, instance: Instance) -> str:
        """Return a directory of the deployment folder for this instance."""
        return f"data/{instance.name}"

    def created_directories(self, instance: Instance) -> list[tuple[str, str]]:
        """Return the data directory of the instance."""
        return [(self.data_directory(instance), "0700")]

    def writable_directories(self, proxy: Proxy, home: str) -> list[str] | None:
        """Return None: a process can write wherever its user can."""
        del proxy, home
        return None

    def socket_on_host(self, instance: Instance, socket: str) -> str:
        """Return the path itself if it is absolute: a process shares the file system of the host."""
        return socket if socket.startswith("/") else super().socket_on_host(instance, socket)

    # Documents

    def document_directories(self) -> list[tuple[str, str]]:
        """Return the directory of supervisord's logs."""
        return [(LOGS, "0700")]

    def system_ca(self) -> str:
        """Return the path on the host."""
        return self.context.system_ca

    def documents(
        self, host: str, workloads: Sequence[Workload], files: Sequence[File], certificates: Sequence[str]
    ) -> Documents:
        """Return supervisord.conf, and the systemd unit if the demo starts at boot."""
        del files, certificates
        name = self.demo["name"]
        supervisord = self.context.supervisord.executable or "supervisord"
        documents = [File(FILE, supervisord_conf(name, workloads), host=host)]
        if self.context.start_at_boot:
            unit = boot_unit.unit_text(name, self.context.folder, supervisord, FILE)
            documents.append(File(boot_unit.unit_name(name), unit, host=host))
        return Documents(files=tuple(documents), commands=(f"{_shell_word(supervisord)} -c {FILE}",))

    def _is_fixed(self, port: ListeningPort) -> bool:
        """Return whether a server listens on the number in its own command, instead of a number from the planner."""
        return bool(port.bound_to) or is_fixed(self, port)

    def _check_fixed_ports(self) -> None:
        for port in self.ports.values():
            if port.bound_to and port.publish not in (None, port.number):
                raise DemoError(
                    self.demo["file"],
                    f"{port.group}.publish.{port.name}: on platform local, Envoy itself listens on port {port.number}, and nothing"
                    f" publishes it as {port.publish}. Use {port.number}, or change the port in the configuration.",
                )
            if self._is_fixed(port) and port.publish not in (None, port.number):
                raise DemoError(
                    self.demo["file"],
                    f"services.{port.group}.publish: on platform local, the server itself must listen on {port.publish}, but"
                    f" its port is {port.number}. Use the same number twice, or ${{{port_placeholder(port)}}} in the server's texts.",
                )


def _shell_word(path: str) -> str:
    """Return a path for a shell, which still replaces `~` at its beginning."""
    home, rest = ("~/", path[2:]) if path.startswith("~/") else ("", path)
    return home + shlex.quote(rest)
