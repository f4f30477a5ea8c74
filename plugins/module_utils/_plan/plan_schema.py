# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The schema of a plan: plain data that JSON represents exactly.

docs/plan.md is generated from these types by tools/docs/plan_reference.py: the first line of each docstring describes the
type, and its `Attributes` section describes each key. A key of a class with `total=False` is optional.
More than 300 lines, because most of it is the description of each key.
`Optional` instead of `| None`, because _deploy/plan_input.py evaluates the annotations, also on Python 3.9.
"""

from __future__ import annotations

from typing import Any, Literal, Optional, TypedDict

ProbeKind = Literal["http", "tcp", "none"]
Protocol = Literal["tcp", "udp"]
EndpointFormat = Literal["envoy", "prometheus", "promql"]


class _FileOptions(TypedDict, total=False):
    encoding: Literal["base64"]
    source: str


class PlannedFile(_FileOptions):
    """One file of the deployment folder.

    Attributes:
        path: Path relative to the deployment folder.
        content: Text of the file, or its bytes in the stated encoding.
        encoding: Encoding of `content`. Without it, `content` is text.
        source: File of the author that this one is a copy of, line by line. Errors name it.
        mode: Permissions as an octal string, such as `0644`.
        live: Name of the proxy that watches the file and applies changes while it runs. Null: the file is read only at start.
        host: Name of the host that the file is written on.
        sensitive: Whether the file has secrets: no diff, result or ConfigMap contains it.
    """

    path: str
    content: str
    mode: str
    live: Optional[str]
    host: str
    sensitive: bool


class PlannedDirectory(TypedDict):
    """One directory of the deployment folder that no file creates.

    Attributes:
        path: Path relative to the deployment folder.
        mode: Permissions as an octal string, such as `0700`.
        host: Name of the host that the directory is created on.
    """

    path: str
    mode: str
    host: str


class _CertificateTimes(TypedDict, total=False):
    days: int
    renew_days: int


class Certificate(_CertificateTimes):
    """One certificate, which the host creates and signs with the certificate authority of the deployment.

    Attributes:
        path: Directory for `tls.crt`, `tls.key` and `ca.crt`, relative to the deployment folder.
        names: DNS names of the certificate (subject alternative names).
        addresses: IP addresses of the certificate (subject alternative names).
        mode: Permissions of `tls.key` as an octal string.
        host: Name of the host that creates the certificate.
        days: Number of days that the certificate is valid. 365 by default.
        renew_days: Number of days before its end at which a run renews the certificate. 30 by default.
    """

    path: str
    names: list[str]
    addresses: list[str]
    mode: str
    host: str


class CheckFile(TypedDict):
    """One file that exists only while a check runs.

    Attributes:
        path: Path relative to the staged copy of the deployment folder.
        content: Text of the file.
    """

    path: str
    content: str


class CheckSource(TypedDict):
    """The part of the demo file that a proxy is generated from. Errors name its keys.

    Attributes:
        file: Name of the demo file.
        key: Key of the proxy, such as `proxies.edge`.
        lines: Line of each key below it, relative to it, such as `listeners.http`. The line of an empty key is that of `key`.
    """

    file: str
    key: str
    lines: dict[str, int]


class _CheckOptions(TypedDict, total=False):
    directory: str
    version: str
    elsewhere: bool
    volumes: list[VolumeData]
    source: CheckSource


class Check(_CheckOptions):
    """One validation command. It runs in a staged copy of the deployment folder before anything changes.

    Attributes:
        name: Name of the proxy, or `statsd_exporter`.
        image: Container image that the command runs in. Null: the command runs on the host.
        command: Program and arguments.
        files: Files that exist only while the check runs.
        validated_files: Paths of the deployed files that the check validates. Errors are reported with their lines.
        version: Envoy version that the executable or the image must have.
        volumes: Volumes that the container of the command sees.
        elsewhere: Whether the configuration runs on another machine, which can have files that this host does not have.
        source: Key of the proxy in the demo file, with the lines of its keys.
        directory: Working directory of the command, relative to the staged copy. The default is the copy itself.
        host: Name of the host that runs the check.
    """

    name: str
    image: Optional[str]
    command: list[str]
    files: list[CheckFile]
    validated_files: list[str]
    host: str


class MountData(TypedDict):
    """One directory of the deployment folder that a container sees.

    Attributes:
        source: Path relative to the deployment folder, or an absolute path of the host.
        target: Absolute path in the container.
        writable: Whether the container can write to the directory.
    """

    source: str
    target: str
    writable: bool


class VolumeData(TypedDict):
    """One volume outside the deployment folder, which a container sees.

    Attributes:
        kind: `empty`, `host`, `config_map`, `secret` or `claim`.
        target: Absolute path in the container.
        name: Path on the host, or name of the object in the cluster. Empty for an empty directory.
        writable: Whether the container can write to it.
    """

    kind: str
    target: str
    name: str
    writable: bool


class PortData(TypedDict):
    """One port that a workload listens on.

    Attributes:
        number: Port number in the network of the workload.
        published: Port number on the host, or of the Service in a cluster. Null: the port is not published.
        protocol: Transport protocol.
        name: Name of the listening port in the demo, such as `app`, `admin` or the name of a listener.
        scheme: What the port speaks: `http`, `https`, `tcp`, `tls` or `udp`.
        peers: Groups of the demo that connect to the port. A NetworkPolicy admits only these.
        metrics: Whether the port serves Prometheus metrics.
        own_certificate: Whether the port presents a certificate of the demo's author, which a router must not replace.
    """

    number: int
    published: Optional[int]
    protocol: Protocol
    name: str
    scheme: str
    peers: list[str]
    metrics: bool
    own_certificate: bool


class ProbeData(TypedDict):
    """The readiness probe of a workload.

    Attributes:
        kind: `http` expects a status below 400, `tcp` expects a connection, `none` expects that the process keeps running.
        port: Port that the probe connects to.
        path: Path of the HTTP request.
        command: Command that probes from inside the container. Null: there is none.
        host: Address that the host probes.
        private: Whether the port is on the loopback interface of the container, where only `command` reaches it.
        unix_socket: Path of a Unix socket in the deployment folder, which the host probes instead of the port. Empty: none.
    """

    kind: ProbeKind
    port: int
    path: str
    command: Optional[list[str]]
    host: str
    private: bool
    unix_socket: str


class PackagesData(TypedDict):
    """Python packages, and where the deployment installs them.

    Attributes:
        requirements: Text of a requirements file with hashes.
        base: Image that the image with the packages is built from, or Python that creates the virtual environment.
        target: Name of the image, or path of the virtual environment.
        is_pushed: Whether the image is pushed to its registry.
    """

    requirements: str
    base: str
    target: str
    is_pushed: bool


class WorkloadData(TypedDict):
    """One process, one container, or one container of each pod of a group.

    Attributes:
        name: Name of the workload, unique in the plan.
        command: Program and arguments.
        image: Container image. Empty on a platform that runs processes.
        environment: Environment variables.
        mounts: Directories that the container sees.
        volumes: Volumes of the author, besides these directories.
        ports: Ports that the workload listens on.
        probe: Readiness probe.
        network: Name of the workload whose network this workload shares. Null: it has its own network.
        directory: Working directory, relative to the deployment folder or absolute in a container.
        aliases: Further host names of the workload.
        hostname: Host name of the workload.
        user: User and group id as `uid:gid`, such as `101:101`.
        memory_mb: Memory limit in MiB. Null: no limit.
        cpus: CPU limit in cores. Null: no limit.
        init: Whether the container runs an init process.
        stop_signal: Signal that stops the workload, without `SIG`.
        stop_seconds: Seconds between the stop signal and SIGKILL.
        drain: Bash command that a pod runs before it stops. Empty: none.
        after: Names of workloads that start before this one.
        digest: Hash of all that the workload reads only at start. The workload is replaced when the hash changes.
        group: Name of the service, the proxy or the exporter in the demo.
        replicas: Number of pods that this workload stands for. 1 on a platform that plans each replica.
        container: Name of the container in its pod.
        sidecar: Whether the workload serves the workload whose pod it shares.
        host: Name of the host that runs the workload.
        holder_image: Image of the container that holds its network, on docker.
        generation: How often the workload was replaced. Its program is `NAME` for 0, and `NAME.GENERATION` for other numbers.
        replacement: How a new generation takes over: `hot_restart`, `overlap`, `stop` or `rollout`.
        packages: Python packages of the workload, which the deployment installs. Null: none.
    """

    name: str
    command: list[str]
    image: str
    environment: dict[str, str]
    mounts: list[MountData]
    volumes: list[VolumeData]
    ports: list[PortData]
    probe: ProbeData
    network: Optional[str]
    directory: str
    aliases: list[str]
    hostname: str
    user: str
    memory_mb: Optional[int]
    cpus: Optional[float]
    init: bool
    stop_signal: str
    stop_seconds: int
    drain: str
    after: list[str]
    digest: str
    group: str
    replicas: int
    container: str
    sidecar: bool
    host: str
    holder_image: str
    generation: int
    replacement: str
    packages: Optional[PackagesData]


class PodSelector(TypedDict):
    """A selection of pods and the port to connect to in each of them.

    Attributes:
        selector: Label selector, as `kubectl --selector` takes it.
        container: Name of the container in each pod.
        port: Port in the pod.
    """

    selector: str
    container: str
    port: int


class ClusterMembers(TypedDict):
    """The pods that a cluster of a proxy must find through DNS.

    Attributes:
        selector: Label selector of the pods.
        hosts: Number of pods that the cluster must find.
    """

    selector: str
    hosts: int


class ReceivedConfig(TypedDict):
    """The configuration that a proxy must have received from the control plane of a service mesh.

    Attributes:
        routes: Names of the routes.
        listeners: Number of listeners that must have these routes.
        members: Pods that each cluster must have, by the start of the name of the cluster.
    """

    routes: list[str]
    listeners: int
    members: dict[str, ClusterMembers]


class _PodAdmin(TypedDict, total=False):
    container: str
    pods: PodSelector
    members: dict[str, ClusterMembers]
    received: ReceivedConfig


class AdminEndpoint(_PodAdmin):
    """The admin interface of one proxy. It confirms live changes of the configuration.

    Attributes:
        proxy: Name of the proxy.
        url: URL of the admin interface, such as `unix:///state/edge/run/admin.sock`.
        workload: Name of the workload that runs the proxy.
        log_level: Level that the loggers of the proxy must have.
        host: Name of the host that reaches the URL.
        container: Name of the Docker container in which the URL applies.
        pods: Pods that run the proxy. The URL then applies inside each pod.
        members: Pods that each cluster of the proxy must find, by name of the cluster.
        received: Configuration that the proxy must have received from a service mesh.
    """

    proxy: str
    url: str
    workload: str
    log_level: str
    host: str


class _EndpointAddress(TypedDict, total=False):
    url: str
    selector: str
    container: str
    port: int
    path: str
    standby: list[str]


class StatsEndpoint(_EndpointAddress):
    """One endpoint that serves stats, as module envoy_stats takes it. It has a `url`, or it selects pods.

    Attributes:
        name: Name of the endpoint, such as `edge` or `web-1/app`.
        proxy: Name of the proxy that serves the stats. Null: another program serves them.
        format: Format of the stats.
        host: Name of the host that reaches the endpoint.
        url: URL of the endpoint.
        selector: Label selector of the pods that serve the endpoint.
        container: Name of the container in each pod, or of the Docker container in which the URL applies.
        port: Port in each pod.
        path: Path of the page.
        standby: Names of clusters with a standby host, which is left out of the readings.
    """

    name: str
    proxy: Optional[str]
    format: EndpointFormat
    host: str


class PublishedAddress(TypedDict):
    """One address that a user can open.

    Attributes:
        name: Name of the address, such as `edge/http`. Notes of the demo refer to it.
        url: URL of the address.
        what: What the address serves, and the command that makes it reachable where one is needed.
    """

    name: str
    url: str
    what: str


class RecordedWorkload(TypedDict):
    """One workload in the record of a deployment.

    Attributes:
        generation: How often the workload was replaced.
        digest: Hash of all that the workload reads only at start.
        threads: Number of worker threads of an Envoy. `0` for other programs.
    """

    generation: int
    digest: str
    threads: int


class RecordedNetwork(TypedDict):
    """The network of an instance.

    Attributes:
        digest: Hash of its definition. A change of the hash interrupts the instance.
        published: Published ports, such as `127.0.0.1:8080:80`. A port that the demo no longer publishes stays while nothing else needs it.
    """

    digest: str
    published: list[str]


class RecordedDeployment(TypedDict):
    """What the plan decided and a later plan must not decide differently. The deployment folder records it.

    Attributes:
        block: First port of the block of the demo.
        ports: Number on the host of each port that the planner chose, by `<instance>/<name of the port>`.
        stated: Number on the host of each port whose number the demo states.
        workloads: Workloads by name.
        networks: Network of each instance by name, on docker: the container that holds it.
        change: Name of the change that is merged over the demo. Empty: none.
        inner: Number in the network of its instance of each port whose number differs from that of the demo, on docker.
    """

    block: int
    ports: dict[str, int]
    stated: dict[str, int]
    workloads: dict[str, RecordedWorkload]
    networks: dict[str, RecordedNetwork]
    change: str
    inner: dict[str, int]


class ReplacedWorkload(TypedDict):
    """A workload that the deployment replaces.

    Attributes:
        workload: Name of the workload.
        how: How its new generation takes over: `hot_restart`, `overlap`, `stop` or `rollout`.
    """

    workload: str
    how: str


class Interruption(TypedDict):
    """A workload whose requests can fail during the deployment.

    Attributes:
        workload: Name of the workload, or of the instance whose programs all restart.
        reason: Why requests can fail.
        remedy: What avoids that.
    """

    workload: str
    reason: str
    remedy: str


class TopologyPart(TypedDict):
    """One program in a box of the topology.

    Attributes:
        title: What the program is, such as `Envoy, edge`.
        kind: `envoy`, `program`, `host` for published ports, or `outside` for an address outside the demo.
        listens: Text of each row at which arrows end, by name of the listening port.
        talks: Text of each row at which arrows begin, by name of the cluster, or by published port.
    """

    title: str
    kind: str
    listens: dict[str, str]
    talks: dict[str, str]


class TopologyBox(TypedDict):
    """One group of the demo: its program, or its program and the Envoy sidecar.

    Attributes:
        name: Name of the group. `(host)` is the host with its published ports.
        title: Title of the box.
        replicas: Number of replicas.
        parts: Programs of the box.
    """

    name: str
    title: str
    replicas: int
    parts: list[TopologyPart]


class TopologyArrow(TypedDict):
    """One connection of the topology.

    Attributes:
        source: Name of the box and of the row at which the arrow begins.
        target: Name of the box and of the row at which the arrow ends.
        stats: Whether only stats are sent.
    """

    source: list[str]
    target: list[str]
    stats: bool


class Topology(TypedDict):
    """What the picture of the demo shows. It is independent of the platform.

    Attributes:
        boxes: Boxes: the host, the groups of the demo, and addresses outside the demo.
        arrows: Connections.
        traffic: Name of the box and of the row that each traffic is sent to, by name of the traffic.
    """

    boxes: list[TopologyBox]
    arrows: list[TopologyArrow]
    traffic: dict[str, list[str]]


class Plan(TypedDict):
    """Everything that deploying and verifying one demo on one platform needs.

    Attributes:
        name: Name of the demo.
        summary: Summary of the demo, or of its change.
        notes: Commands to try, with the addresses of this platform.
        warnings: Facts about the demo that its author should know, such as an admin interface that others reach.
        replacements: Each address and path that differs between a file of an author and the copy that Envoy reads.
        platform: Name of the platform that runs the demo.
        folder: Deployment folder. All paths in the plan are relative to it.
        hosts: Names of the hosts that run the demo.
        without_replicas: Names of the services without replicas. A failed verification names them.
        trust: The certificates that the clusters with TLS accept, as text, by proxy and cluster. A failed verification names them.
        programs: Names of the roles that provide the programs.
        files: Files of the deployment folder, the platform's document included.
        directories: Directories that no file creates.
        certificates: Certificates that the hosts create.
        checks: Validation commands that run before anything changes.
        workloads: Processes and containers.
        manifests: Kubernetes objects. The Secrets of certificates are without data. Empty on a platform without an API server.
        commands: Commands that run the documents without Ansible.
        admins: Admin interfaces of the proxies.
        endpoints: Endpoints that serve stats.
        addresses: Addresses that a user can open.
        traffic: Requests to send, as module http_traffic takes them.
        during: Requests to send while a change is made, as module http_traffic takes them.
        change: Name of the change that is merged over the demo, with the number of its last step in `canary/2`. Empty: none.
        previous: The change that is deployed until now, in the same form. Null: nothing is deployed.
        rollback: Whether the demo returns to its previous state if the change fails.
        assertions: Expectations of the demo, as module envoy_stats takes them.
        topology: What the picture of the demo shows.
        deployed: What a later plan must not decide differently. The deployment folder records it.
        replaced: Workloads that the deployment replaces. Empty if the folder has no deployment.
        interruptions: Workloads whose requests can fail during the deployment.
    """

    name: str
    summary: str
    notes: list[str]
    warnings: list[str]
    replacements: list[str]
    platform: str
    folder: str
    hosts: list[str]
    without_replicas: list[str]
    trust: dict[str, dict[str, str]]
    programs: list[str]
    files: list[PlannedFile]
    directories: list[PlannedDirectory]
    certificates: list[Certificate]
    checks: list[Check]
    workloads: list[WorkloadData]
    manifests: list[dict[str, Any]]
    commands: list[str]
    admins: list[AdminEndpoint]
    endpoints: list[StatsEndpoint]
    addresses: list[PublishedAddress]
    traffic: list[dict[str, Any]]
    during: list[dict[str, Any]]
    change: str
    previous: Optional[str]
    rollback: bool
    assertions: list[dict[str, Any]]
    topology: Topology
    deployed: RecordedDeployment
    replaced: list[ReplacedWorkload]
    interruptions: list[Interruption]
