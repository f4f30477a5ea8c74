#!/usr/bin/python
# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a folder of Envoy files equal to a wanted one, validated first and confirmed by the running proxies."""

from __future__ import annotations

DOCUMENTATION = r"""
module: envoy_config
short_description: Change an Envoy's configuration, validated first and live
version_added: 0.1.0
author:
  - meshlab.envoy contributors (@meshlab)
description:
  - Makes a folder on the managed host equal to a wanted set of files, for one Envoy or for many.
  - Before anything is changed, the Envoy that will run them validates each proxy's files in a private copy of the
    folder, all proxies side by side. What it refuses is told with the file, the line and Envoy's own words.
  - Files are replaced atomically. Where a proxy runs already, clusters that are new come first, then listeners, then
    clusters that are gone go, each step confirmed by the counters of that proxy's admin. A step that is refused, or
    not confirmed in time, is taken back.
  - Only files that this module wrote are ever removed. It remembers them in C(.files.json) in the folder.
extends_documentation_fragment:
  - meshlab.envoy.attributes
  - meshlab.envoy.attributes.action_group
attributes:
  check_mode:
    support: full
    details:
      - Validates as well, in a folder for temporary files. Where the host lacks the Envoy (or C(docker), or the image)
        a warning says that nothing was validated.
  diff_mode:
    support: full
    details:
      - Private keys and O(files[].sensitive) files are not shown.
  idempotent:
    support: full
    details:
      - With the exception of clusters that had to stay for old connections, see O(drain_timeout).
options:
  folder:
    description:
      - The folder on the managed host. It is made, with mode V(0700), where it is missing.
      - Relative paths in Envoy's files are relative to it while they are validated, so it is best the working
        directory of the running Envoy as well.
    type: path
    required: true
  files:
    description:
      - The files that belong into O(folder). One that an earlier run wrote and that is no longer listed is removed.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description:
          - Where the file is, relative to O(folder). Without C(..), and not through a symbolic link.
        type: str
        required: true
      content:
        description:
          - What is in the file.
          - Text is written as it is. A dictionary is written as JSON where O(files[].path) ends in C(.json),
            otherwise as YAML.
          - YAML and JSON files are parsed on the controller first, so that a mistake is told with its line.
        type: raw
      src:
        description:
          - A file on the controller instead of O(files[].content), looked for as M(ansible.builtin.copy) does.
        type: path
      mode:
        description:
          - The permissions of the file, in quotes and in octal.
        type: str
        default: "0644"
      live:
        description:
          - The name of the proxy that watches the file.
          - The O(proxies[].listeners) and O(proxies[].clusters) of proxies with O(proxies[].admin) need not say so.
        type: str
      sensitive:
        description:
          - Whether the content is left out of the diff.
        type: bool
        default: false
  directories:
    description:
      - Folders that are to be there, as for admin sockets and logs.
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
      - Certificates for TLS between proxies, made on the managed host by its C(openssl) command and signed by a private
        authority of this O(folder) (C(ca/ca.crt) and C(ca/ca.key)).
      - Each is renewed when it ends soon, when its names change and when the authority does.
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
          - Host names, or URIs, for which it holds. The first one is its common name.
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
          - The permissions of C(tls.key). An Envoy that runs as another user needs more than the default.
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
  proxies:
    description:
      - The Envoys that read the files, each validated by itself.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - What messages call it.
        type: str
        required: true
      bootstrap:
        description:
          - Which of the O(files) is its bootstrap. Without one, listeners and clusters are validated in an empty bootstrap.
        type: str
      listeners:
        description:
          - Which of the O(files) it watches as C(lds_config).
        type: str
      clusters:
        description:
          - Which of the O(files) it watches as C(cds_config).
        type: str
      admin:
        description:
          - Where its admin interface is, as V(http://127.0.0.1:9901) or V(unix:///run/envoy/admin.sock).
            A C(~) is expanded on the managed host.
          - Without it the files are written, clusters first, and nothing confirms that the proxy took them.
        type: str
      candidate:
        description:
          - The proxy's configuration in one piece, which is what is validated, since Envoy's validation reads no
            watched files.
          - It is made from the bootstrap, the listeners and the clusters where it is not given.
        type: str
  envoy:
    description:
      - The Envoy that validates. It should be the one that runs.
    type: dict
    default: {}
    suboptions:
      executable:
        description:
          - The program on the managed host, by its path or its name in C(PATH).
        type: str
        default: envoy
      image:
        description:
          - An image to validate in instead, with C(docker) on the managed host. The container has no network, no
            capabilities and only sees a copy of the files.
        type: str
      version:
        description:
          - The version that it must have, such as V(1.40.0).
        type: str
  validate:
    description:
      - Whether the files are validated at all. Running proxies that refuse them get their old ones back in any case,
        but an Envoy ignores unknown fields in the files that it watches.
    type: bool
    default: true
  confirm_timeout:
    description:
      - How many seconds a running proxy has to confirm each step.
    type: float
    default: 60
  drain_timeout:
    description:
      - How many seconds to wait until connections that were open before the change no longer need clusters that go.
        That takes as long as the C(--drain-time-s) of that Envoy (its default is 600) where they stay open.
      - When it takes longer the clusters stay, a warning says so, and the next run removes them. No request is lost.
    type: float
    default: 10
notes:
  - It needs nothing but Python 3.11 on the managed host, C(openssl) where there are O(certificates), and C(docker) where
    there is an O(envoy.image).
  - A changed bootstrap is only read by an Envoy that starts. RV(restart) has the proxies that have to be restarted.
  - One run at a time changes a folder. A second one is refused.
  - Connections that are open when the drain time of an Envoy ends are closed, in the middle of a request too. With
    C(--drain-strategy immediate) each kept-alive connection of before ends with its next answer, long before that.
seealso:
  - module: meshlab.envoy.envoy_stats
    description: Assert on what the proxies count after the change.
"""

EXAMPLES = r"""
- name: Give the edge new listeners and clusters while it runs
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
    envoy:
      image: envoyproxy/envoy:v1.40.0
      version: 1.40.0
  register: config

- name: Restart what has a new bootstrap
  ansible.builtin.systemd_service:
    name: "envoy@{{ item }}"
    state: restarted
  loop: "{{ config.restart }}"

- name: Write a static configuration with a certificate, validated by the Envoy on the host
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
      - name: envoy
        bootstrap: envoy.yaml
"""

RETURN = r"""
files:
  description: The paths, relative to O(folder), of the files that changed.
  returned: success
  type: list
  elements: str
  sample: [edge/listeners.yaml]
proxies:
  description: How running proxies took the change, those of them that watch a file that changed.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name of the proxy.
      returned: always
      type: str
      sample: edge
    swaps:
      description: How many times a file was replaced and confirmed.
      returned: always
      type: int
      sample: 3
    seconds:
      description: How long it took, with the wait for old connections.
      returned: always
      type: float
      sample: 0.031
    kept:
      description: Clusters that stay until the next run, because connections of before may need them.
      returned: always
      type: list
      elements: str
      sample: []
restart:
  description: Running proxies that read a file at their start that changed now, and so must be restarted.
  returned: success
  type: list
  elements: str
  sample: []
refused:
  description: What is wrong, one entry for each mistake found.
  returned: failure
  type: list
  elements: dict
  contains:
    proxy:
      description: The proxy whose validation, or whose running Envoy, refused.
      returned: when it is one proxy's
      type: str
      sample: edge
    file:
      description: The file in which the mistake is, relative to O(folder).
      returned: when it is known
      type: str
      sample: edge/listeners.yaml
    line:
      description: Its line, counted from 1.
      returned: when it is known
      type: int
      sample: 28
    message:
      description: What is wrong, in Envoy's words where it said so.
      returned: always
      type: str
      sample: "no such field: 'domain' (in envoy.config.route.v3.VirtualHost at static_resources.listeners[0]…)"
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import AdminClient
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy_config_options import wanted_of
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._config.prepare import Transaction, prepare

FILES = {
    "path": {"type": "str", "required": True},
    "content": {"type": "raw"},
    "src": {"type": "path"},
    "mode": {"type": "str", "default": "0644"},
    "live": {"type": "str"},
    "sensitive": {"type": "bool", "default": False},
}
DIRECTORIES = {"path": {"type": "str", "required": True}, "mode": {"type": "str", "default": "0755"}}
CERTIFICATES = {
    "path": {"type": "str", "required": True},
    "names": {"type": "list", "elements": "str", "required": True},
    "addresses": {"type": "list", "elements": "str", "default": []},
    "mode": {"type": "str", "default": "0600"},
    "days": {"type": "int", "default": 365},
    "renew_days": {"type": "int", "default": 30},
}
PROXIES = {
    "name": {"type": "str", "required": True},
    "bootstrap": {"type": "str"},
    "listeners": {"type": "str"},
    "clusters": {"type": "str"},
    "admin": {"type": "str"},
    "candidate": {"type": "str"},
}
ENVOY = {
    "executable": {"type": "str", "default": "envoy"},
    "image": {"type": "str"},
    "version": {"type": "str"},
}


def apply(change: Transaction, confirm_timeout: float, drain_timeout: float) -> None:
    """Write, go live and finish. Raises ConfigRefused when a running proxy refused; its other files are put back then."""
    change.write()
    try:
        change.go_live(confirm_timeout, drain_timeout)
    except ConfigRefused as error:
        change.undo([one.check for one in error.findings if one.check])
        raise
    change.finish()


def to_restart(change: Transaction) -> list[str]:
    """Return the running proxies that read a changed file only when they start."""
    watched = {file.path for file in change.wanted.files if file.live}
    changed = set(change.changed_files()) - watched
    urls = {admin.proxy: admin.url for admin in change.wanted.admins}
    return [
        check.name
        for check in change.wanted.checks
        if changed & set(check.validated_files)
        and check.name in urls
        and AdminClient(urls[check.name]).is_running()
    ]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "folder": {"type": "path", "required": True},
            "files": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": FILES,
                "mutually_exclusive": [("content", "src")],
                "required_one_of": [("content", "src")],
            },
            "directories": {"type": "list", "elements": "dict", "default": [], "options": DIRECTORIES},
            "certificates": {"type": "list", "elements": "dict", "default": [], "options": CERTIFICATES},
            "proxies": {"type": "list", "elements": "dict", "default": [], "options": PROXIES},
            "envoy": {"type": "dict", "default": {}, "options": ENVOY},
            "validate": {"type": "bool", "default": True},
            "confirm_timeout": {"type": "float", "default": 60},
            "drain_timeout": {"type": "float", "default": 10},
        },
        supports_check_mode=True,
    )
    parameters = module.params
    result: dict[str, Any] = {}
    try:
        wanted = wanted_of(parameters)
        with prepare(parameters["folder"], wanted, check_mode=module.check_mode) as change:
            result = {
                "changed": change.changed,
                "files": change.changed_files(),
                "restart": to_restart(change),
            }
            if module._diff:
                result["diff"] = change.diff
            if change.changed and not module.check_mode:
                apply(change, parameters["confirm_timeout"], parameters["drain_timeout"])
            result["proxies"] = [
                {"name": one.proxy, "swaps": one.swaps, "seconds": one.seconds, "kept": list(one.kept)}
                for one in change.outcomes
            ]
            for remark in change.warnings:
                module.warn(remark)
    except ConfigRefused as error:
        refused = [
            {
                key: value
                for key, value in (
                    ("proxy", one.check),
                    ("file", one.file),
                    ("line", one.line),
                    ("message", one.message),
                )
                if value is not None
            }
            for one in error.findings
        ]
        module.fail_json(msg=str(error), changed=False, refused=refused)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
