# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to do about an error that Envoy prints about a configuration."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ansible_collections.meshlab.envoy.plugins.module_utils._common.suggestions import unknown_name

REFERENCE = "https://www.envoyproxy.io/docs/envoy/latest/api-v3/api"
# The remedy for the first pattern that matches the error. `{0}` is the first group.
REMEDIES = (
    (r"could not find @type", "Correct '@type', or use a build of Envoy with this extension."),
    (r"with type URL: ''", "Add the configuration of the extension in 'typed_config', with its '@type'."),
    (r"registered implementation for .* with type URL", "Correct '@type', or use a build of Envoy with this extension."),
    (r"oneof .*(?:already|multiple)|already (?:been )?set", "Remove one of the two fields: they exclude each other."),
    (r"unknown enum value|invalid enum value", f"Use one of the values of the field in Envoy's reference: {REFERENCE}."),
    (r"(?:value )?is required|has no value|must be set", "Add the field."),
    (r"value length must be at least|must not be empty|at least \d+ item", "Add a value."),
    (r"Unexpected type .*legacy mode|legacy mode|@type", "Add '@type' with the type of the message as the first field."),
    (r"[Dd]uplicate|[Uu]nique|already exists", "Rename or remove one of the two."),
    (
        r"missing \)|missing \]|invalid perl operator|bad repetition|no argument for repetition|[Rr]egex",
        "Correct the regular expression, in the syntax of RE2.",
    ),
    (r"is the last filter|terminal filter", "End the list with a terminal filter, such as envoy.filters.http.router."),
    (
        r"[Ii]nvalid path|does not exist|No such file|unable to read file|Failed to load|cannot open",
        "Provide the file where Envoy reads it, or correct the path.",
    ),
    (r"[Ff]ailed to parse|[Ii]llegal duration|[Dd]uration", "Write a duration in seconds with the unit, such as 0.25s."),
    (r"certificate|private key|PEM|ssl", "Correct the certificate or the key."),
    (r"malformed IP|IP address", "Write an IP address."),
    (r"value must be", "Change the value to one in this range."),
)  # fmt: skip
UNKNOWN_FIELD = re.compile(r"no such field|Cannot find field")
UNKNOWN_CLUSTER = re.compile(r"unknown cluster '([^']*)'|unknown target cluster '([^']*)'")
DEFAULT = "Correct this part of the configuration."


IN_LOG = "See the log of the Envoy."


def remedy(
    text: str, clusters: Sequence[str], key: str = "", default: str = DEFAULT, message_type: str = ""
) -> str:
    """Return what to do about an error, as a sentence.

    Args:
        text: The error.
        clusters: The names of the clusters of the proxy.
        key: The key of the proxy in the demo file. Empty without a demo file.
        default: The sentence for an error without its own.
        message_type: The type of the message that lacks a field.

    Example:
        >>> remedy("route: unknown cluster 'webb'", ["web"], "proxies.edge")
        "Did you mean 'web'? The clusters of this proxy are: web. Correct the name, or add the cluster under 'proxies.edge.clusters'."
    """
    if found := UNKNOWN_CLUSTER.search(text):
        name = found[1] or found[2] or ""
        near = unknown_name("cluster", name, clusters).partition("Did you mean ")[2]
        known = (
            f"The clusters of this proxy are: {', '.join(clusters)}."
            if clusters
            else "This proxy has no clusters."
        )
        place = f" under '{key}.clusters'" if key else ""
        return (
            f"{f'Did you mean {near} ' if near else ''}{known} Correct the name, or add the cluster{place}."
        )
    if UNKNOWN_FIELD.search(text):
        of_message = f" of {message_type}" if message_type else ""
        return f"Correct the name of the field{of_message}, or move it to the message that has it."
    return next((sentence for pattern, sentence in REMEDIES if re.search(pattern, text)), default)
