# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificates that the clusters of a proxy accept, as text for the report of a failed verification."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.addresses.cluster_checks import (
    configures_trust,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.tls.tls_checks import SYSTEM
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.tls_contexts import accepted_name
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.proxy_config import server_name
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Proxy
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform

NAMES = {"dns": "DNS name", "uri": "URI", "ip_address": "IP address", "email": "email address"}


def accepted_certificates(proxy: Proxy, platform: Platform) -> dict[str, str]:
    """Return what each cluster with TLS accepts, by name. A cluster whose author configures trust in Envoy's fields is left out."""
    return {
        name: f"{_authority(spec['tls'], platform)}{_name(spec)}"
        for name, spec in proxy.spec["clusters"].items()
        if spec["tls"] is not None and not configures_trust(spec["tls"]["context"])
    }


def _authority(tls: Mapping[str, Any], platform: Platform) -> str:
    if tls["ca"] is None:
        path = f"{platform.context.folder}/ca/ca.crt"
        return (
            f"a certificate of the demo's authority ({path}; for another one, set 'ca' of the cluster's tls)"
        )
    if tls["ca"].content == SYSTEM:
        return f"a certificate of an authority of the system ({platform.system_ca()})"
    source = f" ({tls['ca'].source})" if tls["ca"].source else ""
    return f"a certificate of the authority in its 'ca'{source}"


def _name(spec: Mapping[str, Any]) -> str:
    accepted = accepted_name(spec["tls"], spec["tls"]["server_name"] or server_name(spec))
    return "".join(f" with the {NAMES[kind]} '{name}'" for kind, name in accepted.items())
