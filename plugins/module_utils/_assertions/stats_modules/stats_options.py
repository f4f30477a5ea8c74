# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module envoy_stats as a function of its options."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion_options import (
    ASSERTION_ARGS,
    WAIT_ARGS,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion_parser import (
    parse_assertions,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.multi_host import (
    evaluate_hosts,
    read_hosts,
    read_hosts_since,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.outcome import Outcome
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.stat_selection import (
    required_queries,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.wait import wait_for
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_options import (
    ENDPOINT_ARGS,
    invocation_of,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_parser import parse_endpoints
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_pool import limits_from
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_options import CLUSTER_ARGS
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot_file import (
    load_snapshot,
    write_snapshot,
)

ARGUMENTS: dict[str, dict[str, Any]] = {
    **ENDPOINT_ARGS,
    **CLUSTER_ARGS,
    **ASSERTION_ARGS,
    **WAIT_ARGS,
    "identify": {"type": "bool", "default": True},
    "snapshots": {"type": "dict"},
    "usedonly": {"type": "bool"},
}
# A task has exactly one of these options.
EXCLUSIVE = ("endpoints", "url", "snapshots")


def perform(options: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Read the endpoints and evaluate the assertions.

    Args:
        options: The module's options, those of ARGUMENTS.
        check_mode: Whether to write no `snapshot_file`.

    Returns:
        The module's result. `failed` is set if an assertion does not hold or an option cannot be used; `warnings` has sentences.
    """
    from_hosts = options["snapshots"] is not None
    try:
        outcome = _evaluated_snapshots(options) if from_hosts else _evaluated_endpoints(options)
    except ArgumentError as error:
        return {"failed": True, "changed": False, "msg": str(error)}
    warnings = {"warnings": list(outcome.remarks)} if outcome.remarks else {}
    written = None
    if options["snapshot_file"] and not check_mode:
        try:
            written = write_snapshot(options["snapshot_file"], outcome.snapshot)
        except ArgumentError as error:  # the results of the assertions are returned nevertheless
            message = f"{error}\n{outcome.message}"
            return {"failed": True, "changed": False, "msg": message, **outcome.as_data({}), **warnings}
    return {
        **({} if outcome.ok else {"failed": True}),
        "changed": False,
        "msg": outcome.message,
        **outcome.as_data(written),
        **warnings,
        "invocation": invocation_of(options),
    }


def _evaluated_endpoints(options: dict[str, Any]) -> Outcome:
    endpoints = parse_endpoints(options["endpoints"], options["url"], options["cluster"])
    assertions = parse_assertions(options["assertions"])
    since = options["since"]
    if since is not None:
        since = load_snapshot(since, required_queries(assertions, endpoints))
    return wait_for(
        endpoints,
        assertions,
        since=since,
        wait=options["wait"],
        timeout=options["timeout"],
        sleep=options["sleep"],
        limits=limits_from(options),
        identity=options["identify"],
        usedonly=options["usedonly"],
    )


def _evaluated_snapshots(options: dict[str, Any]) -> Outcome:
    """Return the outcome of assertions about the snapshots of several hosts."""
    if options["wait"]:
        raise ArgumentError(
            "wait",
            "snapshots do not change, so waiting has no effect. Set wait in the task that takes the snapshots.",
        )
    assertions = parse_assertions(options["assertions"])
    since = None if options["since"] is None else read_hosts_since(options["since"])
    return evaluate_hosts(assertions, read_hosts(options["snapshots"]), since)
