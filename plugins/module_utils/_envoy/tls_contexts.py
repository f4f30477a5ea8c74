# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Transport sockets for TLS. Certificates come from files through SDS, so Envoy applies a renewed certificate without a restart."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.any_message import (
    Message,
    any_message,
    discovery_response,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.overlay import overlay, snake_case_fields

# Names of the SDS secrets, and of their files without the suffix `.yaml`. They are those of the fields of
# extensions.transport_sockets.tls.v3.Secret.
TLS_CERTIFICATE = "tls_certificate"
VALIDATION_CONTEXT = "validation_context"
_TLS = "envoy.extensions.transport_sockets.tls.v3"


def tls_certificate_secret(certificates: str, watched: str, name: str = TLS_CERTIFICATE) -> Message:
    """Return the SDS file with a certificate and its private key.

    Args:
        certificates: The folder of `tls.crt` and `tls.key`, as Envoy sees it.
        watched: The folder in which a rename makes Envoy read the files again (`watched_directory`). Envoy uses a certificate when
            its key matches, so the files can be renamed one after another (observed with Envoy 1.36 to 1.40).
        name: The name of the secret.
    """
    return _secret_file(
        name,
        TLS_CERTIFICATE,
        {
            "certificate_chain": {"filename": f"{certificates}/tls.crt"},
            "private_key": {"filename": f"{certificates}/tls.key"},
            "watched_directory": {"path": watched},
        },
    )


def validation_context_secret(certificates: str, watched: str, name: str = VALIDATION_CONTEXT) -> Message:
    """Return the SDS file with the certificate authority that verifies peers.

    Args:
        certificates: The folder of `ca.crt`, as Envoy sees it.
        watched: As for `tls_certificate_secret`.
        name: The name of the secret.
    """
    return _secret_file(
        name,
        VALIDATION_CONTEXT,
        {
            "trusted_ca": {"filename": f"{certificates}/ca.crt"},
            "watched_directory": {"path": watched},
        },
    )


def downstream_transport_socket(
    secrets: str, tls: Mapping[str, Any], alpn_protocols: tuple[str, ...]
) -> Message:
    """Return the transport socket of a listener, which terminates TLS.

    Args:
        secrets: The folder of the proxy's SDS files, as Envoy sees it.
        tls: The `tls` of a demo's listener, with paths of files. `certificate_chain` and `private_key` replace the certificate of
            the deployment; `certificate_secret` and `ca_secret` are the secrets of these files, without which their paths are in the
            context. With `client_certificate`, a client needs a certificate of the same authority, or of `ca`, with
            `subject_alt_name` if that is set. `context` holds fields of DownstreamTlsContext that override the generated ones.
        alpn_protocols: The protocols to offer, the preferred one first.
    """
    common = _identity(secrets, tls)
    if alpn_protocols:
        common["alpn_protocols"] = list(alpn_protocols)
    if tls["client_certificate"]:
        common |= _validation(secrets, tls, "", is_combined=bool(tls.get("subject_alt_name")))
    context = any_message(
        "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        common_tls_context=common,
        require_client_certificate=bool(tls["client_certificate"]),
    )
    return {"name": "envoy.transport_sockets.tls", "typed_config": overlay(context, tls.get("context"))}


def upstream_transport_socket(secrets: str, tls: Mapping[str, Any], server_name: str) -> Message:
    """Return the transport socket of a cluster, which requires a certificate of the authority for `server_name`.

    Args:
        secrets: The folder of the proxy's SDS files, as Envoy sees it.
        tls: The `tls` of a demo's cluster, with paths of files. With `client_certificate`, the proxy presents the certificate of the
            deployment, with `certificate_chain` that one. `ca` replaces the authority. `context` holds fields of
            UpstreamTlsContext that override the generated ones.
        server_name: The SNI, and the name that the server's certificate must have, unless `tls` has a `subject_alt_name`. An IP
            address is no SNI (RFC 6066, section 3). Empty: the cluster derives both from each request, or the fields of `context`
            configure trust.
    """
    common = _validation(secrets, tls, server_name, is_combined=True)
    if tls["client_certificate"] or tls.get("certificate_chain"):
        common |= _identity(secrets, tls)
    context = any_message(
        "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        common_tls_context=common,
        **({"sni": server_name} if server_name and not _is_ip(server_name) else {}),
    )
    return {"name": "envoy.transport_sockets.tls", "typed_config": overlay(context, tls.get("context"))}


def _identity(secrets: str, tls: Mapping[str, Any]) -> Message:
    """Return the field of CommonTlsContext with the certificate of this side."""
    if not tls.get("certificate_chain"):
        return {"tls_certificate_sds_secret_configs": [_sds_secret_config(TLS_CERTIFICATE, secrets)]}
    if tls.get("certificate_secret"):
        return {
            "tls_certificate_sds_secret_configs": [_sds_secret_config(tls["certificate_secret"], secrets)]
        }
    files = {field: {"filename": tls[field]} for field in ("certificate_chain", "private_key")}
    return {"tls_certificates": [files]}


def _validation(secrets: str, tls: Mapping[str, Any], server_name: str, is_combined: bool) -> Message:
    """Return the field of CommonTlsContext that verifies the certificate of the other side."""
    matchers = [
        {"san_type": kind.upper(), "matcher": {"exact": name}}
        for kind, name in accepted_name(tls, server_name).items()
    ]
    names = {"match_typed_subject_alt_names": matchers} if matchers else {}
    name = VALIDATION_CONTEXT
    if tls.get("ca"):
        if not tls.get("ca_secret") or _author_validates(tls):
            return {"validation_context": {"trusted_ca": {"filename": tls["ca"]}, **names}}
        name = tls["ca_secret"]
    authority = {"validation_context_sds_secret_config": _sds_secret_config(name, secrets)}
    if not is_combined:
        return authority
    return {"combined_validation_context": {"default_validation_context": names, **authority}}


def accepted_name(tls: Mapping[str, Any], server_name: str) -> dict[str, str]:
    """Return the one name that the other side's certificate must have, by its kind: `{"dns": "web"}`. Empty: any name."""
    if names := tls.get("subject_alt_name"):
        return dict(names)
    return {"ip_address" if _is_ip(server_name) else "dns": server_name} if server_name else {}


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _secret_file(name: str, field: str, content: Message) -> Message:
    # An SDS file holds one secret (Envoy's "Secret discovery service").
    return discovery_response(
        [any_message("envoy.extensions.transport_sockets.tls.v3.Secret", name=name, **{field: content})]
    )


def _author_validates(tls: Mapping[str, Any]) -> bool:
    """Return whether the fields of the author contain a `validation_context`, which is merged into that with the authority."""
    context = snake_case_fields(tls.get("context") or {}, f"{_TLS}.UpstreamTlsContext")
    common = context.get("common_tls_context")
    fields = snake_case_fields(common if isinstance(common, Mapping) else {}, f"{_TLS}.CommonTlsContext")
    return fields.get(VALIDATION_CONTEXT) is not None


def _sds_secret_config(name: str, secrets: str) -> Message:
    source = {"path": f"{secrets}/{name}.yaml"}
    return {"name": name, "sds_config": {"resource_api_version": "V3", "path_config_source": source}}
