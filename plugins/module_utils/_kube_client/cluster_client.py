# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of one cluster: objects in and out as JSON, logs, and port-forwards.

    with connect({"context": "kind-lab", "namespace": "demo"}) as cluster:
        cluster.apply(deployment, dry_run=True).warnings
        cluster.list("Pod", "app=web")
        with cluster.forward("web-5d7c-x2x9k", 9901) as connection: ...

Longer than 300 lines because `Cluster` is one class, whose methods are documented with examples.
"""

from __future__ import annotations

import math
import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.api_server import (
    CONNECT_TIMEOUT,
    ApiServer,
    KubernetesObject,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_options import ClusterOptions
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.connection_settings import (
    ConnectionSettings,
    load_settings,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.field_ownership import (
    adopt_manual_fields,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.port_forward import (
    PortForward,
    RelayThread,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.port_forward_relay import PROTOCOL
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.request_retries import repeat
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.resource_kinds import (
    kind_of,
    kind_of_object,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.websocket_upgrade import (
    open_websocket,
)

if TYPE_CHECKING:
    from types import TracebackType

# `list` is a method of Cluster, which hides the type in its annotations.
Objects = list[KubernetesObject]
Lines = list[str]

FIELD_MANAGER = "meshlab.envoy"
_MERGE_PATCH = "application/merge-patch+json"
_APPLY_PATCH = "application/apply-patch+yaml"
SHORTEST_TIMEOUT = 0.1  # seconds of the last attempt at a port-forward
_MAX_CONFLICTS = 5  # attempts to change an object that others change at the same time


@dataclass(frozen=True)
class ApplyResult:
    """The object as the API server has it after an apply (after a dry run: would have it), and the server's warnings."""

    object: KubernetesObject
    warnings: tuple[str, ...] = ()


def connect(options: ClusterOptions | Mapping[str, Any] | None = None) -> Cluster:
    """Return the client of the cluster that the option `cluster` selects.

    No request is sent yet, so that a wrong address shows at the first method that is called.

    Args:
        options: The option `cluster` of the modules: the keys of kubernetes.core. Missing keys are read from K8S_AUTH_*, then
            from KUBECONFIG or ~/.kube/config, then from the service account of the pod that runs this code.

    Raises:
        ClusterError: The kubeconfig cannot be used, or the package `kubernetes` is missing.

    Example:
        >>> cluster = connect({"host": "http://127.0.0.1:8001", "api_key": "token", "namespace": "demo"})
        >>> cluster.server, cluster.namespace
        ('http://127.0.0.1:8001', 'demo')
        >>> cluster.close()
    """
    return Cluster(load_settings(options))


class Cluster:
    """One cluster, as one user. Several threads can use one Cluster. All methods raise ClusterError.

    Attributes:
        namespace: The namespace of each call that names no other one.
        server: The URL of the API server.
        api: The API server, for requests that have no method in this class.
    """

    def __init__(self, settings: ConnectionSettings) -> None:
        """Create the client; see `connect`."""
        self.namespace = settings.namespace
        self.server = settings.server
        self.api = ApiServer(settings)
        self._settings = settings
        self._relays = RelayThread()

    def __enter__(self) -> Cluster:
        """Return the client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the client."""
        self.close()

    def close(self) -> None:
        """End all port-forwards and connections."""
        self._relays.close()
        self.api.close()

    def list(
        self, kind: str, selector: str = "", *, namespace: str | None = None, fields: str = ""
    ) -> Objects:
        """Return the objects of a kind in one namespace, without their managedFields.

        Args:
            kind: The kind, as `Pod`; see `kind_of` for two kinds of the same name.
            selector: A label selector, as `app=web`; empty for all objects.
            namespace: The namespace; `self.namespace` by default.
            fields: A field selector, as `metadata.name=web-1`; empty for all objects.

        Example:
            >>> [pod["metadata"]["name"] for pod in cluster.list("Pod", "app=web")]  # doctest: +SKIP
            ['web-5d7c-x2x9k']
        """
        found, scope = kind_of(kind), namespace or self.namespace
        query = {"labelSelector": selector, "fieldSelector": fields}
        subject = f"{found.plural} in namespace {scope}"
        data = self.api.request_json("GET", found.path(scope), subject, query)[0]
        items: Objects = data.get("items") or []
        # The API leaves apiVersion and kind out of the items of a list.
        return [
            _without_managed_fields({"apiVersion": found.version, "kind": found.name, **item})
            for item in items
        ]

    def get(self, kind: str, name: str, *, namespace: str | None = None) -> KubernetesObject | None:
        """Return one object without its managedFields; None if there is no object of this name."""
        path, subject = self._path_and_title(kind, name, namespace)
        try:
            return _without_managed_fields(self.api.request_json("GET", path, subject)[0])
        except ClusterError as error:
            if error.reason == "not_found":
                return None
            raise

    def apply(self, thing: Mapping[str, Any], dry_run: bool = False) -> ApplyResult:
        """Create or change an object by server-side apply, as field manager `meshlab.envoy`.

        The apply is forced: it takes fields over that another manager owns.

        Args:
            thing: The whole object. An own `metadata.namespace` takes precedence over `self.namespace`.
            dry_run: Whether the API server only checks the request. It then returns the object that would result.

        Raises:
            ClusterError: As for all methods; `invalid` where validation or an admission controller rejects the object.

        Example:
            >>> config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"a": "1"}}
            >>> cluster.apply(config_map).object["data"]  # doctest: +SKIP
            {'a': '1'}
        """
        kind, metadata = kind_of_object(thing), thing["metadata"]
        scope, name = metadata.get("namespace") or self.namespace, metadata["name"]
        query = {"fieldManager": FIELD_MANAGER, "force": "true", "dryRun": "All" if dry_run else ""}
        data, warnings = self.api.request_json(
            "PATCH", kind.path(scope, name), kind.title(name, scope), query, _APPLY_PATCH, thing
        )
        return ApplyResult(_without_managed_fields(data), warnings)

    def take_over(self, kind: str, name: str, *, namespace: str | None = None) -> None:
        """Make `meshlab.envoy` the owner of the fields that a person set by `kubectl apply` or `kubectl create`.

        The next apply then removes those of the fields that it does not contain.
        """
        path, subject = self._path_and_title(kind, name, namespace)
        query = {"fieldManager": FIELD_MANAGER}
        for attempt in range(_MAX_CONFLICTS):
            metadata = self.api.request_json("GET", path, subject)[0]["metadata"]
            entries = adopt_manual_fields(metadata.get("managedFields") or [], FIELD_MANAGER)
            # The resourceVersion makes this a conflict where the object, or its status, changed since the GET.
            merge = {"metadata": {"resourceVersion": metadata["resourceVersion"], "managedFields": entries}}
            try:
                self.api.request_json("PATCH", path, subject, query, _MERGE_PATCH, merge)
            except ClusterError as error:
                if error.reason != "conflict" or attempt + 1 == _MAX_CONFLICTS:
                    raise
            else:
                return

    def patch(
        self,
        kind: str,
        name: str,
        merge: Mapping[str, Any],
        *,
        namespace: str | None = None,
        dry_run: bool = False,
    ) -> KubernetesObject:
        """Apply a JSON merge patch (RFC 7396: None removes a key); return the object that results, or after a dry run would."""
        path, subject = self._path_and_title(kind, name, namespace)
        query = {"fieldManager": FIELD_MANAGER, "dryRun": "All" if dry_run else ""}
        data = self.api.request_json("PATCH", path, subject, query, _MERGE_PATCH, merge)[0]
        return _without_managed_fields(data)

    def delete(
        self,
        kind: str,
        name: str,
        *,
        namespace: str | None = None,
        dry_run: bool = False,
        propagation: str = "Background",
        grace: int | None = None,
    ) -> bool:
        """Request the deletion of an object; return False if there is no object of this name.

        The object may exist for some time afterwards: until its finalizers are removed, and a pod until it has terminated.

        Args:
            kind: The kind, as `Pod`.
            name: The object's name.
            namespace: The namespace; `self.namespace` by default.
            dry_run: Whether the API server only checks the request.
            propagation: The propagationPolicy for dependents: `Background`, `Foreground` or `Orphan`.
            grace: Seconds that a pod gets to terminate; by default its own terminationGracePeriodSeconds.

        Example:
            >>> cluster.delete("Pod", "web-5d7c-x2x9k", grace=0)  # doctest: +SKIP
            True
        """
        path, subject = self._path_and_title(kind, name, namespace)
        options: KubernetesObject = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "propagationPolicy": propagation,
        }
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        if dry_run:
            # The API server ignores the query parameter dryRun of a DELETE that has a body.
            options["dryRun"] = ["All"]
        try:
            self.api.request_json("DELETE", path, subject, None, "application/json", options)
        except ClusterError as error:
            if error.reason == "not_found":
                return False
            raise
        return True

    def logs(
        self,
        pod: str,
        container: str = "",
        *,
        previous: bool = False,
        lines: int = 20,
        seconds: float | None = None,
        size: int | None = None,
        namespace: str | None = None,
    ) -> Lines:
        """Return the last lines of a container's log.

        Args:
            pod: The name of the pod.
            container: The name of the container; empty where the pod has only one.
            previous: Whether to read the log of the container before its last restart.
            lines: The number of lines.
            seconds: The age of the oldest line in seconds; no limit by default.
            size: The number of bytes; no limit by default.
            namespace: The namespace; `self.namespace` by default.

        Example:
            >>> cluster.logs("web-5d7c-x2x9k", "envoy", lines=1)  # doctest: +SKIP
            ['[info] all clusters initialized. initializing init manager']
        """
        path, subject = self._path_and_title("Pod", pod, namespace)
        query = {"container": container, "previous": "true" if previous else "", "tailLines": str(lines)}
        query["sinceSeconds"] = "" if seconds is None else str(math.ceil(seconds))
        query["limitBytes"] = "" if size is None else str(size)
        content = self.api.request("GET", f"{path}/log", f"the log of {subject}", query)[0]
        return content.decode("utf-8", "replace").splitlines()

    def version(self) -> tuple[int, int]:
        """Return the major and the minor version of the API server, as (1, 34)."""
        data = self.api.request_json("GET", "/version", "the version of the API server")[0]
        numbers = [re.match(r"\d*", str(data.get(key, ""))) for key in ("major", "minor")]
        major, minor = (int(number[0] or 0) if number else 0 for number in numbers)
        return major, minor

    def forward(
        self, pod: str, port: int, *, namespace: str | None = None, timeout: float = CONNECT_TIMEOUT
    ) -> PortForward:
        """Return a connected socket to a port inside a pod, through the API server.

        The kubelet connects to the port after the handshake. Where nothing listens on the port, the socket is at its end, and its
        attribute `failure` has the reason `refused`; where the connection is cut, the reason is `broken`.

        Args:
            pod: The name of the pod.
            port: The number of the port.
            namespace: The namespace; `self.namespace` by default.
            timeout: Seconds for connecting to the API server and for the handshake.

        Raises:
            ClusterError: As for all methods; `not_found` where there is no such pod.

        Example:
            >>> client = http.client.HTTPConnection("web")  # doctest: +SKIP
            >>> client.sock = cluster.forward("web-5d7c-x2x9k", 9901)  # doctest: +SKIP
            >>> client.request("GET", "/ready")  # doctest: +SKIP
        """
        path, title = self._path_and_title("Pod", pod, namespace)
        subject = f"the port-forward to port {port} of {title}"
        target = f"{path}/portforward?ports={port}"
        deadline = time.monotonic() + timeout

        def open_once() -> tuple[socket.socket, bytes]:
            left = max(deadline - time.monotonic(), SHORTEST_TIMEOUT)
            return open_websocket(self._settings, target, PROTOCOL, subject, left)

        remote, received = repeat(open_once, has_responded=self.api.has_responded, seconds=timeout)
        try:
            return self._relays.add(subject, remote, received)
        except BaseException:
            remote.close()
            raise

    def _path_and_title(self, kind: str, name: str, namespace: str | None) -> tuple[str, str]:
        found, scope = kind_of(kind), namespace or self.namespace
        return found.path(scope, name), found.title(name, scope)


def _without_managed_fields(thing: KubernetesObject) -> KubernetesObject:
    """Remove the field ownership of server-side apply, which is longer than the object."""
    thing.get("metadata", {}).pop("managedFields", None)
    return thing
