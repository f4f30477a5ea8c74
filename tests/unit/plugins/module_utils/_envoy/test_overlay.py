# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the rule by which an author's fields are merged into generated messages."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.any_message import any_message
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.clusters import cluster
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.message_types import FIELDS, ONEOFS
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.overlay import (
    BOOTSTRAP,
    HTTP_CONNECTION_MANAGER,
    overlay,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.tls_contexts import (
    downstream_transport_socket,
    upstream_transport_socket,
)

URI = [{"san_type": "URI", "matcher": {"exact": "spiffe://shop.example.com/payments"}}]
DNS = [{"san_type": "DNS", "matcher": {"exact": "web"}}]
COMPANY_CA = {"filename": "/etc/company/ca.crt"}


@pytest.mark.parametrize(
    ("overrides", "merged"),
    [
        (None, {"a": {"b": 1}, "l": [1]}),
        ({"c": 2}, {"a": {"b": 1}, "l": [1], "c": 2}),
        ({"a": {"c": 2}}, {"a": {"b": 1, "c": 2}, "l": [1]}),
        ({"a": {"b": 3}}, {"a": {"b": 3}, "l": [1]}),
        ({"l": [2]}, {"a": {"b": 1}, "l": [2]}),
        ({"l": []}, {"a": {"b": 1}, "l": []}),
        ({"l": None}, {"a": {"b": 1}}),
        ({"a": {"b": None}}, {"a": {}, "l": [1]}),
        ({"a": 5, "l": {"x": 1}}, {"a": 5, "l": {"x": 1}}),
    ],
)
def test_messages_merge_and_other_values_replace(overrides: Any, merged: Any) -> None:
    message = {"a": {"b": 1}, "l": [1]}
    assert overlay(message, overrides) == merged
    assert message == {"a": {"b": 1}, "l": [1]}


@pytest.mark.parametrize("field", ["clusters", "listeners"])
def test_static_resources_are_extended(field: str) -> None:
    message = {"static_resources": {field: [{"name": "admin"}]}}
    merged = overlay(message, {"static_resources": {field: [{"name": "mine"}]}}, BOOTSTRAP)
    assert [one["name"] for one in merged["static_resources"][field]] == ["admin", "mine"]


@pytest.mark.parametrize(
    ("message_type", "field"), [(BOOTSTRAP, "stats_sinks"), (HTTP_CONNECTION_MANAGER, "access_log")]
)
def test_sinks_and_access_logs_are_extended(message_type: str, field: str) -> None:
    merged = overlay({field: [{"name": "a"}]}, {field: [{"name": "b"}]}, message_type)
    assert [one["name"] for one in merged[field]] == ["a", "b"]
    assert overlay({field: [{"name": "a"}]}, {field: None}, message_type) == {}


def test_any_of_another_type_replaces() -> None:
    message = {"typed_config": any_message("a.A", x=1)}
    other = {"typed_config": any_message("b.B", y=2)}
    assert overlay(message, other) == other


@pytest.mark.parametrize("override", [any_message("a.A", y=2), {"y": 2}], ids=["with its type", "without"])
def test_any_of_the_same_type_merges(override: dict[str, Any]) -> None:
    message = {"typed_config": any_message("a.A", x=1)}
    assert overlay(message, {"typed_config": override}) == {"typed_config": any_message("a.A", x=1, y=2)}


def test_extension_of_another_name_replaces() -> None:
    message = {"transport_socket": {"name": "tls", "typed_config": any_message("a.A", x=1)}}
    assert overlay(message, {"transport_socket": {"name": "raw"}}) == {"transport_socket": {"name": "raw"}}
    merged = overlay(message, {"transport_socket": {"name": "tls", "typed_config": {"x": 2}}})
    assert merged["transport_socket"]["typed_config"] == any_message("a.A", x=2)


GROUPS = [
    pytest.param(message_type, group, id=f"{message_type.rpartition('.')[2]}.{group[0]}")
    for message_type, groups in ONEOFS.items()
    for group in groups
]


@pytest.mark.parametrize(("message_type", "group"), GROUPS)
def test_field_of_a_oneof_removes_its_alternatives(message_type: str, group: tuple[str, ...]) -> None:
    for generated in group:
        for chosen in group:
            assert overlay({generated: 1, "other": 2}, {chosen: 3}, message_type) == {"other": 2, chosen: 3}


@pytest.mark.parametrize(("message_type", "group"), GROUPS)
def test_null_of_a_oneof_keeps_its_alternatives(message_type: str, group: tuple[str, ...]) -> None:
    assert overlay({group[0]: 1}, {group[1]: None}, message_type) == {group[0]: 1}
    assert overlay({group[0]: 1}, {group[0]: None}, message_type) == {}


def test_both_fields_of_an_author_are_kept_for_envoy() -> None:
    both = {"stats_flush_interval": "2s", "stats_flush_on_admin": True}
    assert overlay({"stats_flush_interval": "1s"}, both, BOOTSTRAP) == both


def test_types_of_nested_messages_are_known() -> None:
    message = {"admin": {"address": {"pipe": {"path": "a"}}}}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": 1}}
    assert overlay(message, {"admin": {"address": address}}, BOOTSTRAP) == {"admin": {"address": address}}


def test_camel_case_is_the_same_field() -> None:
    merged = overlay({"stats_flush_interval": "1s"}, {"statsFlushOnAdmin": True}, BOOTSTRAP)
    assert merged == {"stats_flush_on_admin": True}
    context = author_context(
        {"combinedValidationContext": {"defaultValidationContext": {"matchTypedSubjectAltNames": URI}}}
    )
    assert context["combined_validation_context"]["default_validation_context"] == {
        "match_typed_subject_alt_names": URI
    }


def test_names_in_maps_keep_their_case() -> None:
    merged = overlay({"node": {"metadata": {}}}, {"node": {"metadata": {"appName": 1}}}, BOOTSTRAP)
    assert merged == {"node": {"metadata": {"appName": 1}}}


def test_every_field_type_is_in_the_table() -> None:
    assert all(inner in FIELDS for fields in FIELDS.values() for inner in fields.values())
    assert ONEOFS.keys() <= FIELDS.keys()


def author_context(common: dict[str, Any], side: str = "upstream", client: bool = True) -> dict[str, Any]:
    """Return the rendered CommonTlsContext with an author's `common` fields."""
    tls = {"client_certificate": client, "context": {"common_tls_context": copy.deepcopy(common)}}
    socket = (
        upstream_transport_socket("s", tls, "web")
        if side == "upstream"
        else downstream_transport_socket("s", tls, ("h2", "http/1.1"))
    )
    found: dict[str, Any] = socket["typed_config"]["common_tls_context"]
    return found


def trust(context: dict[str, Any]) -> dict[str, Any]:
    """Return the alternatives of the oneof `validation_context_type` that are set."""
    (group, _certificates) = ONEOFS["envoy.extensions.transport_sockets.tls.v3.CommonTlsContext"]
    return {field: context[field] for field in group if field in context}


def test_san_matcher_of_an_author_is_the_only_one() -> None:
    default = {"match_typed_subject_alt_names": URI}
    found = trust(author_context({"combined_validation_context": {"default_validation_context": default}}))
    assert found.keys() == {"combined_validation_context"}
    combined = found["combined_validation_context"]
    assert combined["default_validation_context"] == default
    assert combined["validation_context_sds_secret_config"]["name"] == "validation_context"


@pytest.mark.parametrize(
    "fields",
    [
        {"match_subject_alt_names": [{"exact": "spiffe://shop"}]},
        {"verify_certificate_hash": ["ab"]},
        {"verify_certificate_spki": ["ab"]},
        {"custom_validator_config": {"name": "envoy.tls.cert_validator.spiffe"}},
    ],
    ids=lambda fields: str(next(iter(fields))),
)
def test_identity_of_an_author_removes_the_server_name(fields: dict[str, Any]) -> None:
    found = trust(author_context({"combined_validation_context": {"default_validation_context": fields}}))
    assert found["combined_validation_context"]["default_validation_context"] == fields
    assert "validation_context_sds_secret_config" in found["combined_validation_context"]


@pytest.mark.parametrize(
    "authority",
    [
        {"trusted_ca": COMPANY_CA},
        {"system_root_certs": {}},
        {"ca_certificate_provider_instance": {"instance_name": "company"}},
    ],
    ids=lambda fields: str(next(iter(fields))),
)
def test_authority_of_an_author_removes_the_secret(authority: dict[str, Any]) -> None:
    found = trust(author_context({"combined_validation_context": {"default_validation_context": authority}}))
    assert found == {"validation_context": {**authority, "match_typed_subject_alt_names": DNS}}


def test_authority_of_a_listener_removes_the_secret() -> None:
    default = {"trusted_ca": COMPANY_CA, "match_typed_subject_alt_names": URI}
    context = {"combined_validation_context": {"default_validation_context": default}}
    assert trust(author_context(context, "downstream")) == {"validation_context": default}


def test_secret_of_a_listener_stays_with_san_matchers() -> None:
    context = {
        "combined_validation_context": {"default_validation_context": {"match_typed_subject_alt_names": URI}}
    }
    combined = trust(author_context(context, "downstream"))["combined_validation_context"]
    assert combined["default_validation_context"] == {"match_typed_subject_alt_names": URI}
    assert combined["validation_context_sds_secret_config"]["name"] == "validation_context"


@pytest.mark.parametrize("side", ["upstream", "downstream"])
def test_validation_context_of_an_author_applies_alone(side: str) -> None:
    context = {"validation_context": {"trusted_ca": COMPANY_CA}}
    assert trust(author_context(context, side)) == context


@pytest.mark.parametrize("side", ["upstream", "downstream"])
def test_secret_of_an_author_replaces_the_whole_secret(side: str) -> None:
    context = {"validation_context_sds_secret_config": {"name": "mine"}}
    assert trust(author_context(context, side)) == context


def test_secret_of_an_author_in_a_combined_context_stays() -> None:
    default = {"trusted_ca": COMPANY_CA}
    secret = {"name": "mine"}
    context = {
        "combined_validation_context": {
            "default_validation_context": default,
            "validation_context_sds_secret_config": secret,
        }
    }
    combined = trust(author_context(context))["combined_validation_context"]
    assert combined["validation_context_sds_secret_config"] == secret
    assert combined["default_validation_context"] == {**default, "match_typed_subject_alt_names": DNS}


def test_null_secret_leaves_only_the_default_context() -> None:
    context = {"combined_validation_context": {"validation_context_sds_secret_config": None}}
    assert trust(author_context(context)) == {"validation_context": {"match_typed_subject_alt_names": DNS}}


def test_certificates_of_an_author_replace_the_secret() -> None:
    certificates = [{"certificate_chain": COMPANY_CA, "private_key": {"filename": "key"}}]
    context = author_context({"tls_certificates": certificates})
    assert context["tls_certificates"] == certificates
    assert "tls_certificate_sds_secret_configs" not in context


def test_alpn_of_an_author_is_the_whole_offer() -> None:
    assert author_context({"alpn_protocols": ["http/1.1"]}, "downstream")["alpn_protocols"] == ["http/1.1"]


def test_trust_in_the_transport_socket_of_a_cluster() -> None:
    context = {
        "combined_validation_context": {"default_validation_context": {"match_typed_subject_alt_names": URI}}
    }
    overrides = {"transport_socket": {"typed_config": {"common_tls_context": context}}}
    message = cluster("c", [("10.0.0.1", 1)], overrides, {"client_certificate": False}, "s", "web")
    found = trust(message["transport_socket"]["typed_config"]["common_tls_context"])
    assert found["combined_validation_context"]["default_validation_context"] == {
        "match_typed_subject_alt_names": URI
    }
