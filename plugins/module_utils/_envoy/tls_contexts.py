# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS in Envoy's words: certificates come from files through SDS, so a renewed one goes live without a restart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.any_message import Message, overlay, typed

IDENTITY = "identity"  # the proxy's own certificate and key
TRUST = "trust"  # the certificate authority that it believes


def identity(certificates: str, watched: str) -> dict[str, Any]:
    """Return the SDS file that gives a proxy its certificate and key, from the folder `certificates`.

    Envoy reads them again when the folder `watched` sees a rename (`watched_directory`), and takes one secret per SDS file.
    """
    return _secret(
        IDENTITY,
        tls_certificate={
            "certificate_chain": {"filename": f"{certificates}/tls.crt"},
            "private_key": {"filename": f"{certificates}/tls.key"},
            "watched_directory": {"path": watched},
        },
    )


def trust(certificates: str, watched: str) -> dict[str, Any]:
    """Return the SDS file that says whom a proxy believes: ca.crt in the folder `certificates`."""
    return _secret(
        TRUST,
        validation_context={
            "trusted_ca": {"filename": f"{certificates}/ca.crt"},
            "watched_directory": {"path": watched},
        },
    )


def downstream(secrets: str, tls: Mapping[str, Any], alpn: tuple[str, ...]) -> Message:
    """Return the transport socket of a listener, whose certificate comes from the SDS files in `secrets`.

    With `client_certificate` only clients with a certificate of the same authority get in. `alpn` are the protocols to
    offer, the best first. `context` of `tls` are fields of DownstreamTlsContext, merged over these.
    """
    common: Message = {"tls_certificate_sds_secret_configs": [_sds(IDENTITY, secrets)]}
    if alpn:
        common["alpn_protocols"] = list(alpn)
    if tls["client_certificate"]:
        common["validation_context_sds_secret_config"] = _sds(TRUST, secrets)
    context = typed(
        "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        common_tls_context=common,
        require_client_certificate=bool(tls["client_certificate"]),
    )
    return {"name": "envoy.transport_sockets.tls", "typed_config": overlay(context, tls.get("context"))}


def upstream(secrets: str, tls: Mapping[str, Any], server_name: str) -> Message:
    """Return the transport socket of a cluster: the server has to show the authority's certificate for `server_name`."""
    common: Message = {
        "combined_validation_context": {
            "default_validation_context": {
                "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": server_name}}]
            },
            "validation_context_sds_secret_config": _sds(TRUST, secrets),
        }
    }
    if tls["client_certificate"]:
        common["tls_certificate_sds_secret_configs"] = [_sds(IDENTITY, secrets)]
    context = typed(
        "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        common_tls_context=common,
        sni=server_name,
    )
    return {"name": "envoy.transport_sockets.tls", "typed_config": overlay(context, tls.get("context"))}


def _secret(name: str, **content: Message) -> dict[str, Any]:
    return {"resources": [typed("envoy.extensions.transport_sockets.tls.v3.Secret", name=name, **content)]}


def _sds(name: str, secrets: str) -> Message:
    source = {"path": f"{secrets}/{name}.yaml"}
    return {"name": name, "sds_config": {"resource_api_version": "V3", "path_config_source": source}}
