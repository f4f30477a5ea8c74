#!/usr/bin/python
# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the files of Envoys, validated first and confirmed by the running proxies."""

from __future__ import annotations

DOCUMENTATION = r"""
module: envoy_config
short_description: Write Envoy configuration files, validated first and confirmed by running proxies
version_added: 0.1.0
author:
  - meshlab.envoy contributors (@meshlab)
description:
  - Writes the configuration files of one or more Envoys to a folder on the managed host, and removes files that it wrote earlier and
    that are no longer listed.
  - Before it changes anything, Envoy validates the files of each proxy in a private copy of the folder. An error is reported with
    the file, the line and the text of Envoy.
  - Replaces each file atomically. For a running proxy, it adds new clusters first, then replaces listeners, then removes old clusters. The
    stats of the proxy's admin interface confirm each step. When a proxy rejects a step or does not confirm it in time, its previous
    files are restored.
  - Removes only files that it wrote itself. It lists them in C(.files.json) in the folder.
extends_documentation_fragment:
  - meshlab.envoy.attributes
  - meshlab.envoy.attributes.action_group
  - meshlab.envoy.desired_files
attributes:
  check_mode:
    support: full
    details:
      - Validates the files in a folder for temporary files. When the host has no Envoy (or no C(docker), or not the image), a
        warning states that the files were not validated.
  diff_mode:
    support: full
    details:
      - Does not show private keys and O(files[].sensitive) files.
  idempotent:
    support: full
    details:
      - Except for clusters that were kept for previous connections, see O(drain_timeout).
options:
  folder:
    description:
      - Path to the folder on the managed host. It is created with mode V(0700) when it does not exist.
      - Envoy validates the files with this folder as its working directory. Relative paths in the files are valid for the running
        Envoy when it has the same working directory.
    type: path
    required: true
  proxies:
    description:
      - The Envoys that read the files. Each is validated separately.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - Name of the proxy in results and errors.
        type: str
        required: true
      bootstrap:
        description:
          - Path of its bootstrap, one of the O(files). Without it, listeners and clusters are validated in an empty bootstrap.
        type: str
      listeners:
        description:
          - Path of the file that it watches as C(lds_config), one of the O(files).
          - A listener without a name gets one, such as V(port-8080), with a warning. Envoy rejects a watched file with two such listeners.
        type: str
      clusters:
        description:
          - Path of the file that it watches as C(cds_config), one of the O(files).
        type: str
      admin:
        description:
          - URL of its admin interface, for example V(http://127.0.0.1:9901) or V(unix:///run/envoy/admin.sock).
            C(~) is expanded on the managed host.
          - Without it, the files are written in a safe order, but no step is confirmed.
          - The task fails if it does not respond, unless O(proxies[].running=false).
        type: str
      running:
        description:
          - Whether the Envoy runs. V(false) is for an Envoy that may not run yet. If O(proxies[].admin) does not respond, the files are
            written, and Envoy reads them when it starts. If it responds, it confirms each step.
        type: bool
        default: true
      candidate:
        description:
          - Configuration of the proxy in one file, which is validated because Envoy does not read watched files when it validates.
          - By default it is made from O(proxies[].bootstrap), O(proxies[].listeners) and O(proxies[].clusters).
        type: str
  envoy:
    description:
      - The Envoy that validates the files. Use the version that runs them.
    type: dict
    default: {}
    suboptions:
      executable:
        description:
          - Path to the Envoy executable on the managed host, or its name in C(PATH).
        type: str
        default: envoy
      image:
        description:
          - Image to validate in, with C(docker) on the managed host, instead of O(envoy.executable). The container has no network and
            no capabilities, and can only read a copy of the files.
        type: str
      version:
        description:
          - Version that the Envoy must have, for example V(1.40.0). By default any version is accepted.
        type: str
  deployed:
    description:
      - The key C(deployed) of a plan, which the folder records. A later plan for the same folder then has the same ports.
      - For the files of M(meshlab.envoy.demo_plan) only. By default, the record of an earlier run stays.
    type: dict
  validate:
    description:
      - Whether to validate the files.
      - Without validation, a running proxy that rejects a file still gets its previous files back. But Envoy ignores unknown fields in
        watched files.
    type: bool
    default: true
  confirm_timeout:
    description:
      - Number of seconds to wait until a running proxy confirms a step.
    type: float
    default: 60
  drain_timeout:
    description:
      - Number of seconds to wait until connections from before the change no longer use clusters that are removed. When connections
        stay open, this takes as long as the C(--drain-time-s) of the Envoy, 600 seconds by default.
      - After that time the clusters stay, a warning names them, and the next run removes them. No request is lost.
    type: float
    default: 10
notes:
  - Requires Python 3.9 or newer on the managed host, C(openssl) for O(certificates), and C(docker) for O(envoy.image).
  - Envoy reads its bootstrap only when it starts. RV(restart) lists the proxies to restart.
  - One run at a time changes a folder. A second run is refused.
  - With O(proxies[].bootstrap) and O(proxies[].clusters), each name of a cluster must be in the files. Envoy itself accepts a filter, an
    access log or a tracer with a missing cluster.
  - Envoy closes the connections to previous listeners at the end of its drain time, also during a request. With
    C(--drain-strategy immediate), it closes each connection after its next response.
seealso:
  - module: meshlab.envoy.envoy_stats
    description: Assert on the stats of the proxies after the change.
  - module: meshlab.envoy.demo_deploy
    description: Write the files of a plan and run its Envoys.
"""

EXAMPLES = r"""
- name: Write a configuration that Envoy has validated
  meshlab.envoy.envoy_config:
    folder: /srv/envoy
    files:
      - path: envoy.yaml
        src: envoy.yaml
    proxies:
      - name: edge
        bootstrap: envoy.yaml

- name: Replace the listeners and clusters of a running Envoy
  meshlab.envoy.envoy_config:
    folder: /etc/envoy
    files:
      - path: edge/bootstrap.yaml
        src: edge/bootstrap.yaml
      - path: edge/listeners.yaml
        src: edge/listeners.yaml
      - path: edge/clusters.yaml
        content:
          resources: "{{ edge_clusters }}"
    proxies:
      - name: edge
        bootstrap: edge/bootstrap.yaml
        listeners: edge/listeners.yaml
        clusters: edge/clusters.yaml
        admin: unix:///etc/envoy/edge/run/admin.sock
        # On a new host, this task precedes the start of Envoy.
        running: false
    envoy:
      image: envoyproxy/envoy:v1.40.0
      version: 1.40.0
  register: config

- name: Restart proxies with a changed bootstrap
  ansible.builtin.systemd_service:
    name: "envoy@{{ item }}"
    state: restarted
  loop: "{{ config.restart }}"

- name: Write a configuration with a certificate for the host
  meshlab.envoy.envoy_config:
    folder: /srv/envoy
    files:
      - path: envoy.yaml
        src: envoy.yaml
    certificates:
      - path: certs
        names: ["{{ inventory_hostname }}", localhost]
        addresses: [127.0.0.1]
    proxies:
      - name: edge
        bootstrap: envoy.yaml
"""

RETURN = r"""
files:
  description: Paths of the files that changed, relative to O(folder).
  returned: success
  type: list
  elements: str
  sample: [edge/listeners.yaml]
proxies:
  description: The running proxies whose watched files changed.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the proxy.
      returned: always
      type: str
      sample: edge
    swaps:
      description: Number of times that a file was replaced and confirmed.
      returned: always
      type: int
      sample: 3
    seconds:
      description: Duration in seconds, with the wait for previous connections.
      returned: always
      type: float
      sample: 0.031
    kept_clusters:
      description: Clusters that previous connections may need. The next run removes them.
      returned: always
      type: list
      elements: str
      sample: []
restart:
  description: Running proxies that must be restarted, because a file changed that Envoy reads only when it starts.
  returned: success
  type: list
  elements: str
  sample: []
errors:
  description: The errors, one entry for each.
  returned: failure
  type: list
  elements: dict
  contains:
    proxy:
      description: Name of the proxy.
      returned: when the error belongs to one proxy
      type: str
      sample: edge
    file:
      description: Path of the faulty file, relative to O(folder).
      returned: when it is known
      type: str
      sample: edge/listeners.yaml
    line:
      description: Number of the faulty line, counted from 1.
      returned: when it is known
      type: int
      sample: 28
    message:
      description: The error, as Envoy reports it.
      returned: always
      type: str
      sample: "no such field: 'domain' (in listener 'http' at filter_chains[0]…)."
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshlab.envoy.plugins.module_utils._common.python_version import (
    require_supported_python,
)

require_supported_python()

from ansible_collections.meshlab.envoy.plugins.module_utils._common.printable import end_module
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy_config_options import (
    ARGUMENTS,
    sensitive_texts,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy_config_task import perform


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    # With -vvv, Ansible prints the options of a module: without these texts.
    module.no_log_values.update(sensitive_texts(module.params))
    result = perform(module.params, module.check_mode)
    if not module._diff:
        result.pop("diff", None)
    end_module(module, result)


if __name__ == "__main__":
    main()
