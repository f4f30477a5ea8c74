# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificates and keys that the traffic of a demo states as files of its author."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.author_files import author_file
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.demo_source import DemoSource

CLIENT_CERTIFICATE = "client_certificate"
DESCRIPTOR_SET = "descriptor_set"
PAIR = ("certificate", "key")


def with_tls_files(entry: Mapping[str, Any], file: str, where: str, source: DemoSource) -> dict[str, Any]:
    """Return an entry of traffic with an AuthorFile in place of each `{source: …}` and `{content: …}` of its keys for paths.

    Raises:
        DemoError: A file cannot be read, or has another form.
    """
    found = dict(entry)
    if isinstance(found.get("ca"), Mapping):
        found["ca"] = author_file(found["ca"], file, f"{where}.ca", source)
    if isinstance(found.get(DESCRIPTOR_SET), Mapping):
        found[DESCRIPTOR_SET] = author_file(found[DESCRIPTOR_SET], file, f"{where}.{DESCRIPTOR_SET}", source)
    pair = found.get(CLIENT_CERTIFICATE)
    if isinstance(pair, Mapping):
        found[CLIENT_CERTIFICATE] = {
            key: author_file(one, file, f"{where}.{CLIENT_CERTIFICATE}.{key}", source)
            if key in PAIR and isinstance(one, Mapping)
            else one
            for key, one in pair.items()
        }
    return found
