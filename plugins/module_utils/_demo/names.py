# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names that an author chooses: those of instances, and those that only Envoy uses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# Names of services and proxies become host names, container names and directories: a DNS label, short enough for the suffixes of
# a plan. `_` is allowed because Envoy's own examples use it, and Docker's DNS and Envoy resolve such names.
NAME = re.compile(r"[a-z0-9]([a-z0-9_-]{0,40}[a-z0-9])?")
# Names of listeners, filter chains and clusters: Envoy requires one character or more (its protobuf constraints). This also excludes
# characters that no stat name and no log line can show.
ENVOY_NAME = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
LONGEST_ENVOY_NAME = 200
# The ends of placeholders: `${edge/http.port}` is a part of the address `${edge/http}`.
PARTS = (".host", ".port")


def name_problem(name: str) -> str:
    """Return how to correct the name of a demo, a service or a proxy. Empty: it is valid."""
    if NAME.fullmatch(name):
        return ""
    return "Use at most 42 lower case letters, digits, '-' and '_', with a letter or digit at the start and at the end."


def envoy_name_problem(name: str) -> str:
    """Return how to correct the name of a listener, a filter chain or a cluster. Empty: it is valid.

    Example:
        >>> envoy_name_problem("outbound|8080||web.shop.svc.cluster.local")
        ''
    """
    if len(name) > LONGEST_ENVOY_NAME:
        return f"It has {len(name)} characters. Use at most {LONGEST_ENVOY_NAME}."
    if not ENVOY_NAME.fullmatch(name):
        return "Use printable ASCII characters, without blanks at the start and at the end."
    return ""


def cluster_name(key: str, cluster: Mapping[str, Any]) -> str:
    """Return the name of a cluster in Envoy: its key in the demo, or the name in the author's fields."""
    return str(cluster["cluster"].get("name") or key)


def cluster_key(clusters: Mapping[str, Mapping[str, Any]], name: str) -> str:
    """Return the key of the cluster with a name in Envoy. Empty: the demo does not state it."""
    if name in clusters and cluster_name(name, clusters[name]) == name:
        return name  # the usual case, without a search: a proxy can have thousands of clusters
    return next((key for key, one in clusters.items() if cluster_name(key, one) == name), "")
