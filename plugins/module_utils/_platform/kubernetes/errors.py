# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cluster said, as a platform's refusal. Pure."""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    PlatformRefused,
    PlatformUnavailable,
)


class NoNamespace(PlatformUnavailable):
    """The namespace is not there, or not yet."""


def refusal(error: ClusterError) -> PlatformRefused:
    """Return what keeps this user from the cluster as a refusal, where the cluster is not there as one that check mode lets pass."""
    if error.reason in ("no_cluster", "timeout", "server"):
        return PlatformUnavailable(sentence(error.message))
    return PlatformRefused(sentence(error.message))


def sentence(words: str) -> str:
    """Return words as the start of a sentence, without the end that is added to it. A name stays as it is."""
    first = words.partition(" ")[0]
    return (words if not first.isalpha() else words[:1].upper() + words[1:]).rstrip(". ")
