#!/usr/bin/python
# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a host, or a cluster, run a plan: files, certificates and workloads, in one task."""

from __future__ import annotations

DOCUMENTATION = r"""
module: workloads
short_description: Make a host run a plan, as processes, as containers or as pods
version_added: 0.1.0
author:
  - meshlab.envoy contributors (@meshlab)
description:
  - Runs the workloads of a plan on the managed host, as processes under supervisord or as the containers of one compose
    project, or from there as the pods of a Kubernetes namespace, with the files and certificates that they read.
  - Everything that can stand in the way is found before anything is changed - a port that somebody else has, a daemon
    that does not answer, an image that cannot be pulled, a program of the wrong kind, a configuration that Envoy refuses.
  - Then files are written, what is new is started, and when all of it serves the files that running proxies watch go
    live, confirmed by each proxy. What is no longer wanted is stopped last.
  - In a cluster objects are applied by the server (server-side apply), only those that differ, after the API server has
    been asked to try all of them. What the demo no longer has is removed, by its label and in its namespace only. A rollout
    that cannot come true fails at once, with the reason and the last words of what ended; the pods of before keep serving.
  - Only workloads that differ are restarted. Whatever state a host is in, also after a crash, a run brings it to the
    wanted one.
extends_documentation_fragment:
  - meshlab.envoy.attributes
  - meshlab.envoy.attributes.action_group
  - meshlab.envoy.cluster
attributes:
  check_mode:
    support: full
    details:
      - What the host lacks (Docker, an image, a program) is a warning, since a task before this one may provide it.
  diff_mode:
    support: full
    details:
      - Shows files, and objects of a cluster. Private keys and what Secrets hold are left out.
  idempotent:
    support: full
options:
  name:
    description:
      - The name of the demo, which is that of the compose project as well.
    type: str
    required: true
  platform:
    description:
      - Where workloads run. V(local) is processes under supervisord, as the user of this task and below O(folder).
        V(docker) is a compose project of the Docker daemon on the managed host. V(kubernetes) is the objects of
        O(manifests) in the namespace of O(cluster), with O(folder) as the record of what was deployed. V(openshift) is the
        same, with Routes.
    type: str
    choices: [local, docker, kubernetes, openshift]
    default: local
  folder:
    description:
      - The state folder on the managed host, which should hold nothing else. It is made, with mode V(0700), where it is
        missing. It remembers the O(platform) of what runs, and the API server and namespace of pods; in another place it is
        refused, also by O(state=absent), which would leave what runs there.
    type: path
    required: true
  state:
    description:
      - V(absent) stops everything, also what an interrupted run or a killed supervisord left behind, and removes what
        was written.
    type: str
    choices: [present, absent]
    default: present
  bind:
    description:
      - The address that published ports are bound to, as far as it matters for whether they are free.
    type: str
    default: 127.0.0.1
  files:
    description:
      - The files that belong into O(folder), among them C(supervisord.conf), C(compose.yaml) or C(manifests.yaml). One that an earlier run
        wrote and that is no longer listed is removed.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description:
          - Where the file is, relative to O(folder).
        type: str
        required: true
      content:
        description:
          - What is in it.
        type: str
        required: true
      mode:
        description:
          - Its permissions, in quotes and in octal.
        type: str
        default: "0644"
      live:
        description:
          - The name of the proxy that watches it.
        type: str
  directories:
    description:
      - Folders that are to be there, as for admin sockets.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description:
          - Where the folder is, relative to O(folder).
        type: str
        required: true
      mode:
        description:
          - Its permissions, in quotes and in octal.
        type: str
        default: "0755"
  certificates:
    description:
      - Certificates that are made on the managed host, as in M(meshlab.envoy.envoy_config).
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description:
          - The folder, relative to O(folder), that gets C(tls.crt), C(tls.key) and C(ca.crt).
        type: str
        required: true
      names:
        description:
          - Host names for which it holds.
        type: list
        elements: str
        required: true
      addresses:
        description:
          - IP addresses for which it holds.
        type: list
        elements: str
        default: []
      mode:
        description:
          - The permissions of C(tls.key).
        type: str
        default: "0600"
      days:
        description:
          - For how many days it holds.
        type: int
        default: 365
      renew_days:
        description:
          - How many days before its end it is renewed.
        type: int
        default: 30
  checks:
    description:
      - Commands that must succeed in a private copy of O(folder) before anything is changed.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - What messages call it.
        type: str
        required: true
      command:
        description:
          - The program and its arguments.
        type: list
        elements: str
        required: true
      image:
        description:
          - An image to run it in.
        type: str
      version:
        description:
          - The version that the program, an Envoy, must have.
        type: str
      files:
        description:
          - Files that are there for the check only.
        type: list
        elements: dict
        default: []
        suboptions:
          path:
            description:
              - Where the file is, relative to O(folder).
            type: str
            required: true
          content:
            description:
              - What is in it.
            type: str
            required: true
      validated_files:
        description:
          - The files in which a refused word is looked up.
        type: list
        elements: str
        default: []
  workloads:
    description:
      - What runs. The document among O(files) is made from the same list.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - Its name, the only one of that name.
        type: str
        required: true
      command:
        description:
          - The program and its arguments. On V(local) the program may start with C(~/), or be a name in C(PATH).
        type: list
        elements: str
        required: true
      image:
        description:
          - The image of its container.
        type: str
      environment:
        description:
          - Its environment variables.
        type: dict
      mounts:
        description:
          - What of O(folder) its container sees.
        type: list
        elements: dict
        suboptions:
          source:
            description:
              - A path relative to O(folder).
            type: str
            required: true
          target:
            description:
              - The absolute path in the container.
            type: str
            required: true
          writable:
            description:
              - Whether the container may write there.
            type: bool
            default: false
      ports:
        description:
          - The ports that it listens on.
        type: list
        elements: dict
        suboptions:
          number:
            description:
              - The port.
            type: int
            required: true
          published:
            description:
              - The host's port for it, in front of a container.
            type: int
          protocol:
            description:
              - Its protocol.
            type: str
            choices: [tcp, udp]
            default: tcp
          name:
            description:
              - What the demo calls it.
            type: str
          scheme:
            description:
              - What is spoken there.
            type: str
          peers:
            description:
              - The groups of the demo that connect to it.
            type: list
            elements: str
          metrics:
            description:
              - Whether Prometheus may look at it.
            type: bool
      probe:
        description:
          - What tells that it serves.
        type: dict
        suboptions:
          kind:
            description:
              - An answer below 400 to a GET (V(http)), a connection (V(tcp)), or nothing but that it keeps running (V(none)).
            type: str
            choices: [http, tcp, none]
            default: none
          host:
            description:
              - The address to ask on V(local).
            type: str
            default: 127.0.0.1
          port:
            description:
              - The port to ask.
            type: int
            default: 0
          path:
            description:
              - The path to ask for.
            type: str
            default: /
          command:
            description:
              - How a container asks itself.
            type: list
            elements: str
          private:
            description:
              - Whether only the container itself can ask.
            type: bool
      network:
        description:
          - The workload whose network it shares.
        type: str
      directory:
        description:
          - Where it runs, on V(local) relative to O(folder), in a container an absolute path.
        type: str
      aliases:
        description:
          - Names by which other workloads reach it, besides its own.
        type: list
        elements: str
      hostname:
        description:
          - The host name of its container.
        type: str
      user:
        description:
          - The user of its container, such as V(101:101).
        type: str
      memory_mb:
        description:
          - How much memory its container may have.
        type: int
      cpus:
        description:
          - How many processors its container may use.
        type: float
      init:
        description:
          - Whether its container gets an init.
        type: bool
      stop_signal:
        description:
          - What asks it to end.
        type: str
      stop_seconds:
        description:
          - How long it may take to end.
        type: int
      drain:
        description:
          - What bash runs in a pod's container before it ends, so that its clients go elsewhere; said in O(manifests).
        type: str
      after:
        description:
          - Workloads to be started before it.
        type: list
        elements: str
      digest:
        description:
          - Of the files that it reads at start only. It is restarted where that differs.
        type: str
      group:
        description:
          - What the demo calls what it is a replica of.
        type: str
      replicas:
        description:
          - The number of pods, where one workload stands for all of its group.
        type: int
      container:
        description:
          - What it is called among the containers of a pod.
        type: str
      sidecar:
        description:
          - Whether it serves those whose network it shares.
        type: bool
  admins:
    description:
      - The admin interfaces of proxies, which confirm the files that they watch.
    type: list
    elements: dict
    default: []
    suboptions:
      proxy:
        description:
          - The name of the proxy.
        type: str
        required: true
      url:
        description:
          - Where it is, as V(unix://~/folder/run/admin.sock).
        type: str
        required: true
      workload:
        description:
          - The workload that runs the proxy, when it has another name.
        type: str
      pods:
        description:
          - The pods whose Envoys are this proxy, asked through the API server's port-forward. All of them have to confirm
            a change.
        type: dict
        suboptions:
          selector:
            description:
              - The labels of the pods, as C(kubectl --selector) takes them.
            type: str
            required: true
          container:
            description:
              - The container that is the Envoy.
            type: str
            default: envoy
          port:
            description:
              - The port of the admin interface on the pod's own loopback.
            type: int
            default: 9901
      members:
        description:
          - Whom each of the pods' Envoys has to know before the task ends, by cluster - the pods of C(selector), which are
            C(hosts) many, and none of before. Envoys that find pods by name know of a change only when they have asked again.
        type: dict
  manifests:
    description:
      - The objects to be in the namespace, on V(kubernetes) and V(openshift), of the kinds Deployment, Service, ConfigMap,
        Secret, ServiceAccount, NetworkPolicy, PodDisruptionBudget, Route and HTTPRoute. Each has the label
        C(meshlab.envoy/demo) with the value O(name).
      - A Secret with the annotation C(meshlab.envoy/folder) gets the certificate in that folder of O(folder) as its data.
    type: list
    elements: dict
    default: []
  supervisord:
    description:
      - What runs processes on V(local).
    type: dict
    default: {}
    suboptions:
      executable:
        description:
          - The program C(supervisord), by its path or its name in C(PATH). Its Python need not be that of this module.
        type: str
        default: supervisord
  timeout:
    description:
      - How many seconds workloads have until all of them serve. One that ends is told at once.
    type: float
    default: 60
  confirm_timeout:
    description:
      - How many seconds a running proxy has to confirm each step of a change.
    type: float
    default: 60
  drain_timeout:
    description:
      - How many seconds to wait for connections that still need a cluster which goes.
    type: float
    default: 10
notes:
  - The managed host needs nothing but Python 3.11, supervisord for V(local), and C(docker) with its compose plugin 2.20 or
    newer for V(docker). For V(kubernetes) and V(openshift) it needs the Python package C(kubernetes).
  - On V(kubernetes) and V(openshift) the user of O(cluster) has to be allowed to get, list, patch, create and delete the kinds
    of O(manifests) and pods, to list and delete replicasets, to get logs of pods, and to create port-forwards to them.
  - On V(local) programs get the user's C(PATH), home, language and time zone, and nothing else of the environment in which
    Ansible runs.
  - Compose recreates a container together with those that it is O(workloads[].after) or whose O(workloads[].network) it
    shares.
seealso:
  - plugin: meshlab.envoy.plan
    plugin_type: filter
  - module: meshlab.envoy.envoy_config
"""

EXAMPLES = r"""
- name: Run what was planned
  meshlab.envoy.demo_deploy:
    name: "{{ plan.name }}"
    platform: "{{ plan.platform }}"
    folder: "{{ plan.folder }}"
    files: "{{ plan.files }}"
    directories: "{{ plan.directories }}"
    certificates: "{{ plan.certificates }}"
    checks: "{{ plan.checks }}"
    workloads: "{{ plan.workloads }}"
    admins: "{{ plan.admins }}"
  register: run

- name: Run a program of one's own
  meshlab.envoy.demo_deploy:
    name: sleeper
    folder: ~/.local/state/sleeper
    files:
      - path: supervisord.conf
        content: "{{ lookup('ansible.builtin.file', 'supervisord.conf') }}"
    workloads:
      - name: sleeper
        command: [sleep, infinity]

- name: Run what was planned in a namespace
  meshlab.envoy.demo_deploy:
    name: "{{ plan.name }}"
    platform: kubernetes
    folder: "{{ plan.folder }}"
    files: "{{ plan.files }}"
    directories: "{{ plan.directories }}"
    certificates: "{{ plan.certificates }}"
    checks: "{{ plan.checks }}"
    workloads: "{{ plan.workloads }}"
    admins: "{{ plan.admins }}"
    manifests: "{{ plan.manifests }}"
    cluster:
      context: lab
      namespace: demos

- name: Leave nothing behind
  meshlab.envoy.demo_deploy:
    name: front_proxy
    platform: docker
    folder: ~/.local/state/meshlab.envoy/front_proxy
    state: absent
"""

RETURN = r"""
started:
  description: Workloads that did not run and were started.
  returned: always
  type: list
  elements: str
  sample: [edge, service1-1]
restarted:
  description: Workloads that ran and were restarted, because they differ or because their network went away.
  returned: always
  type: list
  elements: str
  sample: []
removed:
  description: Workloads that were stopped for good.
  returned: always
  type: list
  elements: str
  sample: []
objects:
  description: Objects of a cluster that were made, changed or removed, by kind and name.
  returned: always
  type: list
  elements: str
  sample: [Deployment/front-proxy-edge]
files:
  description: The paths, relative to O(folder), of the files that were written or removed.
  returned: always
  type: list
  elements: str
  sample: [edge/listeners.yaml]
seconds:
  description: How long each phase took.
  returned: always
  type: dict
  sample:
    preflight: 0.03
    prepare: 0.11
    write: 0.01
    start: 0.4
    ready: 0.3
    retire: 0.0
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.deploy_options import ARGUMENTS, perform
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_options import (
    allow_kubeconfig_path_in_output,
)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    allow_kubeconfig_path_in_output(module)
    result = perform(module.params, module.check_mode)
    if not module._diff:
        result.pop("diff")
    for warning in result.pop("warnings"):
        module.warn(warning)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
