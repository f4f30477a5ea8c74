# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The planner's view of Envoys in pods, with a generated configuration or with that of an author."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.authors.author_targets import (
    NamedPort,
    author_targets,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import EXPORTER, resolve_target
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.any_message import Message, socket_address
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.content import AuthorConfig
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.clusters import Address
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.context import LOOPBACK, Program
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Instance, Proxy
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.kubectl_commands import (
    drain_command,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.object_names import (
    dns,
    selector,
    standby_name,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform, Validator
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.reachability.outside_sockets import (
    check_no_outside_sockets,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.reachability.standby import (
    can_have_standby,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement.hot_restart import (
    DISTROLESS,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Mount

# The admin's own port on the loopback of its pod, which a port-forward reaches.
ADMIN_POD_PORT = 9901


class EnvoysInPods(Platform):
    """Names of the demo are those of headless Services, and a port-forward reaches the admin interface of an author."""

    # The host that deploys has no statsd_exporter: a wrong mapping fails the rollout.
    validates_mappings = False

    def validator(self, program: Program, path_in_image: str) -> Validator | None:
        """Return the executable on the host that deploys. Without one, a wrong configuration fails the rollout."""
        del path_in_image
        return Validator(program.executable) if program.executable else None

    def admin_address(self, proxy: Proxy) -> Message:
        """Return a port on the loopback of the pod, which is private and which a port-forward reaches."""
        del proxy
        return socket_address(LOOPBACK, ADMIN_POD_PORT)

    def run_directories(self, proxy: Proxy) -> list[tuple[str, str]]:
        """Return nothing: the admin has no socket file."""
        del proxy
        return []

    def outside_mounts(self, proxy: Proxy) -> tuple[Mount, ...]:
        """Raise DemoError for a Unix socket of the node, which Pod Security `restricted` denies to pods."""
        remedy = "Use a host name and a port, or state the platform in 'unsupported_on'."
        check_no_outside_sockets(proxy, self.demo["file"], remedy)
        return ()

    def socket_directories(self, instance: Instance) -> list[tuple[str, str]]:
        """Return nothing: the containers of a pod share an emptyDir."""
        del instance
        return []

    def socket_on_host(self, instance: Instance, socket: str) -> str:
        """Return nothing: no port-forward reaches a Unix socket."""
        del instance, socket
        return ""

    def node_arguments(self) -> tuple[str, ...]:
        """Return `--service-node` with the name of the pod, which Kubernetes substitutes."""
        return ("--service-node", "$(POD_NAME)")

    def standby_address(self, spec: Mapping[str, Any], proxy: Proxy, where: str) -> Address | None:
        """Return the Service with a cluster IP.

        A headless Service does not list a pod that terminates, or whose app just restarted. Without another pod, Envoy has no
        host although that pod serves. The node's proxy then still forwards a cluster IP to a terminating pod that is ready
        (condition `serving` of an EndpointSlice, Kubernetes 1.26 and newer), and reaches a pod without the delay of name resolution.
        """
        if not can_have_standby(spec) or self.is_own_app(spec["to"], proxy):
            return None
        group, name = resolve_target(self.demo, spec["to"], where)
        if group == proxy.group or not self.replicas(group):
            return None
        return standby_name(self.demo["name"], group), self.port(group, name)

    def aliases(self, instance: Instance) -> tuple[str, ...]:
        """Return the name of the headless Service by which the files of an author reach a group."""
        return (instance.group,) if self.has_author_config else ()

    def author_addresses(self, target: NamedPort, proxy: Proxy) -> list[Address] | None:
        """Return None: Services have the names in the files, except those of one replica or with an underscore."""
        config: AuthorConfig = proxy.spec["config"]
        place = f"{config.source(target.use.file)} line {target.use.host_span.line}"
        if target.replica is not None:
            raise DemoError(
                place,
                f"'{target.use.host}': pods have no names of their own on {self.context.platform}. Use '{target.group}'.",
            )
        if target.group != proxy.group and target.use.host != dns(target.use.host):
            renamed = dns(target.use.host)
            remedy = "Use it." if target.group == EXPORTER else f"Rename '{target.group}' to '{renamed}'."
            raise DemoError(
                place, f"'{target.use.host}': the name of a Service has no '_', and is '{renamed}'. {remedy}"
            )
        return None

    def starts_after(self, proxy: Proxy) -> tuple[str, ...]:
        """Return nothing: a deployment waits until Envoy has discovered the pods."""
        del proxy
        return ()

    def admin_pod_port(self, proxy: Proxy) -> int:
        """Return the port of the admin interface in the pod of a proxy."""
        config: AuthorConfig | None = proxy.spec["config"]
        return config.admin.port if config and config.admin and config.admin.port else ADMIN_POD_PORT

    def admin_relay(self, proxy: Proxy) -> int | None:
        """Return the port of the container that relays a port-forward to the Unix socket of an author's admin."""
        config: AuthorConfig | None = proxy.spec["config"]
        return ADMIN_POD_PORT if config and config.admin and config.admin.pipe else None

    def drain_command(self, proxy: Proxy) -> str:
        """Return a request to /drain_listeners, or nothing for an image without Bash or an Envoy without an admin interface.

        Envoy's images without Bash have `distroless` in their names. A preStop command that does not exist would stop the
        pod at once.
        """
        config: AuthorConfig | None = proxy.spec["config"]
        if DISTROLESS in self.envoy(proxy).image or (config and not config.admin):
            return ""
        return drain_command(LOOPBACK, self.admin_pod_port(proxy))

    def author_members(self, proxy: Proxy) -> dict[str, dict[str, Any]]:
        """Return the pods that each cluster of an author must find. Clusters with other hosts are left out."""
        config: AuthorConfig = proxy.spec["config"]
        targets = {target.use: target for target in author_targets(self.demo, proxy.group)}
        clusters: dict[str, list[NamedPort | None]] = {}
        for use in config.hosts:
            if use.cluster:
                clusters.setdefault(use.cluster, []).append(targets.get(use))
        found = {}
        for name, members in clusters.items():
            known = [one for one in members if one is not None]
            groups = list(dict.fromkeys(one.group for one in known))
            hosts = sum(self.replicas(group) for group in groups)
            is_complete = len(known) == len(members) and not (
                hosts > 1 and any(one.use.only_one for one in known)
            )
            if hosts and is_complete and proxy.group not in groups:
                found[name] = {"selector": selector(self.demo["name"], *groups), "hosts": hosts}
        return found
