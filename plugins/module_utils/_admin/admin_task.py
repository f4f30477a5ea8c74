# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules that put one question to admins share: the options that say where, and the way to their end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
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

# What came of it: what went wrong, empty where nothing did, and the data that the module returns.
Answer = tuple[str, dict[str, Any]]
Question = Callable[[Sequence[Endpoint], Limits], Answer]

WHERE_ARGS: dict[str, Any] = {**ENDPOINT_ARGS, **CLUSTER_ARGS}
# Of AnsibleModule.
ASKS: dict[str, Any] = {
    "mutually_exclusive": [("endpoints", "url")],
    "required_one_of": [("endpoints", "url")],
    "supports_check_mode": True,
}


def ask(module: Any, question: Question) -> Answer:
    """Puts the question to the endpoints of a module's arguments; what cannot be meant fails the module."""
    allow_kubeconfig_path_in_output(module)
    given = module.params
    try:
        return question(
            parse_endpoints(given["endpoints"], given["url"], given["cluster"]), limits_from(given)
        )
    except ArgumentError as error:
        return module.fail_json(msg=str(error))  # type: ignore[no-any-return] # does not return


def read(module: Any, question: Question) -> None:
    """The whole of a module that changes nothing; what went wrong fails it where it is to be strict."""
    message, result = ask(module, question)
    if message and module.params["strict"]:
        module.fail_json(msg=message, **result)
    module.exit_json(changed=False, **result)
