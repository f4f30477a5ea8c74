# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The node of the cluster: its addresses, its containerd, and the leftovers of pods."""

from __future__ import annotations

import ipaddress
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from . import machine, registry
from .base import STATE, LabError, run, wait_until, which, write_whole
from .processes import Process, commands, identity, stop_pid

FOLDER = STATE / "kubernetes"
NAME = "lab"
#: the parent of the cgroups of all pods
CGROUP = "meshlab-lab"
PAUSE_IMAGE = "docker.io/meshlab/pause:1"
SOCKET = FOLDER / "containerd.sock"
_CONTAINERD = FOLDER / "containerd"
_BRIDGE = "meshlab-lab"
_TABLE = "meshlab-lab"
POLICIES_TABLE = "meshlab-policies"
_CNI_NETWORK = "meshlab-lab"
#: the tables of the lab, of kube-proxy and of network-policies
_TABLES = (("ip", "kube-proxy"), ("ip6", "kube-proxy"), ("ip", POLICIES_TABLE), ("ip", _TABLE))
process = Process("containerd")

NETWORK = ipaddress.ip_network(os.environ.get("MESHLAB_LAB_KUBERNETES_NETWORK") or "10.213.0.0/16")
#: three parts of NETWORK, for the node, services and pods
NODES, SERVICES, PODS = list(NETWORK.subnets(prefixlen_diff=2))[:3]
ADDRESS = str(NODES[1])


def check_other_labs() -> None:
    """Raise LabError if the containerd of a lab with another state folder runs: it uses the same network."""
    for pid, configuration in _other_containerds():
        raise LabError(
            f"A lab with another state folder runs (containerd has pid {pid} and the configuration {configuration}). "
            "Stop it first: run tests/lab/down with the HOME or MESHLAB_LAB_STATE of that lab."
        )


def up() -> None:
    """Configure the address of the node and the forwarding for pods, and start containerd."""
    if process.pid is None and not _pod_processes():
        # A lab that was killed with all its processes leaves the links, and routes to addresses that new pods get.
        _remove_pod_links()
    _network()
    if process.pid is None:
        _configure()
        process.start(
            ["containerd", "--config", _CONTAINERD / "config.toml"],
            ready=lambda: not run([which("ctr"), "--address", SOCKET, "version"], check=False).returncode,
        )


def down() -> None:
    """Kill every pod, stop containerd, and remove their files and rules."""
    _end_pods()
    process.stop()
    for pid in _shims():
        _kill(pid)
    for path in (*_shim_sockets(), *_network_records(), *_log_links()):
        path.unlink(missing_ok=True)
    machine.unmount(FOLDER)
    _remove_pod_links()
    wait_until(
        lambda: not _ip("route", "show", "root", PODS),
        10,
        lambda: f"This machine still has routes to pods in {PODS} after 10 s.",
    )
    for family, table in _TABLES:
        run([which("nft"), "delete", "table", family, table], check=False)
    for rule in _forward_rules():
        run([which("iptables"), "-w", "-D", "FORWARD", *rule], check=False)
    _ip("link", "delete", _BRIDGE, check=False)
    for root in _cgroups():
        machine.remove_empty(
            [*sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True), root]
        )


# --- network ---


def _ip(*arguments: object, check: bool = True) -> str:
    return run([which("ip"), *arguments], check=check).stdout


def _network() -> None:
    if not Path("/sys/class/net", _BRIDGE).exists():
        taken = [
            entry["dst"]
            for entry in json.loads(_ip("-json", "-4", "route", "show"))
            if entry["dst"] != "default" and ipaddress.ip_network(entry["dst"]).overlaps(NETWORK)
        ]
        if taken:
            raise LabError(
                f"This machine has a route to {taken[0]}. Set MESHLAB_LAB_KUBERNETES_NETWORK to an unused network such as {NETWORK}."
            )
        # No interface is attached: pods have point-to-point links, so that this machine routes and filters all their packets.
        _ip("link", "add", _BRIDGE, "type", "bridge")
        _ip("address", "add", f"{ADDRESS}/{NODES.prefixlen}", "dev", _BRIDGE)
        _ip("link", "set", _BRIDGE, "up")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1", encoding="utf-8")
    rules = f"""
        table ip {_TABLE}
        delete table ip {_TABLE}
        table ip {_TABLE} {{
          chain outwards {{
            type nat hook postrouting priority srcnat; policy accept;
            ip saddr {PODS} ip daddr != {NETWORK} masquerade
          }}
        }}"""
    run([which("nft"), "-f", "-"], input=rules, stdin=None)
    # dockerd sets the policy of the chain FORWARD to drop.
    for rule in _forward_rules():
        if run([which("iptables"), "-w", "-C", "FORWARD", *rule], check=False).returncode:
            run([which("iptables"), "-w", "-A", "FORWARD", *rule])


def _remove_pod_links() -> None:
    """Remove the links of pods, and with them the routes to the pods."""
    for route in json.loads(_ip("-json", "route", "show", "root", PODS)):
        _ip("link", "delete", route["dev"], check=False)


def _forward_rules() -> list:
    return [[side, str(PODS), "-j", "ACCEPT"] for side in ("-s", "-d")]


# --- containerd ---


def _configure() -> None:
    write_whole(
        _CONTAINERD / "config.toml",
        f"""\
version = 2
root = "{_CONTAINERD}/root"
state = "{_CONTAINERD}/state"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp"]

[grpc]
address = "{SOCKET}"

[plugins."io.containerd.internal.v1.opt"]
path = "{_CONTAINERD}/opt"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE_IMAGE}"
stream_server_address = "127.0.0.1"
netns_mounts_under_state_dir = true
# Some machines do not permit a lower oom_score_adj.
restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
Root = "{_CONTAINERD}/runc"

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{_CONTAINERD}/cni"

[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "{_CONTAINERD}/certs.d"
""",
    )
    # The registry is a mirror of Docker Hub for pods too. containerd pulls missing images from Docker Hub.
    mirror = f'[host."http://{registry.ADDRESS}"]\ncapabilities = ["pull", "resolve"]\n'
    write_whole(
        _CONTAINERD / "certs.d/docker.io/hosts.toml", f'server = "https://registry-1.docker.io"\n\n{mirror}'
    )
    addresses = {"type": "host-local", "dataDir": str(_CONTAINERD / "addresses")}
    network = {
        "type": "ptp",
        "ipam": {**addresses, "ranges": [[{"subnet": str(PODS)}]], "routes": [{"dst": "0.0.0.0/0"}]},
    }
    write_whole(
        _CONTAINERD / "cni/10-lab.conflist",
        json.dumps({"cniVersion": "0.4.0", "name": _CNI_NETWORK, "plugins": [network]}, indent=2),
    )


# --- leftovers of pods ---


def make_cgroup() -> None:
    """Create the cgroup that kubelet requires, in every hierarchy of cgroup v1 or in the one of v2."""
    for hierarchy in _hierarchies():
        (hierarchy / CGROUP).mkdir(exist_ok=True)


def _hierarchies() -> list:
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.procs").exists():
        return [root]
    return [path for path in root.iterdir() if (path / "cgroup.procs").exists() and not path.is_symlink()]


def _cgroups() -> list:
    return [path / CGROUP for path in _hierarchies() if (path / CGROUP).is_dir()]


def _end_pods() -> None:
    for _attempt in range(3):
        found = _pod_processes()
        for pid in found:
            _kill(pid)
        if not found:
            break


def _pod_processes() -> list:
    """Return the ids of all processes in pods."""
    return [
        int(pid)
        for root in _cgroups()
        for tasks in root.rglob("cgroup.procs")
        for pid in tasks.read_text(encoding="utf-8").split()
    ]


def _kill(pid: int) -> None:
    """Kill a process, unless its id has been reused."""
    known = identity(pid)
    if known:
        stop_pid(pid, 5, still_ours=lambda: identity(pid) == known, first=signal.SIGKILL)


def _shims() -> list:
    """Return the shims of the lab's containerd."""
    return [
        pid
        for pid, command in commands()
        if Path(command[0]).name.startswith("containerd-shim") and str(SOCKET) in command
    ]


def _other_containerds() -> Iterator[tuple[int, str]]:
    """Yield the process id and the configuration of each containerd of another lab."""
    ours = _CONTAINERD / "config.toml"
    for pid, command in commands():
        if Path(command[0]).name == "containerd" and "--config" in command:
            configuration = Path(command[command.index("--config") + 1])
            if configuration != ours and configuration.parts[-3:] == ours.parts[-3:]:
                yield pid, str(configuration)


def _shim_sockets() -> list:
    """Return the sockets of the shims, which are outside containerd's folders under names from its records."""
    return [
        Path(record.read_text(encoding="utf-8").removeprefix("unix://"))
        for record in (_CONTAINERD / "state").glob("io.containerd.runtime.v2.task/*/*/address")
    ]


def _network_records() -> list:
    """Return the CNI records of each pod: of the lab's network and of its loopback."""
    records = Path("/var/lib/cni/results")
    return [
        path
        for ours in records.glob(f"{_CNI_NETWORK}-*-eth0")
        for path in (ours, records / ours.name.replace(_CNI_NETWORK, "cni-loopback").replace("eth0", "lo"))
    ]


def _log_links() -> list:
    """Return the links to container logs that kubelet leaves in /var/log/containers."""
    links = Path("/var/log/containers").glob("*.log")
    return [path for path in links if path.is_symlink() and os.readlink(path).startswith(f"{FOLDER}/")]
