# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster's errors as refusals of the platform."""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    PlatformRefused,
    PlatformUnavailable,
)


class NamespaceMissing(PlatformUnavailable):
    """The namespace does not exist, or not yet."""


def refusal(error: ClusterError) -> PlatformRefused:
    """Return the refusal for an error; PlatformUnavailable, which check mode tolerates, if there is no cluster that answers."""
    kind = PlatformUnavailable if error.reason in ("no_cluster", "timeout", "server") else PlatformRefused
    return kind(sentence(error.message))


def sentence(text: str) -> str:
    """Return a text as a sentence: with a capital, unless it begins with a name, and with a full stop.

    Example:
        >>> sentence("ci is forbidden to list pods")
        'Ci is forbidden to list pods.'
        >>> sentence("system:ci is forbidden to list pods.")
        'system:ci is forbidden to list pods.'
    """
    first = text.partition(" ")[0]
    return (text[:1].upper() + text[1:] if first.isalpha() else text).rstrip(". ") + "."
