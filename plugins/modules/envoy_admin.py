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
  - Drains listeners, fails and restores the health check, sets log levels and runtime values, resets counters and stops Envoy, on any
    number of Envoys side by side.
  - Several changes of one task are made in the order of the options below, so that what ends an Envoy's work comes last.
  - Looks first, and changes what differs, as far as Envoy shows it.
  - Needs nothing but Python's standard library on the host that it runs on.
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
      - Log levels are read by C(POST /logging), since Envoy shows them to no other question. Without arguments that changes nothing.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - O(logging), O(runtime_modify) and O(healthcheck) are idempotent. O(reset_counters) is, on an Envoy that nobody uses meanwhile.
      - Envoy does not show whether its listeners are drained, so O(drain_listeners) always says that it changed something. To do it
        again does no harm.
      - After O(quitquitquit) there is nobody to ask.
options:
  logging:
    description: Log levels. At least one of the suboptions has to be given.
    type: dict
    suboptions:
      level:
        description: The level of all loggers that are not in O(logging.loggers).
        type: str
        choices: [trace, debug, info, warning, error, critical, "off"]
      loggers:
        description: Levels by the name of their logger, such as C(upstream) or C(http). The levels are those of O(logging.level).
        type: dict
  runtime_modify:
    description:
      - Runtime keys with the value that the admin's layer has to override them with. An empty text or null takes an override away.
      - Needs an C(admin_layer) in the bootstrap's C(layered_runtime). A layer that comes after it wins over it.
    type: dict
  reset_counters:
    description:
      - Whether to set all counters to 0. Changes nothing where none is above 0 but those that count the admin's own requests.
      - Statsd sinks do not see this. To count from a moment on, O(meshlab.envoy.envoy_stats#module:since) does without it.
    type: bool
    default: false
  healthcheck:
    description:
      - V(fail) makes C(/ready) and the health check filter (where there is one) answer 503, so that load balancers send no more.
        V(ok) takes that back.
    type: str
    choices: [ok, fail]
  drain_listeners:
    description:
      - Drains listeners. An empty dictionary closes all at once, for new connections.
    type: dict
    suboptions:
      graceful:
        description:
          - Whether connections are asked to go for as long as C(--drain-time-s) says before the listeners close.
        type: bool
        default: false
      inboundonly:
        description: Whether only listeners whose C(traffic_direction) is C(INBOUND) are drained.
        type: bool
        default: false
      skip_exit:
        description: Whether listeners stay open when the time of O(drain_listeners.graceful), which it needs, is over.
        type: bool
        default: false
  quitquitquit:
    description: Whether to stop Envoy. What watches over it may start it again.
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

- name: Let what is under way end, and drain what comes in
  meshlab.envoy.envoy_admin:
    url: unix:///run/envoy/s1.sock
    drain_listeners: {graceful: true, inboundonly: true}

- name: Look closer at what goes upstream, and at nothing else
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
  description: What was asked, and how it went. Returned on failure too, with what was changed until then.
  returned: when endpoints were asked
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
      returned: success
    ok:
      description: Whether all that was wanted of it is so.
      type: bool
      returned: success
    changed:
      description: Whether something differed.
      type: bool
      returned: success
    changes:
      description: What was wanted, in the order in which it was done.
      type: list
      elements: dict
      returned: success
      contains:
        action:
          description: Which option it was.
          type: str
          returned: success
          sample: healthcheck
        changed:
          description: Whether it differed.
          type: bool
          returned: success
        before:
          description:
            - The loggers or runtime keys that differed with what they were, the state that C(/ready) told, or the number of
              counters above 0. Null where Envoy does not show it.
          type: raw
          returned: success
          sample: LIVE
        after:
          description: The same, now, or in check mode as it would be. Of what Envoy does not show, the question that was posted.
          type: raw
          returned: success
          sample: DRAINING
    milliseconds:
      description: How long it took.
      type: float
      returned: success
    failure:
      description:
        - The kind of failure, empty where there was none. One of V(unreachable), V(timeout), V(http_status), V(unparsable),
          V(too_large) and V(absent), the last for a logger or an admin layer that this Envoy does not have.
      type: str
      returned: success
    message:
      description: The failure in one sentence.
      type: str
      returned: success
failure:
  description: The kind of the first failure, empty where there was none.
  returned: when endpoints were asked
  type: str
elapsed:
  description: How many seconds it took.
  returned: when endpoints were asked
  type: float
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshlab.envoy.plugins.module_utils._admin.admin_options import ADMIN_ARGS
from ansible_collections.meshlab.envoy.plugins.module_utils._admin.admin_task import ASKS, WHERE_ARGS, ask
from ansible_collections.meshlab.envoy.plugins.module_utils._admin.apply import carry_out, diff_of
from ansible_collections.meshlab.envoy.plugins.module_utils._admin.desired_state import wish_from


def main() -> None:
    module = AnsibleModule(argument_spec={**WHERE_ARGS, **ADMIN_ARGS}, **ASKS)
    given, check = module.params, module.check_mode
    message, result = ask(
        module,
        lambda endpoints, limits: carry_out(endpoints, wish_from(given), check, given["timeout"], limits),
    )
    if module._diff:
        result["diff"] = diff_of(result["endpoints"])
    if message:
        module.fail_json(msg=message, **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
