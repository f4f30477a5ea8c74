# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option `cluster` of every module that connects to a Kubernetes cluster."""

from __future__ import annotations


class ModuleDocFragment:
    """The documentation of `CLUSTER_ARGS` in module_utils/_kube_client/cluster_options.py."""

    DOCUMENTATION = r"""
options:
  cluster:
    description:
      - The Kubernetes cluster to connect to, and the user.
      - The keys are those of the modules in C(kubernetes.core). A missing key is read from its environment variable
        C(K8S_AUTH_...), such as C(K8S_AUTH_CONTEXT). C(no_proxy), C(proxy_headers) and C(persist_config) are not supported.
      - Without any key, the current context of the kubeconfig in E(KUBECONFIG), or of C(~/.kube/config), is used. Where neither
        exists, the service account of the pod that the task runs in is used.
      - Requires the Python package C(kubernetes) on the host that runs the task. Only a login with a command or a provider imports it;
        all others need only its dependencies C(urllib3) and C(PyYAML). The cluster is connected to only if the task uses pods.
    type: dict
    suboptions:
      kubeconfig:
        description:
          - Path to a kubeconfig, or several paths separated by C(:), or the content of a kubeconfig as a dictionary.
          - The default is the value of E(KUBECONFIG), or C(~/.kube/config).
        type: raw
      context:
        description: Name of the context in the kubeconfig. The default is its current context.
        type: str
      namespace:
        description: Namespace of pods and objects for which no other one is set. The default is that of the context, or V(default).
        type: str
      host:
        description: URL of the API server, such as V(https://api.example.com:6443).
        type: str
      api_key:
        description: Token to authenticate with.
        type: str
      username:
        description: Name of the user to authenticate as, with O(cluster.password).
        type: str
      password:
        description: Password of O(cluster.username).
        type: str
      ca_cert:
        description: Path on the host to the CA certificate that verifies the API server.
        type: path
      client_cert:
        description: Path on the host to the client certificate to authenticate with.
        type: path
      client_key:
        description: Path on the host to the key of O(cluster.client_cert).
        type: path
      validate_certs:
        description: Whether to verify the API server's certificate. The default is V(true), unless the kubeconfig disables it.
        type: bool
      proxy:
        description: URL of the HTTP proxy for connections to the API server, such as V(http://proxy.example.com:3128).
        type: str
      impersonate_user:
        description:
          - Name of the user to impersonate. The authenticated user needs permission for it.
          - The default is the key C(as) of the user in the kubeconfig.
        type: str
      impersonate_groups:
        description: Names of the groups to impersonate, with O(cluster.impersonate_user).
        type: list
        elements: str
"""
