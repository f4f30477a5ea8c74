# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables that dashboards share, and the share of failed requests."""

from __future__ import annotations

from panels import Variable, rate, share

CODE = "envoy_response_code_class"
# The jobs of Envoys. An exporter has Envoy's stats too, but no page of an Envoy.
JOB = Variable(
    "job",
    "Job",
    "query_result(count by (job) (envoy_server_live) unless count by (job) (statsd_exporter_build_info))",
    '/job="([^"]+)"/',
    several=False,
)
DEMO = Variable("demo", "Demo", 'label_values(envoy_server_live{job="$job"}, demo)')
HOST = Variable("host", "Host", 'label_values(envoy_server_live{job="$job", demo=~"$demo"}, host)')
PROXY = Variable(
    "proxy", "Proxy", 'label_values(envoy_server_live{job="$job", demo=~"$demo", host=~"$host"}, proxy)'
)
ENVOY_VARIABLES = (JOB, DEMO, HOST, PROXY)


def failed_share(selector: str, by: str = "") -> str:
    """Return the share of responses with status 5xx."""
    failed = rate("envoy_http_downstream_rq_xx", f'{selector}, {CODE}="5"')
    return share(failed, rate("envoy_http_downstream_rq_completed", selector), by)
