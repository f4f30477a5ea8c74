# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cluster's API: raw objects in and out, as JSON. Knows nothing of what they are for.

    cluster = connect({"context": "kind-lab", "namespace": "demo"})
    cluster.apply(deployment, dry_run=True).warnings
    cluster.list("Pod", "app=web")
    with cluster.forward("web-5d7c-x2x9k", 9901) as connection: …
    cluster.close()

Whatever goes wrong is a ClusterError. Several threads may use one Cluster at once.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client import websocket_upgrade
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.connection_settings import (
    Settings,
    load,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError, refusal
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.field_ownership import taken_over
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.port_forward import (
    PROTOCOL,
    Forward,
    Pump,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.resource_kinds import (
    Kind,
    kind_of,
    kind_of_object,
)

if TYPE_CHECKING:
    from types import TracebackType

Object = dict[str, Any]
Objects = list[Object]
Lines = list[str]

MANAGER = "meshlab.envoy"
CONNECTIONS = 16
CONNECT_TIMEOUT = 5.0
ANSWER_TIMEOUT = 30.0
_BUSY = 429
_MOST_BUSY = 5
_WARNING = re.compile(r'\d{3} \S+ "((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Answer:
    """An object as the API server has it now (or, dry, would have it), and what it warned of."""

    object: Object
    warnings: tuple[str, ...] = ()


def connect(options: Mapping[str, Any] | None = None) -> Cluster:
    """The cluster that the option `cluster` means. Nothing is asked yet; what is wrong with a kubeconfig raises ClusterError."""
    return Cluster(load(options))


class Cluster:
    """One cluster, as one user; `namespace` is meant where a call says no other."""

    def __init__(self, settings: Settings) -> None:
        import urllib3

        self.namespace = settings.namespace
        self.server = settings.server
        self._settings = settings
        self._pump = Pump()
        self._lock = threading.Lock()
        if not settings.configuration.verify_ssl:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        shared: dict[str, Any] = {"maxsize": CONNECTIONS, "ssl_context": settings.context}
        if settings.server_name:
            shared["server_hostname"] = shared["assert_hostname"] = settings.server_name
        if not settings.configuration.verify_ssl:
            shared["cert_reqs"] = "CERT_NONE"
        self._pool: Any = (
            urllib3.ProxyManager(settings.proxy, **shared)
            if settings.proxy
            else urllib3.PoolManager(**shared)
        )

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends all port-forwards and connections."""
        self._pump.close()
        self._pool.clear()

    def list(
        self, kind: str, selector: str = "", *, namespace: str | None = None, fields: str = ""
    ) -> Objects:
        """All objects of a kind, by label selector and by field selector; `""` of both is all of the namespace."""
        one = _kind(kind)
        query = {"labelSelector": selector, "fieldSelector": fields}
        place = one.path(namespace or self.namespace)
        data = self._ask("GET", place, f"{one.plural} in namespace {namespace or self.namespace}", query)[0]
        items: Objects = data.get("items") or []
        # The API leaves both out of what is in a list.
        return [_trimmed({"apiVersion": one.version, "kind": one.name, **item}) for item in items]

    def get(self, kind: str, name: str, *, namespace: str | None = None) -> Object | None:
        """One object; None where there is none of that name."""
        one, space = _kind(kind), namespace or self.namespace
        try:
            return _trimmed(self._ask("GET", one.path(space, name), _what(one, name, space))[0])
        except ClusterError as error:
            if error.reason == "not_found":
                return None
            raise

    def apply(self, thing: Mapping[str, Any], dry_run: bool = False) -> Answer:
        """Server-side apply of a whole object, as `meshlab.envoy`; what others say of the same fields is overruled."""
        metadata = thing["metadata"]
        space, name = metadata.get("namespace") or self.namespace, metadata["name"]
        one = _kind(thing)
        query = {"fieldManager": MANAGER, "force": "true", "dryRun": "All" if dry_run else ""}
        data, warnings = self._ask(
            "PATCH",
            one.path(space, name),
            _what(one, name, space),
            query,
            "application/apply-patch+yaml",
            thing,
        )
        return Answer(_trimmed(data), warnings)

    def take_over(self, kind: str, name: str, *, namespace: str | None = None) -> None:
        """Have what an object got from `kubectl apply` or `create` be of `meshlab.envoy`, whose next apply then decides on all of it."""
        one, space = _kind(kind), namespace or self.namespace
        place, what = one.path(space, name), _what(one, name, space)
        query = {"fieldManager": MANAGER}
        for attempt in range(_MOST_BUSY):
            metadata = self._ask("GET", place, what)[0]["metadata"]
            entries = taken_over(metadata.get("managedFields") or [], MANAGER)
            # With the version this is a conflict where the object changed meanwhile, be it only its status.
            merge = {"metadata": {"resourceVersion": metadata["resourceVersion"], "managedFields": entries}}
            try:
                self._ask("PATCH", place, what, query, "application/merge-patch+json", merge)
            except ClusterError as error:
                if error.reason != "conflict" or attempt + 1 == _MOST_BUSY:
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
    ) -> Object:
        """JSON merge patch: what is None is removed. Returns the object as it is now, or (dry) would be."""
        one, space = _kind(kind), namespace or self.namespace
        place, what = one.path(space, name), _what(one, name, space)
        query = {"fieldManager": MANAGER, "dryRun": "All" if dry_run else ""}
        return _trimmed(self._ask("PATCH", place, what, query, "application/merge-patch+json", merge)[0])

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
        """Begins to delete an object; False where there was none. `grace` is in seconds, the object's own by default."""
        one, space = _kind(kind), namespace or self.namespace
        options: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        if dry_run:
            # Where there is a body, the API server does not look at a query.
            options["dryRun"] = ["All"]
        try:
            self._ask(
                "DELETE", one.path(space, name), _what(one, name, space), None, "application/json", options
            )
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
        namespace: str | None = None,
    ) -> Lines:
        """The last lines of a container's log; with `previous` of the one before it was restarted."""
        one, space = kind_of("Pod"), namespace or self.namespace
        query = {"container": container, "previous": "true" if previous else "", "tailLines": str(lines)}
        body = self._raw("GET", one.path(space, pod) + "/log", f"the log of {_what(one, pod, space)}", query)[
            0
        ]
        return body.decode("utf-8", "replace").splitlines()

    def version(self) -> tuple[int, int]:
        """Major and minor, as (1, 34)."""
        data = self._ask("GET", "/version", "the version of the API server")[0]
        numbers = [re.match(r"\d*", str(data.get(key, ""))) for key in ("major", "minor")]
        major, minor = (int(number[0] or 0) if number else 0 for number in numbers)
        return major, minor

    def forward(
        self, pod: str, port: int, *, namespace: str | None = None, timeout: float = CONNECT_TIMEOUT
    ) -> Forward:
        """A connected socket to a port inside a pod, through the API server.

        Raises ClusterError where there is no such pod (not_found) or one may not. Whether something listens on the port is known
        when nothing can be read: then `line.failure` of what was returned says so (refused), or that it was cut (broken).
        """
        space = namespace or self.namespace
        one = kind_of("Pod")
        what = f"the port-forward to port {port} of {_what(one, pod, space)}"
        place = f"{one.path(space, pod)}/portforward?ports={port}"
        remote, came = websocket_upgrade.open_websocket(self._settings, place, PROTOCOL, what, timeout)
        try:
            return self._pump.add(what, remote, came)
        except BaseException:
            remote.close()
            raise

    def _ask(
        self,
        method: str,
        path: str,
        what: str,
        query: Mapping[str, str] | None = None,
        content: str = "",
        body: Mapping[str, Any] | None = None,
    ) -> tuple[Object, tuple[str, ...]]:
        answer, warnings = self._raw(method, path, what, query, content, body)
        try:
            data = json.loads(answer)
        except ValueError:
            data = None
        if not isinstance(data, dict):
            raise ClusterError("server", f"{self.server} is no API server: {what} is no JSON object")
        return data, warnings

    def _raw(
        self,
        method: str,
        path: str,
        what: str,
        query: Mapping[str, str] | None = None,
        content: str = "",
        body: Mapping[str, Any] | None = None,
    ) -> tuple[bytes, tuple[str, ...]]:
        """One request and its answer, as often as the API server says that it is too busy. Raises ClusterError."""
        import urllib3
        from urllib3._collections import HTTPHeaderDict

        said = urlencode({key: value for key, value in (query or {}).items() if value}, quote_via=quote)
        url = f"{self.server}{path}" + (f"?{said}" if said else "")
        timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT, read=ANSWER_TIMEOUT)
        payload = None if body is None else json.dumps(body).encode()
        tries = 0
        while True:
            tries += 1
            # Several of one name, where several groups are impersonated.
            own = {"accept": "application/json", "user-agent": MANAGER, **self._headers()}
            headers = HTTPHeaderDict(own)
            for name, value in self._settings.impersonates:
                headers.add(name, value)
            if content:
                headers["content-type"] = content
            try:
                answer = self._pool.request(
                    method, url, body=payload, headers=headers, timeout=timeout, retries=False, redirect=False
                )
            except urllib3.exceptions.ProtocolError as error:
                # A kept connection that the server closed meanwhile. All that is asked may be asked twice.
                if tries > 1:
                    raise websocket_upgrade.not_there(self._settings, _cause(error)) from None
                continue
            except urllib3.exceptions.ReadTimeoutError:
                raise ClusterError("timeout", f"{what}: no answer in {ANSWER_TIMEOUT:g} s") from None
            except urllib3.exceptions.HTTPError as error:
                raise websocket_upgrade.not_there(self._settings, _cause(error)) from None
            if answer.status == _BUSY and tries < _MOST_BUSY:
                time.sleep(_retry_after(answer.headers.get("retry-after")))
                continue
            if not 200 <= answer.status < 300:
                raise refusal(answer.status, answer.data, what)
            warnings = _WARNING.findall(", ".join(answer.headers.getlist("warning")))
            return answer.data, tuple(re.sub(r"\\(.)", r"\1", one) for one in warnings)

    def _headers(self) -> dict[str, str]:
        with self._lock:  # a token may be renewed
            return self._settings.headers()


def _kind(given: str | Mapping[str, Any]) -> Kind:
    try:
        return kind_of(given) if isinstance(given, str) else kind_of_object(given)
    except KeyError:
        name = given if isinstance(given, str) else f"{given.get('apiVersion')} {given.get('kind')}"
        raise ClusterError(
            "invalid", f"{name} is no kind that is known here (module_utils/_kube_client/resource_kinds.py)"
        ) from None


def _what(kind: Kind, name: str, namespace: str) -> str:
    return f"{kind.name} {name}" + (f" in namespace {namespace}" if kind.namespaced else "")


def _trimmed(thing: Object) -> Object:
    """Without the bookkeeping of server-side apply, which is longer than the object."""
    thing.get("metadata", {}).pop("managedFields", None)
    return thing


def _retry_after(value: str | None) -> float:
    return min(float(value), 5.0) if value and value.isdigit() else 1.0


def _cause(error: BaseException) -> object:
    """What the operating system or OpenSSL said, below urllib3's wrapping."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError):
            return seen
        inner = next((one for one in seen.args if isinstance(one, BaseException)), None)
        seen = inner or seen.__cause__ or seen.__context__
    return "no connection" if "timed out" not in str(error).lower() else "it does not answer in time"
