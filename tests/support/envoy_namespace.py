# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Envoys in a new namespace that were not deployed by this collection."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.versions import NEWEST
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import (
    Cluster,
    connect,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_status import (
    PodObject,
    pod_name,
    select_ready,
)

IMAGE = f"envoyproxy/envoy:v{NEWEST}"
TYPE = "type.googleapis.com/envoy.extensions"
T = TypeVar("T")


def until(look: Callable[[], T], what: str, seconds: float = 60) -> T:
    """Return the first true value that `look` returns; fail with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.1)
    return found


class EnvoyNamespace:
    """A namespace that enforces Pod Security `restricted`; `close` deletes it."""

    def __init__(self) -> None:
        self.namespace = f"meshlab-pods-{os.getpid()}-{secrets.token_hex(2)}"
        self.cluster: Cluster = connect({"namespace": self.namespace})
        metadata = {"name": self.namespace, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
        self.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        self.options = {"namespace": self.namespace}

    def close(self) -> None:
        self.cluster.delete("Namespace", self.namespace)
        self.cluster.close()

    def config(self, name: str, bootstrap: dict[str, Any]) -> None:
        data = {"envoy.json": json.dumps(bootstrap)}
        self.cluster.apply(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
        )

    def certificate(self, name: str, folder: Path) -> Path:
        """Create a certificate for a host in Secret `tls`; return the path of the certificate."""
        key, certificate = folder / "key.pem", folder / "cert.pem"
        request = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "1",
            "-subj",
            f"/CN={name}",
        ]
        options = ["-addext", f"subjectAltName=DNS:{name}", "-keyout", key, "-out", certificate]
        subprocess.run([*request, *options], check=True, capture_output=True)
        files = {"tls.key": key, "tls.crt": certificate}
        data = {one: base64.b64encode(path.read_bytes()).decode() for one, path in files.items()}
        self.cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tls"}, "data": data})
        return certificate

    def deploy(self, app: str, replicas: int = 1, **pod: Any) -> list[PodObject]:
        """Create a Deployment of Envoys that read ConfigMap `app`; return its pods when all are ready."""
        labels = {"app": app}
        template = {"metadata": {"labels": labels}, "spec": pod_spec(app) | pod}
        spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
        self.cluster.apply(
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": app}, "spec": spec}
        )
        return self.ready(app, replicas)

    def ready(self, app: str, replicas: int) -> list[PodObject]:
        def look() -> list[PodObject]:
            found = list(select_ready(self.cluster.list("Pod", f"app={app}")).ready)
            return found if len(found) == replicas else []

        return until(look, f"{replicas} pods of {app} ready", 120)

    def names(self, app: str) -> list[str]:
        return [pod_name(one) for one in self.cluster.list("Pod", f"app={app}")]

    def token(self, account: str) -> str:
        """Return the token of a Secret of type service-account-token, which the cluster creates."""

        def look() -> str:
            secret = self.cluster.get("Secret", account) or {}
            return base64.b64decode(secret.get("data", {}).get("token", "")).decode()

        return until(look, f"the token of {account}")


def pod_spec(config: str) -> dict[str, Any]:
    return {
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 101,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "envoy",
                "image": IMAGE,
                "command": ["envoy"],
                "args": ["-c", "/etc/shop/envoy.json", "--concurrency", "1", "--log-level", "warning"],
                "ports": [{"name": "http", "containerPort": 8080}, {"name": "admin", "containerPort": 9901}],
                "readinessProbe": {"httpGet": {"path": "/", "port": 8081}, "periodSeconds": 1},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [
                    {"name": "config", "mountPath": "/etc/shop"},
                    {"name": "tls", "mountPath": "/etc/tls"},
                ],
            }
        ],
        "volumes": [
            {"name": "config", "configMap": {"name": config}},
            {"name": "tls", "secret": {"secretName": "tls", "optional": True}},
        ],
    }


def address(host: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}


def http_filter(name: str, kind: str, **config: Any) -> dict[str, Any]:
    return {"name": name, "typed_config": {"@type": f"{TYPE}.{kind}", **config}}


def http_listener(
    name: str,
    host: str,
    port: int,
    route: dict[str, Any],
    filters: tuple[dict[str, Any], ...] = (),
    tls: bool = False,
) -> dict[str, Any]:
    """Return a listener with one route, which adds the header x-served-by with the name of the pod."""
    router = http_filter("router", "filters.http.router.v3.Router")
    served_by = {"header": {"key": "x-served-by", "value": "%ENVIRONMENT(HOSTNAME)%"}}
    manager = http_filter(
        "http",
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=name,
        route_config={
            "response_headers_to_add": [served_by],
            "virtual_hosts": [
                {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, **route}]}
            ],
        },
        http_filters=[*filters, router],
    )
    chain: dict[str, Any] = {"filters": [manager]}
    if tls:
        files = {
            "certificate_chain": {"filename": "/etc/tls/tls.crt"},
            "private_key": {"filename": "/etc/tls/tls.key"},
        }
        chain["transport_socket"] = http_filter(
            "tls",
            "transport_sockets.tls.v3.DownstreamTlsContext",
            common_tls_context={"tls_certificates": [files], "alpn_protocols": ["http/1.1"]},
        )
    return {"name": name, "address": address(host, port), "filter_chains": [chain]}


def bootstrap(*listeners: dict[str, Any], admin: int = 9901, probed: str = "0.0.0.0") -> dict[str, Any]:
    """Return a bootstrap whose admin interface is on the loopback of the pod; a cluster `admin` leads there, too.

    The kubelet probes a separate listener, so that the statistics of the others count only the traffic of tests.
    """
    endpoint = {"lb_endpoints": [{"endpoint": {"address": address("127.0.0.1", admin)}}]}
    assignment = {"cluster_name": "admin", "endpoints": [endpoint]}
    return {
        "node": {"id": "shop", "cluster": "shop"},
        "admin": {"address": address("127.0.0.1", admin)},
        "static_resources": {
            "listeners": [*listeners, http_listener("probed", probed, 8081, direct_response("ready"))],
            "clusters": [{"name": "admin", "load_assignment": assignment}],
        },
    }


def direct_response(text: str) -> dict[str, Any]:
    return {"direct_response": {"status": 200, "body": {"inline_string": text}}}
