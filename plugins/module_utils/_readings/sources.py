# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sources of readings. The option `source` of assertions, its documentation and the reading of pages derive from this list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.admin_pages import (
    Readings,
    parse_page,
    parse_ready,
)


@dataclass(frozen=True)
class Source:
    """A source: an admin page, or several, that readings come from."""

    name: str
    """As in the option `source` of an assertion, and in a snapshot."""
    description: tuple[str, ...]
    """The readings of the source, one paragraph each, in Ansible's markup."""
    path: str = ""
    """The admin's path; empty if it depends on the query."""
    parse: Callable[[int, bytes], Readings] | None = None
    """Return the readings of a response, from its status and body; None for stats, which `envoy_stats_json` parses."""
    statuses: tuple[int, ...] = (200,)
    """The statuses of a response that has readings."""
    selectable: bool = True
    """Whether an assertion can name it."""


def _json(name: str) -> Callable[[int, bytes], Readings]:
    parse = partial(parse_page, name)
    return lambda _status, body: parse(body)


# In the order of the documentation.
# Paths and fields: https://www.envoyproxy.io/docs/envoy/latest/operations/admin, checked with Envoy 1.36 to 1.40.
_LIST = (
    Source("stats", ("V(stats) has Envoy's counters, gauges, text readouts and histograms.",)),
    Source("prometheus", ("A page in Prometheus' text format.",), selectable=False),
    Source(
        "server_info",
        (
            (
                "V(server_info) has C(state), C(version), C(build), C(uptime), C(uptime_all_epochs), C(epoch), C(concurrency),"
                " C(node.id) and C(node.cluster)."
            ),
        ),
        "/server_info",
        _json("server_info"),
    ),
    Source(
        "ready",
        ("V(ready) has C(state), such as V(LIVE), and C(status), the HTTP status of C(/ready).",),
        "/ready",
        parse_ready,
        (200, 503),
    ),
    Source(
        "clusters",
        (
            (
                "V(clusters) has for each cluster C(<cluster>.hosts), C(.healthy), C(.degraded), C(.ejected), C(.draining),"
                " C(.weight) and C(.added_via_api). It has for each host of a cluster C(<cluster>.<address>.healthy), C(.ejected),"
                " C(.weight), C(.priority), C(.eds_health) and the stats of the host, such as C(.rq_total). A host is healthy if"
                " Envoy counts it in C(membership_healthy), which excludes degraded hosts."
            ),
        ),
        "/clusters?format=json",
        _json("clusters"),
    ),
    Source(
        "listeners",
        ("V(listeners) has C(<listener>.address) and C(<listener>.port), as bound.",),
        "/listeners?format=json",
        _json("listeners"),
    ),
    Source(
        "certs",
        (
            (
                "V(certs) has C(chain.<name>.days_left), C(.valid_from), C(.expires), C(.serial) and C(.names), and the same"
                " fields below C(ca.<name>). The name is the path of the certificate, or its first subject alternative name if it"
                " is inline or from SDS. If several certificates have one name, for example RSA and ECDSA of one domain, the"
                " serial number follows the name, as in C(chain.<name>.<serial>.days_left)."
            ),
        ),
        "/certs",
        _json("certs"),
    ),
    Source(
        "config",
        (
            (
                "V(config) has for each of C(lds), C(cds), C(rds), C(sds) and C(eds) the fields C(<service>.resources) and"
                " C(<service>.rejected), the number of updates that Envoy rejected since its start. The number comes from Envoy's"
                " stats, and is missing if C(allow_paths) excludes C(/stats). C(lds) and C(cds) have C(<service>.version_info)."
                " Each dynamic resource except those of C(eds) has C(<service>.<name>.version_info) and C(.last_updated)."
            ),
            (
                "For listeners only, V(config) also has C(lds.<name>.rejected), and if it is V(1) C(lds.<name>.error) with the"
                " reason, without secrets, until the next update. The reasons for other resources are in Envoy's log. No other"
                " part of the configuration becomes part of a result."
            ),
        ),
        "/config_dump?include_eds",
        _json("config"),
    ),
    Source(
        "runtime", ("V(runtime) has each runtime key with its final value.",), "/runtime", _json("runtime")
    ),
)

SOURCES = {source.name: source for source in _LIST}
"""All sources by name. A PromQL query is a source too, with the name that `promql.source_for` returns."""

SELECTABLE = tuple(source.name for source in _LIST if source.selectable)
"""The choices of the option `source`."""
