# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rule by which the fields that an author writes are merged into the Envoy messages that this collection generates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.plain_copies import copied
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.any_message import Message
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.message_types import FIELDS, ONEOFS

BOOTSTRAP = "envoy.config.bootstrap.v3.Bootstrap"
CLUSTER = "envoy.config.cluster.v3.Cluster"
LISTENER = "envoy.config.listener.v3.Listener"
ROUTE_CONFIGURATION = "envoy.config.route.v3.RouteConfiguration"
HTTP_CONNECTION_MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
TYPE_URL = "type.googleapis.com/"
_TLS = "envoy.extensions.transport_sockets.tls.v3"
# Lists that contain what the collection itself needs: the read-only admin interface, the exporter of the demo, and the access log on
# standard output, which the key `access_log` of a proxy and a null remove.
EXTENDED_LISTS = frozenset(
    {
        (BOOTSTRAP, "stats_sinks"),
        (f"{BOOTSTRAP}.StaticResources", "clusters"),
        (f"{BOOTSTRAP}.StaticResources", "listeners"),
        (HTTP_CONNECTION_MANAGER, "access_log"),
    }
)
# Messages that are one reference. The name of an author's secret with the file of the collection's secret would mean nothing.
REPLACED_MESSAGES = frozenset({f"{_TLS}.SdsSecretConfig"})
# Fields of CertificateValidationContext: the authorities to trust, and the fields that decide which certificates are accepted.
AUTHORITY_FIELDS = ("trusted_ca", "ca_certificate_provider_instance", "system_root_certs")
IDENTITY_FIELDS = (
    "match_typed_subject_alt_names",
    "match_subject_alt_names",
    "verify_certificate_spki",
    "verify_certificate_hash",
    "custom_validator_config",
)
SDS_VALIDATION = "validation_context_sds_secret_config"
# Fields of CombinedCertificateValidationContext that fetch the dynamic half of the validation context.
DYNAMIC_VALIDATION = (
    SDS_VALIDATION,
    "validation_context_certificate_provider",
    "validation_context_certificate_provider_instance",
)


def overlay(
    message: Mapping[str, Any], overrides: Mapping[str, Any] | None, message_type: str = ""
) -> Message:
    """Return a copy of `message` with the fields of `overrides` merged into it.

    The rule, which docs/write-your-own-demo.md gives to authors:

    - A message is merged field by field, at any depth. An Any of another `@type`, an extension of another `name` and an
      SdsSecretConfig replace the generated message.
    - A list replaces the generated list, except EXTENDED_LISTS, to which it is appended.
    - Any other value replaces the generated value.
    - A null removes the field, so that Envoy's default applies.
    - A field of a protobuf oneof removes the generated alternatives in that oneof (message_types.ONEOFS).
    - Fields of an author that configure trust in certificates apply alone. See `_merge_trust`.

    Args:
        message: The generated message. It is not modified.
        overrides: Fields of the same message that an author wrote, in snake_case or in lowerCamelCase, which Envoy accepts
            too. None changes nothing.
        message_type: Full name of the type of a message without `@type`, such as a Bootstrap.

    Returns:
        The merged message.

    Example:
        >>> overlay({"node": {"id": "edge"}, "hosts": [1]}, {"node": {"cluster": "web"}, "hosts": [2]})
        {'node': {'id': 'edge', 'cluster': 'web'}, 'hosts': [2]}
        >>> overlay({"stats_flush_interval": "1s"}, {"stats_flush_interval": None})
        {}
        >>> overlay({"pipe": {"path": "a"}}, {"socket_address": {"port_value": 1}}, "envoy.config.core.v3.Address")
        {'socket_address': {'port_value': 1}}
    """
    message_type = _type_of(message) or message_type
    fields = snake_case_fields(overrides or {}, message_type)
    merged = copied(dict(message))
    for field in fields.keys() - {field for field, value in fields.items() if value is None}:
        for alternative in _alternatives(field, message_type):
            merged.pop(alternative, None)
    for field, value in fields.items():
        merged[field] = _merged_value(merged.get(field), value, message_type, field)
    if message_type == f"{_TLS}.CommonTlsContext":
        _merge_trust(merged, message, fields)
    return {field: value for field, value in merged.items() if value is not None}


def snake_case_fields(fields: Mapping[str, Any], message_type: str) -> Message:
    """Return the fields of a message with the names of the protobuf definition: Envoy accepts `alpnProtocols` as `alpn_protocols`."""
    if message_type not in FIELDS:
        return dict(fields)
    return {_snake_case(str(name)): value for name, value in fields.items()}


@lru_cache(maxsize=4096)
def _snake_case(name: str) -> str:
    return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


def _type_of(message: Mapping[str, Any]) -> str:
    return str(message.get("@type", "")).removeprefix(TYPE_URL)


def _alternatives(field: str, message_type: str) -> list[str]:
    """Return the other fields of each oneof that contains `field`."""
    groups = [group for group in ONEOFS.get(message_type, ()) if field in group]
    return [other for group in groups for other in group if other != field]


def _merged_value(generated: Any, value: Any, message_type: str, field: str) -> Any:
    if isinstance(value, Mapping):
        field_type = FIELDS.get(message_type, {}).get(field, "")
        merges = isinstance(generated, Mapping) and _is_of_same_kind(generated, value, field_type)
        return overlay(generated if merges else {}, value, field_type)
    if (
        (message_type, field) in EXTENDED_LISTS
        and isinstance(generated, list)
        and isinstance(value, (list, tuple))
    ):
        return [*generated, *copied(value)]
    return copied(value)


def _is_of_same_kind(generated: Mapping[str, Any], value: Mapping[str, Any], field_type: str) -> bool:
    """Return whether the fields of both messages have the same meaning: one type, and one extension."""
    if field_type in REPLACED_MESSAGES:
        return False
    if "typed_config" in generated and value.get("name", generated.get("name")) != generated.get("name"):
        return False
    return bool(generated.get("@type") == value.get("@type", generated.get("@type")))


def _merge_trust(merged: Message, generated: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
    """Change a merged CommonTlsContext in place so that an author's trust applies alone.

    The collection's part of a `combined_validation_context` is the server name in `default_validation_context` and the demo's
    authority in the SDS secret. Envoy merges both: it accepts a certificate that any SAN matcher accepts, and the authority of
    the secret has precedence (CommonTlsContext in Envoy's API reference). So:

    - fields that decide which certificates are accepted remove the collection's SAN matcher;
    - an authority removes the collection's secret: the context becomes a `validation_context`;
    - without an authority, the collection's secret stays, also for a listener, whose generated context is not combined.
    """
    author = fields.get("combined_validation_context")
    if not isinstance(author, Mapping):
        return
    author = snake_case_fields(author, f"{_TLS}.CommonTlsContext.CombinedCertificateValidationContext")
    combined = merged["combined_validation_context"]
    default = combined.get("default_validation_context") or {}
    trust = snake_case_fields(
        author.get("default_validation_context") or {}, f"{_TLS}.CertificateValidationContext"
    )
    if any(trust.get(field) is not None for field in IDENTITY_FIELDS):
        for field in IDENTITY_FIELDS:
            if field not in trust:
                default.pop(field, None)
    if any(author.get(field) is not None for field in DYNAMIC_VALIDATION):
        return
    states_authority = any(trust.get(field) is not None for field in AUTHORITY_FIELDS)
    if states_authority or SDS_VALIDATION in author:
        del merged["combined_validation_context"]
        merged["validation_context"] = default
    elif SDS_VALIDATION not in combined and SDS_VALIDATION in generated:
        combined[SDS_VALIDATION] = copied(generated[SDS_VALIDATION])
