# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Kubernetes cluster, and as whom: of every module that reaches pods or objects."""

from __future__ import annotations


class ModuleDocFragment:
    # CLUSTER_ARGS in module_utils/_kube_client/cluster_options.py.
    DOCUMENTATION = r"""
options:
  cluster:
    description:
      - Which Kubernetes cluster, and as whom. The keys are those that C(kubernetes.core) takes, and where one is missing, its
        environment variable C(K8S_AUTH_...) is read, such as C(K8S_AUTH_CONTEXT). Not supported are C(no_proxy), C(proxy_headers) and
        C(persist_config).
      - Without any of it, the current context of C(KUBECONFIG) or of C(~/.kube/config), and where there is neither, the service
        account of the pod that this runs in.
      - Needs the Python package C(kubernetes) on the host that runs the task. Nothing is imported, and no cluster is asked, where
        no pod is.
    type: dict
    suboptions:
      kubeconfig:
        description: The path of a kubeconfig, several with C(:) between them, or its content as a dictionary.
        type: raw
      context:
        description: The context of the kubeconfig. By default its current one.
        type: str
      namespace:
        description: The namespace where none is said. By default that of the context, or V(default).
        type: str
      host:
        description: The address of the API server, such as V(https://api.example.com:6443).
        type: str
      api_key:
        description: A token to authenticate with.
        type: str
      username:
        description: The user to authenticate as, with O(cluster.password).
        type: str
      password:
        description: The password of O(cluster.username).
        type: str
      ca_cert:
        description: The certificates that the API server's is checked with.
        type: path
      client_cert:
        description: The certificate to authenticate with.
        type: path
      client_key:
        description: The key of O(cluster.client_cert).
        type: path
      validate_certs:
        description: Whether the API server's certificate has to be right. By default it has, unless the kubeconfig says otherwise.
        type: bool
      proxy:
        description: A proxy to reach the API server through, such as V(http://proxy.example.com:3128).
        type: str
      impersonate_user:
        description: As whom to ask, if the user may impersonate. By default what the kubeconfig's user says (C(as), C(as-groups)).
        type: str
      impersonate_groups:
        description: Of which groups that user is.
        type: list
        elements: str
"""
