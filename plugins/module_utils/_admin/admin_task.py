# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The frame of the modules that send the same requests to Envoy admin interfaces: their options, and the end of the task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.printable import printable_result
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_options import ENDPOINT_ARGS
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_parser import parse_endpoints
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_pool import (
    Limits,
    limits_from,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_options import (
    CLUSTER_ARGS,
    allow_kubeconfig_path_in_output,
)

# The failure message, empty if there is none, and the result of the module.
Result = tuple[str, dict[str, Any]]
Action = Callable[[Sequence[Endpoint], Limits], Result]

TARGET_ARGS: dict[str, Any] = {**ENDPOINT_ARGS, **CLUSTER_ARGS}
# Arguments of AnsibleModule.
MODULE_ARGS: dict[str, Any] = {
    "mutually_exclusive": [("endpoints", "url")],
    "required_one_of": [("endpoints", "url")],
    "supports_check_mode": True,
}


def run_action(module: Any, action: Action) -> Result:
    """Run `action` with the endpoints and limits in a module's arguments. A wrong argument fails the module."""
    allow_kubeconfig_path_in_output(module)
    params = module.params
    try:
        return action(
            parse_endpoints(params["endpoints"], params["url"], params["cluster"]), limits_from(params)
        )
    except ArgumentError as error:
        return module.fail_json(**printable_result(msg=str(error)))  # type: ignore[no-any-return] # fail_json exits


def run_info_module(module: Any, action: Action) -> None:
    """Run a module that only reads. With `strict`, an endpoint that cannot be read fails it."""
    message, result = run_action(module, action)
    if message and module.params["strict"]:
        module.fail_json(**printable_result(msg=message, **result))
    module.exit_json(**printable_result(changed=False, **result))
