# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the modules that read endpoints."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments of the options that modules share."""

    # Where to ask: ENDPOINT_ARGS in module_utils/_endpoints/endpoint_options.py.
    DOCUMENTATION = r"""
options:
  endpoints:
    description:
      - Where to ask, side by side.
      - Either this or O(url) has to be given.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - What the endpoint is called in assertions, results and messages. Has to differ from all others.
          - By default the container's name, the pods' namespace and selector, or O(endpoints[].url) without its scheme and its query.
          - Of pods it is what all of them are called together. Each is an endpoint of its own, called as the pod. Where that name is
            taken already, as by an entry for another port of the same pods, it is V(name/pod).
        type: str
      proxy:
        description: Which proxy this is the endpoint of, as a plan says it. For the reader only.
        type: str
      host:
        description: Name of the host that reaches the endpoint, as a plan states it. For the reader only.
        type: str
      url:
        description:
          - The admin's address, V(http://host:port), V(https://host:port), V(unix:///run/envoy/admin.sock) or V(unix://~/admin.sock).
            V(unix://@name) is an abstract socket. A socket's path may be longer than the 107 bytes that the kernel takes.
          - For O(endpoints[].format=prometheus) the page itself, V(/metrics) where the address names none. Of a Unix socket the page
            comes after a colon, as in V(unix:///run/app.sock:/metrics).
          - With O(endpoints[].container), the address as it is inside that container, V(http://127.0.0.1:9901) by default.
        type: str
      container:
        description:
          - A Docker container that the admin is asked in, by its name or id. For an admin that listens on the container's own loopback.
          - Goes through C(docker exec) and what the image offers to open a connection with (C(bash), C(python3) or C(nc)).
            C(DOCKER_HOST) decides which daemon.
          - With O(endpoints[].selector), a container of the pods. A pod is then ready when this container is.
        type: str
      namespace:
        description: The namespace of the pods. By default that of O(cluster).
        type: str
      selector:
        description:
          - A label selector, such as V(app=web). Every pod that it selects and that is ready is an endpoint, however many.
            Which these are is looked up anew at each look. A pod that is not ready is warned of.
          - Goes through the API server's port-forward, so that the admin may listen on the pod's own loopback. O(cluster) says which
            cluster; what it takes there is C(get) and C(list) of pods, and C(get) and C(create) of C(pods/portforward).
          - A pod that goes away while it is asked fails with C(unreachable), whatever came of its answer. One that is gone since
            O(meshlab.envoy.envoy_stats#module:since) took with it what it counted, so a difference fails with C(restarted); one that
            was started since counts from 0.
        type: str
      port:
        description: The port in the pods, by its number or by the name that the pod gives it. V(9901) by default.
        type: str
      path:
        description: For O(endpoints[].format=prometheus) the page in the pods, V(/metrics) by default. Else what comes before C(/stats).
        type: str
      format:
        description:
          - V(envoy) is an admin interface, V(prometheus) any page in Prometheus' text format.
          - V(promql) is a Prometheus server, for O(meshlab.envoy.envoy_stats#module:assertions[].promql). What comes before
            C(/api/v1) belongs to its address.
        type: str
        choices: [envoy, prometheus, promql]
        default: envoy
      headers:
        description:
          - Headers to send along, such as C(authorization).
          - Their values are secret. Ansible strikes them out of the result wherever they appear.
        type: dict
      ca_path:
        description: The certificates that V(https) is checked with. By default those of the system.
        type: path
      client_cert:
        description: The certificate to show to a server that asks for one.
        type: path
      client_key:
        description: The key of O(endpoints[].client_cert), where it is in a file of its own.
        type: path
      validate_certs:
        description: Whether a server's certificate has to be right.
        type: bool
        default: true
  url:
    description:
      - The address of one Envoy's admin, in place of O(endpoints). The endpoint's name is then V(envoy).
    type: str
  concurrency:
    description:
      - How many endpoints are asked at the same time.
      - One that is still busy after half a second gives up its place to the next, so that a slow one holds up nobody. There are never more
        than four times as many connections.
    type: int
    default: 64
  request_timeout:
    description: How many seconds one endpoint may take for all that it is asked at one look.
    type: float
    default: 5.0
  max_bytes:
    description: How long one answer may be, in bytes, after it was unpacked.
    type: int
    default: 67108864
"""

    # Of a module that looks once.
    ONCE = r"""
options:
  timeout:
    description: After how many seconds to be done with all endpoints.
    type: float
    default: 30.0
"""

    # Of a module that only reads.
    STRICT = r"""
options:
  strict:
    description: Whether to fail where an endpoint cannot be asked. Otherwise its entry in the C(endpoints) that are returned says why.
    type: bool
    default: true
"""
