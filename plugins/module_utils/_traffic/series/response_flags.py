# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Envoy's response flags, which state why a request failed."""

from __future__ import annotations

NONE = "none"  # a request without a flag
# The response flags of https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/observability/access_log/usage
RESPONSE_FLAGS = {
    "DC": "the client closed the connection",
    "DF": "name resolution failed",
    "DI": "a fault filter delayed the request",
    "DO": "a downstream overload manager dropped the request",
    "DPE": "the request violates HTTP",
    "DR": "the client reset the request",
    "DT": "the maximum duration of the connection was reached",
    "FI": "a fault filter aborted the request",
    "IH": "a header has an invalid value",
    "LH": "the health check of this host failed",
    "LR": "Envoy reset the request",
    "NC": "the cluster does not exist",
    "NFCF": "no filter configuration was found",
    "NR": "no route matches",
    "OM": "the overload manager rejected the request",
    "RFCF": "the filter configuration was received too late",
    "RL": "the rate limit was exceeded",
    "RLSE": "the rate limit service failed",
    "SI": "the stream idle timeout was reached",
    "UAEX": "the external authorization denied the request",
    "UC": "the upstream closed the connection",
    "UF": "the connection to the upstream failed",
    "UH": "the cluster has no healthy upstream host",
    "UMSDR": "the upstream request reached the maximum stream duration",
    "UO": "a circuit breaker of the cluster is open",
    "UPE": "the response of the upstream violates its protocol",
    "UR": "the upstream reset the request",
    "URX": "the limit of retries or of connection attempts was reached",
    "UT": "the upstream did not respond in time",
}
