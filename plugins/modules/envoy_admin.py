#!/usr/bin/python
# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: envoy_admin
version_added: 0.1.0
short_description: Change running Envoys through their admin interfaces
description:
  - Drains listeners, fails and restores the health check, sets log levels and runtime values, resets counters and stops Envoy, for several
    Envoys at the same time.
  - Several changes in one task run in the order of the options below, so that those that end the work of an Envoy come last.
  - Reads the present state first and changes what differs, as far as Envoy shows its state.
  - Needs only Python's standard library on the managed host.
extends_documentation_fragment:
  - meshlab.envoy.attributes
  - meshlab.envoy.attributes.action_group
  - meshlab.envoy.endpoints
  - meshlab.envoy.endpoints.once
  - meshlab.envoy.cluster
attributes:
  check_mode:
    support: full
    details:
      - Log levels are read with C(POST /logging), since Envoy has no other request for them. Without arguments it changes nothing.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - O(logging), O(runtime_modify) and O(healthcheck) are idempotent. O(reset_counters) is idempotent on an Envoy without traffic.
      - Envoy does not show whether its listeners are drained, so O(drain_listeners) always reports a change. Draining again is harmless.
      - After O(quitquitquit) the Envoy does not answer.
options:
  logging:
    description: Log levels. At least one of the suboptions is required.
    type: dict
    suboptions:
      level:
        description: Level of all loggers that are not in O(logging.loggers).
        type: str
        choices: [trace, debug, info, warning, error, critical, "off"]
      loggers:
        description: Levels by name of the logger, such as C(upstream) or C(http), with the choices of O(logging.level).
        type: dict
  runtime_modify:
    description:
      - Values by runtime key. The layer of the admin overrides the keys with them. An empty text or null removes an override.
      - Requires an C(admin_layer) in the C(layered_runtime) of the bootstrap. A later layer overrides it.
    type: dict
  reset_counters:
    description:
      - Whether to set all counters to 0. It changes nothing if only the counters of the admin itself are above 0.
      - Statsd sinks are not affected. To count from a point in time, O(meshlab.envoy.envoy_stats#module:since) needs no reset.
    type: bool
    default: false
  healthcheck:
    description:
      - V(fail) makes C(/ready) and the health check filter, if there is one, return 503, so that load balancers send no requests.
        V(ok) restores the health check.
    type: str
    choices: [ok, fail]
  drain_listeners:
    description:
      - Drains listeners. With an empty dictionary, all listeners refuse new connections at once.
    type: dict
    suboptions:
      graceful:
        description:
          - Whether to discourage existing connections for the time of C(--drain-time-s) before the listeners close.
        type: bool
        default: false
      inboundonly:
        description: Whether to drain only listeners whose C(traffic_direction) is C(INBOUND).
        type: bool
        default: false
      skip_exit:
        description: Whether listeners stay open after the time of O(drain_listeners.graceful), which is required.
        type: bool
        default: false
  quitquitquit:
    description: Whether to stop Envoy. A process manager can start it again.
    type: bool
    default: false
seealso:
  - module: meshlab.envoy.envoy_stats
  - module: meshlab.envoy.envoy_stats_info
author:
  - meshlab.envoy contributors (@meshlab)
"""

EXAMPLES = r"""
- name: Take two sidecars out of the load balancing
  meshlab.envoy.envoy_admin:
    endpoints:
      - {name: s1, url: "unix:///run/envoy/s1.sock"}
      - {name: s2, container: front_proxy-service2-1}
    healthcheck: fail

- name: Drain the inbound listeners after their connections ended
  meshlab.envoy.envoy_admin:
    url: unix:///run/envoy/s1.sock
    drain_listeners: {graceful: true, inboundonly: true}

- name: Log details of upstream requests, and only warnings of the rest
  meshlab.envoy.envoy_admin:
    url: http://127.0.0.1:9901
    logging:
      level: warning
      loggers: {upstream: debug, router: debug}

- name: Send a tenth of the requests to the new version
  meshlab.envoy.envoy_admin:
    url: http://127.0.0.1:9901
    runtime_modify:
      routing.new_version: 10
      routing.forgotten: ""
"""

RETURN = r"""
endpoints:
  description: The endpoints, their changes and their failures. Also returned on failure, with the changes before it.
  returned: when endpoints were read
  type: list
  elements: dict
  contains:
    name:
      description: Name of the endpoint.
      type: str
      returned: success
    ok:
      description: Whether all requested changes succeeded.
      type: bool
      returned: success
    changed:
      description: Whether something was changed.
      type: bool
      returned: success
    changes:
      description: The requested changes, in the order in which they were made.
      type: list
      elements: dict
      returned: success
      contains:
        action:
          description: The option that requested the change.
          type: str
          returned: success
          sample: healthcheck
        changed:
          description: Whether the state differed.
          type: bool
          returned: success
        before:
          description:
            - The loggers or runtime keys that differed with their previous values, the state in C(/ready), or the number of counters
              above 0. Null if Envoy does not show the state.
          type: raw
          returned: success
          sample: LIVE
        after:
          description: The state afterwards, or in check mode the state that would be set. If Envoy does not show it, the posted path.
          type: raw
          returned: success
          sample: DRAINING
    milliseconds:
      description: Number of milliseconds for all requests to the endpoint.
      type: float
      returned: success
    failure:
      description:
        - The kind of failure, empty if there is none. One of V(unreachable), V(timeout), V(http_status), V(unparsable),
          V(too_large) and V(absent), the last for a logger or an admin layer that this Envoy does not have.
      type: str
      returned: success
    message:
      description: The failure as a sentence, empty if there is none.
      type: str
      returned: success
failure:
  description: The kind of the first failure, empty if there is none.
  returned: when endpoints were read
  type: str
elapsed:
  description: Number of seconds for all endpoints.
  returned: when endpoints were read
  type: float
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshlab.envoy.plugins.module_utils._common.python_version import (
    require_supported_python,
)

require_supported_python()

from ansible_collections.meshlab.envoy.plugins.module_utils._admin.admin_options import ADMIN_ARGS
from ansible_collections.meshlab.envoy.plugins.module_utils._admin.admin_task import (
    MODULE_ARGS,
    TARGET_ARGS,
    run_action,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._admin.apply import apply_state, diff_of
from ansible_collections.meshlab.envoy.plugins.module_utils._admin.desired_state import desired_state_from
from ansible_collections.meshlab.envoy.plugins.module_utils._common.printable import printable_result


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={**TARGET_ARGS, **ADMIN_ARGS}, **MODULE_ARGS)
    params, check = module.params, module.check_mode
    message, result = run_action(
        module,
        lambda endpoints, limits: apply_state(
            endpoints, desired_state_from(params), check, params["timeout"], limits
        ),
    )
    if module._diff:
        result["diff"] = diff_of(result["endpoints"])
    if message:
        module.fail_json(**printable_result(msg=message, **result))
    module.exit_json(**printable_result(**result))


if __name__ == "__main__":
    main()
