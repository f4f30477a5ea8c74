# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cluster that the tests use: the one of KUBECONFIG, or else a cluster of the lab with one node."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import ssl
import urllib.error
import urllib.request
from pathlib import Path

from . import artefacts, debian, machine, node
from .base import LabError, log, require_root, run, which, write_whole
from .certificates import Authority
from .node import ADDRESS, FOLDER, NAME, PODS, SERVICES
from .processes import Process

MANIFESTS = artefacts.KUBERNETES.folder / "manifests"
KUBECONFIG = FOLDER / "kubeconfig"
_SERVER = f"https://{ADDRESS}:6443"
_DNS_ADDRESS = str(SERVICES[10])
_DNS_PORT = 10053
_DNS_READY_PORT = 10054
_PROXY_HEALTH_PORT = 10256
_POLICIES_PORT = 10055
_authority = Authority(FOLDER / "pki")

#: in the order of their start; node.py starts containerd
_PROGRAMS = (
    *("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"),
    *("kubelet", "kube-proxy", "coredns", "network-policies"),
)
_processes = {name: Process(name) for name in _PROGRAMS}


def is_ours() -> bool:
    """Return whether the lab's API server runs."""
    return _processes["kube-apiserver"].pid is not None


def is_named() -> bool:
    """Return whether KUBECONFIG names a cluster other than the lab's."""
    named = os.environ.get("KUBECONFIG")
    return bool(named) and Path(named).resolve() != KUBECONFIG.resolve()


def answers() -> bool:
    """Return whether the cluster of KUBECONFIG, or else the lab's, is ready."""
    if not is_named():
        return is_ours() and _get(f"{_SERVER}/readyz") == 200
    client = which("kubectl") or which("oc")
    if not client:
        raise LabError("KUBECONFIG is set, but neither kubectl nor oc is in PATH. Install one of them.")
    return not run([client, "--request-timeout=10s", "get", "--raw", "/readyz"], check=False).returncode


def pids() -> dict:
    """Return the process id of each program; None for a program that does not run."""
    return {process.name: process.pid for process in (node.process, *_processes.values())}


def up() -> None:
    """Start the programs that do not run. The registry must have the images."""
    require_root("start a Kubernetes node")
    debian.require("containerd", "runc", "/usr/lib/cni/ptp", "iptables", "nft", "ip", "openssl")
    folder = artefacts.KUBERNETES.built()
    if all(pids().values()):
        _apply_schemas(folder / "kubectl")
        return
    machine.remember()
    log(f"starting Kubernetes on {ADDRESS}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    FOLDER.chmod(0o700)
    _certify()
    commands = {
        name: [folder / name, *(f"--{option}={value}" for option, value in options.items())]
        for name, options in _options().items()
    }
    _launch(commands, "etcd")
    node.up()
    node.make_cgroup()
    _launch(commands, "kube-apiserver")
    _processes["kube-apiserver"].wait(lambda: _get(f"{_SERVER}/readyz") == 200, 120)
    _launch(commands, *_PROGRAMS[2:])
    _apply(folder / "kubectl")
    _processes["kubelet"].wait(_node_is_ready, 120)
    _processes["kube-controller-manager"].wait(_has_service_account, 60)
    for name, port, path in (
        ("kube-proxy", _PROXY_HEALTH_PORT, "healthz"),
        ("coredns", _DNS_READY_PORT, "ready"),
        ("network-policies", _POLICIES_PORT, "ready"),
    ):
        _processes[name].wait(lambda port=port, path=path: _get(f"http://{ADDRESS}:{port}/{path}") == 200, 60)


def down() -> None:
    """Kill the pods and programs, and remove their devices, rules, mounts and files."""
    if not FOLDER.exists():
        return
    require_root("stop the lab's Kubernetes")
    # In the reverse order of the start, so that no program misses another, and no program starts a pod again.
    for name in reversed(_PROGRAMS):
        _processes[name].stop(5)
    node.down()
    machine.remove_strays("kubernetes")
    for process in (node.process, *_processes.values()):
        process.log.unlink(missing_ok=True)
    shutil.rmtree(FOLDER)


def kubectl() -> Path:
    """Return the path of a kubectl of the cluster's version, built if necessary."""
    return artefacts.KUBERNETES.built().with_name("kubectl")


def _launch(commands: dict, *names: str) -> None:
    for name in names:
        if _processes[name].pid is None:
            _processes[name].launch(commands[name])


# --- certificates and permissions ---


def _certify() -> None:
    _authority.make()
    _authority.signing_key("service-accounts")
    node_names = [f"IP:{ADDRESS}", f"DNS:{NAME}"]
    service = [
        f"DNS:kubernetes{rest}" for rest in ("", ".default", ".default.svc", ".default.svc.cluster.local")
    ]
    _authority.certify("etcd", "etcd", addresses=node_names)
    _authority.certify(
        "kube-apiserver", "lab:kube-apiserver", addresses=[*node_names, *service, f"IP:{SERVICES[1]}"]
    )
    _authority.certify("kubelet", f"system:node:{NAME}", "system:nodes", addresses=node_names)
    _authority.certify("kube-controller-manager", "system:kube-controller-manager", addresses=node_names)
    _authority.certify("kube-scheduler", "system:kube-scheduler", addresses=node_names)
    _authority.certify("kube-proxy", "system:kube-proxy")
    _authority.certify("coredns", "lab:coredns")
    _authority.certify("network-policies", "lab:network-policies")
    _authority.certify("admin", "lab:admin", "system:masters")
    for name in _PROGRAMS[2:]:
        _write_kubeconfig(FOLDER / f"{name}.kubeconfig", name)
    _write_kubeconfig(KUBECONFIG, "admin")


def _write_kubeconfig(path: Path, name: str) -> None:
    """Write a kubeconfig with embedded certificates, which works on other machines too."""

    def read(file: Path) -> str:
        return base64.b64encode(file.read_bytes()).decode()

    cluster = {"server": _SERVER, "certificate-authority-data": read(_authority.certificate)}
    user = {
        "client-certificate-data": read(_authority.crt(name)),
        "client-key-data": read(_authority.private(name)),
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": name}}],
        "current-context": "lab",
    }
    write_whole(path, json.dumps(config, indent=2), mode=0o600)  # JSON is valid YAML


# --- programs ---


def _options() -> dict:
    """Return the options of each program. All programs listen only on the node's address."""

    def pair(name: str, certificate: str, key: str) -> dict:
        return {certificate: _authority.crt(name), key: _authority.private(name)}

    authority = _authority.certificate
    etcd = f"https://{ADDRESS}:2379"
    peer = f"https://{ADDRESS}:2380"
    accounts = _authority.signing_key("service-accounts")
    return {
        "etcd": {
            "name": NAME,
            "data-dir": FOLDER / "etcd",
            "listen-client-urls": etcd,
            "advertise-client-urls": etcd,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"{NAME}={peer}",
            "client-cert-auth": "true",
            "trusted-ca-file": authority,
            **pair("etcd", "cert-file", "key-file"),
            "peer-client-cert-auth": "true",
            "peer-trusted-ca-file": authority,
            **pair("etcd", "peer-cert-file", "peer-key-file"),
            "unsafe-no-fsync": "true",  # the data need not survive a crash of the machine
        },
        "kube-apiserver": {
            "bind-address": ADDRESS,
            "advertise-address": ADDRESS,
            "secure-port": "6443",
            "etcd-servers": etcd,
            "etcd-cafile": authority,
            **pair("etcd", "etcd-certfile", "etcd-keyfile"),
            "client-ca-file": authority,
            **pair("kube-apiserver", "tls-cert-file", "tls-private-key-file"),
            "anonymous-auth": "false",
            "authorization-mode": "Node,RBAC",
            "enable-admission-plugins": "NodeRestriction",
            "feature-gates": "MutatingAdmissionPolicy=true",
            "runtime-config": "admissionregistration.k8s.io/v1beta1=true",
            "service-cluster-ip-range": SERVICES,
            "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
            "service-account-key-file": accounts,
            "service-account-signing-key-file": accounts,
            "kubelet-certificate-authority": authority,
            **pair("kube-apiserver", "kubelet-client-certificate", "kubelet-client-key"),
            "kubelet-preferred-address-types": "InternalIP",
            "allow-privileged": "true",
        },
        "kube-controller-manager": {
            **_component("kube-controller-manager"),
            "root-ca-file": authority,
            "service-account-private-key-file": accounts,
            "use-service-account-credentials": "true",
            "cluster-signing-cert-file": authority,
            "cluster-signing-key-file": _authority.key,
        },
        "kube-scheduler": _component("kube-scheduler"),
        "kubelet": {
            "config": _kubelet_configuration(),
            "kubeconfig": FOLDER / "kubelet.kubeconfig",
            "root-dir": FOLDER / "kubelet",
            "cert-dir": FOLDER / "kubelet/pki",
            "hostname-override": NAME,
            "node-ip": ADDRESS,
        },
        "kube-proxy": {"config": _proxy_configuration()},
        "coredns": {"conf": _corefile()},
        "network-policies": {
            "kubeconfig": FOLDER / "network-policies.kubeconfig",
            "ready-address": f"{ADDRESS}:{_POLICIES_PORT}",
            "table": node.POLICIES_TABLE,
        },
    }


def _component(name: str) -> dict:
    kubeconfig = FOLDER / f"{name}.kubeconfig"
    return {
        "kubeconfig": kubeconfig,
        "authentication-kubeconfig": kubeconfig,
        "authorization-kubeconfig": kubeconfig,
        "client-ca-file": _authority.certificate,
        "tls-cert-file": _authority.crt(name),
        "tls-private-key-file": _authority.private(name),
        "bind-address": ADDRESS,
        "leader-elect": "false",
    }


def _configuration(name: str, group: str, version: str, kind: str, content: dict) -> Path:
    path = FOLDER / f"{name}.json"
    write_whole(path, json.dumps({"apiVersion": f"{group}/{version}", "kind": kind, **content}, indent=2))
    return path


def _kubelet_configuration() -> Path:
    return _configuration(
        "kubelet",
        "kubelet.config.k8s.io",
        "v1beta1",
        "KubeletConfiguration",
        {
            "address": ADDRESS,
            "healthzBindAddress": ADDRESS,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(_authority.certificate)},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(_authority.crt("kubelet")),
            "tlsPrivateKeyFile": str(_authority.private("kubelet")),
            "containerRuntimeEndpoint": f"unix://{node.SOCKET}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{node.CGROUP}",
            "makeIPTablesUtilChains": False,  # kubelet would leave them, and kube-proxy needs none
            "failCgroupV1": False,
            "failSwapOn": False,
            "oomScoreAdj": 0,
            "clusterDNS": [_DNS_ADDRESS],
            "clusterDomain": "cluster.local",
            "podLogsDir": str(FOLDER / "logs"),
            "volumePluginDir": str(FOLDER / "kubelet/volume-plugins"),
            "serializeImagePulls": False,
            # Tests must run on a nearly full disk.
            "evictionHard": {
                "memory.available": "100Mi",
                "nodefs.available": "0%",
                "imagefs.available": "0%",
            },
            "imageGCHighThresholdPercent": 100,
        },
    )


def _proxy_configuration() -> Path:
    return _configuration(
        "kube-proxy",
        "kubeproxy.config.k8s.io",
        "v1alpha1",
        "KubeProxyConfiguration",
        {
            "mode": "nftables",
            "clientConnection": {"kubeconfig": str(FOLDER / "kube-proxy.kubeconfig")},
            "hostnameOverride": NAME,
            "bindAddress": ADDRESS,
            "healthzBindAddress": f"{ADDRESS}:{_PROXY_HEALTH_PORT}",
            "metricsBindAddress": f"{ADDRESS}:10249",
            "clusterCIDR": str(PODS),
            "detectLocalMode": "ClusterCIDR",
            "oomScoreAdj": 0,
            # kube-proxy must not change the settings of the machine.
            "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
            "nftables": {"minSyncPeriod": "0.1s"},
        },
    )


def _corefile() -> Path:
    path = FOLDER / "Corefile"
    has_upstream = False
    with contextlib.suppress(OSError):
        has_upstream = "nameserver" in Path("/etc/resolv.conf").read_text(encoding="utf-8")
    # As with kubeadm, names of the cluster are not cached, so that new and deleted services are visible at once.
    write_whole(
        path,
        f"""\
.:{_DNS_PORT} {{
  bind {ADDRESS}
  errors
  ready {ADDRESS}:{_DNS_READY_PORT}
  kubernetes cluster.local in-addr.arpa ip6.arpa {{
    kubeconfig {FOLDER}/coredns.kubeconfig
    pods insecure
    fallthrough in-addr.arpa ip6.arpa
    ttl 5
  }}
  {"forward . /etc/resolv.conf" if has_upstream else ""}
  cache 5 {{
    disable success cluster.local
    disable denial cluster.local
  }}
  loadbalance
}}
""",
    )
    return path


# --- objects of the cluster ---


def _apply(kubectl: Path) -> None:
    """Apply the manifests of ../kubernetes, the service of CoreDNS, and the schemas of other projects."""
    write_whole(
        FOLDER / "dns.json", json.dumps({"apiVersion": "v1", "kind": "List", "items": _dns_service()})
    )
    _apply_files(kubectl, MANIFESTS, FOLDER / "dns.json")
    _apply_schemas(kubectl)


def _apply_schemas(kubectl: Path) -> None:
    """Apply the schemas of the Gateway API and of Istio, unless this cluster has them."""
    files = [*artefacts.GATEWAY_API_CRDS.files(), *artefacts.ISTIO_CRDS.files()]
    applied, names = FOLDER / "schemas.txt", "\n".join(map(str, files))
    if not applied.exists() or applied.read_text(encoding="utf-8") != names:
        _apply_files(kubectl, *files)
        crds = ["crd", "--all", "--for=condition=Established", "--timeout=60s"]
        run([kubectl, "--kubeconfig", KUBECONFIG, "wait", *crds])
        write_whole(applied, names)


def _apply_files(kubectl: Path, *files: Path) -> None:
    options = ["--server-side", "--force-conflicts", "--field-manager=lab"]
    sources = [f"--filename={file}" for file in files]
    run([kubectl, "--kubeconfig", KUBECONFIG, "apply", *options, *sources])


def _dns_service() -> list:
    """Return the service of CoreDNS, which is a process and not a pod, so the endpoint is the node's address."""
    ports = [{"name": name, "protocol": protocol} for name, protocol in (("dns", "UDP"), ("dns-tcp", "TCP"))]
    metadata = {"name": "kube-dns", "namespace": "kube-system"}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {**metadata, "labels": {"k8s-app": "kube-dns"}},
            "spec": {"clusterIP": _DNS_ADDRESS, "ports": [{**port, "port": 53} for port in ports]},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**metadata, "labels": {"kubernetes.io/service-name": "kube-dns"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [ADDRESS]}],
            "ports": [{**port, "port": _DNS_PORT} for port in ports],
        },
    ]


def _node_is_ready() -> bool:
    found = _object(f"/api/v1/nodes/{NAME}")
    conditions = {one["type"]: one["status"] for one in found.get("status", {}).get("conditions", ())}
    return conditions.get("Ready") == "True" and not found["spec"].get("taints")


def _has_service_account() -> bool:
    return bool(_object("/api/v1/namespaces/default/serviceaccounts/default"))


# --- requests to the API server as admin ---


def _open(url: str):
    context = None
    if url.startswith("https:"):
        context = ssl.create_default_context(cafile=_authority.certificate)
        context.load_cert_chain(_authority.crt("admin"), _authority.private("admin"))
    handlers = [urllib.request.ProxyHandler({})]
    if context:
        handlers.append(urllib.request.HTTPSHandler(context=context))
    return urllib.request.build_opener(*handlers).open(url, timeout=5)


def _get(url: str) -> int | None:
    """Return the status of the response; None without a response."""
    try:
        with _open(url) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def _object(path: str) -> dict:
    """Return the object at a path of the API; {} if it does not exist."""
    try:
        with _open(_SERVER + path) as response:
            return json.load(response)
    except OSError:
        return {}
