# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the modules that read or change Envoys: the endpoints, and the time limits."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments of the options that modules share."""

    # ENDPOINT_ARGS in module_utils/_endpoints/endpoint_options.py.
    DOCUMENTATION = r"""
options:
  endpoints:
    description:
      - Endpoints to connect to, several at the same time.
      - Either this or O(url) is required.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - Name of the endpoint in assertions, results and messages. Each endpoint needs its own name.
          - The default is the name of the container, the namespace and selector of the pods, or O(endpoints[].url) without its scheme and
            query.
          - For pods it is the name of all pods together. Each pod is an endpoint of its own, with the name of the pod. If that name is
            taken, for example by an entry for another port of the pods, the endpoint's name is V(name/pod).
        type: str
      proxy:
        description: Name of the proxy that the endpoint belongs to, as in a plan. It is informational.
        type: str
      host:
        description: Name of the host that reaches the endpoint, as in a plan. It is informational.
        type: str
      standby:
        description:
          - Names of clusters with a standby host, as in a plan for Kubernetes. A standby host has the health status C(DEGRADED) and a
            priority above 0, so Envoy uses it only while the cluster has no other host.
          - The readings of an admin interface do not include this host. It has no stats of its own, is not in the source V(clusters), and
            does not count in C(membership_total) and C(membership_degraded). So an expectation about the hosts of a cluster is the same
            on each platform.
        type: list
        elements: str
      url:
        description:
          - Address of an admin interface, V(http://host:port), V(https://host:port), V(unix:///run/envoy/admin.sock) or
            V(unix://~/admin.sock). V(unix://@name) is an abstract socket. The path of a socket can be longer than the kernel's limit of
            107 bytes.
          - For O(endpoints[].format=prometheus), the address of the page, with the default path V(/metrics). On a Unix socket, the path of
            the page follows a colon, as in V(unix:///run/app.sock:/metrics).
          - With O(endpoints[].container), the address inside that container. The default is V(http://127.0.0.1:9901).
        type: str
      container:
        description:
          - Name or ID of a Docker container in which the connection is opened. Use it for an admin interface on the loopback address of
            the container.
          - The connection uses C(docker exec) and a program of the image, C(bash), C(python3) or C(nc). C(DOCKER_HOST) selects the daemon.
          - With O(endpoints[].selector), the name of a container of the pods. A pod is then ready when this container is ready.
        type: str
      namespace:
        description: Namespace of the pods. The default is the namespace of O(cluster).
        type: str
      selector:
        description:
          - Label selector of pods, such as V(app=web). Each selected pod that is ready is an endpoint. The pods are looked up again for
            each snapshot. A pod that is not ready causes a warning.
          - Connections use the API server's port-forward, so they reach an admin interface on the loopback address of the pod. O(cluster)
            selects the cluster. The user needs the rights C(get) and C(list) for pods, and C(get) and C(create) for
            C(pods/portforward).
          - A pod that is deleted while it is read fails with C(unreachable). A pod that was deleted after
            O(meshlab.envoy.envoy_stats#module:since) takes its counts with it, so a difference fails with C(restarted). A pod that
            started after it counts from 0.
        type: str
      port:
        description: Port in the pods, by number or by the name in the spec of the pod. The default is V(9901).
        type: str
      path:
        description:
          - For O(endpoints[].format=prometheus), path of the page in the pods. The default is V(/metrics).
          - For an admin interface, the path before C(/stats).
        type: str
      format:
        description:
          - V(envoy) is an admin interface. V(prometheus) is a page in Prometheus' text format.
          - V(promql) is a Prometheus server, for O(meshlab.envoy.envoy_stats#module:assertions[].promql). The path before C(/api/v1) is
            part of the address.
        type: str
        choices: [envoy, prometheus, promql]
        default: envoy
      headers:
        description:
          - Header fields to send, such as C(authorization).
          - The values are secret. Ansible removes them from results and logs.
        type: dict
      ca_path:
        description:
          - Path to the CA certificates that verify the certificate of an V(https) server. By default those of the system are used.
        type: path
      client_cert:
        description: Path to the client certificate for a server that requires one.
        type: path
      client_key:
        description: Path to the key of O(endpoints[].client_cert). Leave it out if the certificate's file contains the key.
        type: path
      validate_certs:
        description: Whether to verify the certificate of an V(https) server.
        type: bool
        default: true
  url:
    description:
      - Address of one admin interface, instead of O(endpoints). The name of the endpoint is V(envoy).
    type: str
  concurrency:
    description:
      - Number of endpoints to connect to at the same time, 1 or more.
      - An endpoint that takes longer than half a second no longer counts, so that slow endpoints do not delay the others. There are at
        most four times as many connections.
    type: int
    default: 64
  request_timeout:
    description: Number of seconds for all requests to one endpoint, for one snapshot.
    type: float
    default: 5.0
  max_bytes:
    description:
      - Limit for the body of one response in bytes, after decompression.
      - It also limits the values of a JSON response to one for each 50 bytes, and the lines of a Prometheus page to one for each 200 bytes.
        With the default, no response takes more than 100 MB of memory.
    type: int
    default: 12582912
"""

    # For a module that connects once.
    ONCE = r"""
options:
  timeout:
    description: Number of seconds for all endpoints together.
    type: float
    default: 30.0
"""

    # For a module that only reads.
    STRICT = r"""
options:
  strict:
    description:
      - Whether to fail if an endpoint cannot be read. Otherwise its entry in the returned C(endpoints) has the failure.
    type: bool
    default: true
"""
