# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules between the keys of `tls`, of a listener or of a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.author_files import AuthorFile
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.clusters import is_ip
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.nested_messages import messages_in

# The value of `ca` for the authorities that the system trusts.
SYSTEM = "system"
# The kinds of subject alternative names (the enum SanType of SubjectAltNameMatcher in Envoy's API), by key of the demo.
SAN_TYPES = {"dns": "DNS", "uri": "URI", "ip_address": "IP_ADDRESS", "email": "EMAIL"}
CERTIFICATE, KEY = "certificate_chain", "private_key"
# What the PEM text of each file contains.
PEM = {
    CERTIFICATE: "-----BEGIN CERTIFICATE-----",
    "ca": "-----BEGIN CERTIFICATE-----",
    KEY: "PRIVATE KEY-----",
}


def check_listener_tls(tls: Mapping[str, Any] | None, file: str, where: str) -> None:
    """Raise DemoError if the keys of `tls` of a listener contradict each other."""
    if tls is None:
        return
    _check_tls(tls, file, where)
    if tls["server_name"]:
        raise DemoError(
            file,
            f"{where}.server_name: applies to clusters. Use 'names' for names of the generated certificate.",
        )
    if tls["names"] and tls[CERTIFICATE]:
        raise DemoError(
            file,
            f"{where}.names: the certificate in '{CERTIFICATE}' has its names already. Remove one of the two keys.",
        )
    for key in ("ca", "subject_alt_name"):
        if tls[key] and not tls["client_certificate"]:
            raise DemoError(
                file,
                f"{where}.{key}: verifies client certificates, which the listener does not require."
                " Add 'client_certificate: true'.",
            )


def check_cluster_tls(tls: Mapping[str, Any] | None, file: str, where: str) -> None:
    """Raise DemoError if the keys of `tls` of a cluster contradict each other."""
    if tls is None:
        return
    _check_tls(tls, file, where)
    if tls["names"]:
        raise DemoError(
            file,
            f"{where}.names: applies to listeners. Use 'server_name' or 'subject_alt_name' in a cluster.",
        )


def _check_tls(tls: Mapping[str, Any], file: str, where: str) -> None:
    for key, other in ((CERTIFICATE, KEY), (KEY, CERTIFICATE)):
        if tls[key] and not tls[other]:
            raise DemoError(file, f"{where}.{key}: needs '{other}', too. Add it.")
    for key, begin in PEM.items():
        _check_pem(tls[key], key, begin, file, f"{where}.{key}")
    if (names := tls["subject_alt_name"]) is not None:
        _check_subject_alt_name(names, file, f"{where}.subject_alt_name")
    if any(
        field in message
        for _path, message in messages_in(tls["context"])
        for field in ("system_root_certs", "systemRootCerts")
    ):
        raise DemoError(
            file,
            f"{where}.context: Envoy ignores 'system_root_certs' and accepts any certificate. Use '{where}.ca: {SYSTEM}'.",
        )


def _check_pem(value: AuthorFile | None, key: str, begin: str, file: str, where: str) -> None:
    if value is None or (key == "ca" and value.content == SYSTEM):
        return
    if isinstance(value.content, str) and begin in value.content:
        return
    kind = "private key" if key == KEY else "certificate"
    if value.source:
        raise DemoError(
            file,
            f"{where}: '{value.source}' has no {kind} in PEM ('{begin}'). Convert the file, or use another.",
        )
    choice = f", or '{SYSTEM}' for the authorities of the system" if key == "ca" else ""
    raise DemoError(file, f"{where}: expected a {kind} in PEM. Write {{source: PATH}} for a file{choice}.")


def _check_subject_alt_name(names: Mapping[str, Any], file: str, where: str) -> None:
    keys = ", ".join(SAN_TYPES)
    unknown = [key for key in names if key not in SAN_TYPES]
    if len(names) != 1 or unknown:
        raise DemoError(
            file, f"{where}: expected exactly one of {keys}, got {', '.join(map(str, names)) or 'nothing'}."
        )
    [(kind, value)] = names.items()
    if not value:
        raise DemoError(file, f"{where}.{kind}: empty. Write the name that the certificate must have.")
    if kind == "ip_address" and not is_ip(value):
        raise DemoError(
            file, f"{where}.ip_address: '{value}' is not an IP address. Use 'dns' for a host name."
        )
    if kind == "uri" and "://" not in value:
        raise DemoError(
            file, f"{where}.uri: '{value}' is not a URI, such as 'spiffe://example.com/shop'. Add its scheme."
        )
