# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module envoy_stats_info as a function of its options."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion_options import INFO_ARGS
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.stats_info import read_stats
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_options import (
    ENDPOINT_ARGS,
    invocation_of,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_parser import parse_endpoints
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_pool import limits_from
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_options import CLUSTER_ARGS

ARGUMENTS: dict[str, dict[str, Any]] = {**ENDPOINT_ARGS, **CLUSTER_ARGS, **INFO_ARGS}
# A task has exactly one of these options.
EXCLUSIVE = ("endpoints", "url")
MAX_MESSAGES = 20


def perform(options: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Read the endpoints once.

    Args:
        options: The module's options, those of ARGUMENTS.
        check_mode: Whether to write no `snapshot_file`.

    Returns:
        The module's result. `failed` is set if an option cannot be used or, with `strict`, an endpoint cannot be read; `warnings` has
        sentences.
    """
    try:
        result = read_stats(
            parse_endpoints(options["endpoints"], options["url"], options["cluster"]),
            names=options["stats"] or (),
            patterns=options["match"] or (),
            sources=options["sources"],
            histograms=options["histograms"],
            usedonly=options["usedonly"],
            timeout=options["timeout"],
            limits=limits_from(options),
            snapshot_file=None if check_mode else options["snapshot_file"],
        )
    except ArgumentError as error:
        return {"failed": True, "changed": False, "msg": str(error)}
    remarks = result.pop("remarks")
    found = {"changed": False, **result, "invocation": invocation_of(options)}
    if remarks:
        found["warnings"] = list(remarks)
    if options["strict"] and result["failure"]:
        messages = [f"{one['name']}: {one['message']}" for one in result["endpoints"] if not one["ok"]]
        found |= {"failed": True, "msg": "\n".join(messages[:MAX_MESSAGES])}
    return found
