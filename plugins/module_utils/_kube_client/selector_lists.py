# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of several label selectors, by as few requests as possible."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.thread_pool import map_to_dict
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.api_server import KubernetesObject
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import Cluster

Labels = Mapping[str, str]

# One requirement of a selector: the label has the value.
_EQUALS = re.compile(r"([A-Za-z0-9_./-]+)==?([A-Za-z0-9_.-]+)")
# Values of one request. They are in its URL, whose length proxies limit.
_VALUES_AT_ONCE = 50


def list_by_selector(
    cluster: Cluster, kind: str, selectors: Iterable[str], namespace: str = ""
) -> dict[str, list[KubernetesObject]]:
    """Return the objects of a kind by label selector.

    Selectors that differ only in the value of one label share a request.

    Args:
        cluster: The cluster.
        kind: The kind, as `Pod`.
        selectors: The label selectors.
        namespace: The namespace; that of the cluster's client by default.

    Raises:
        ClusterError: A request failed.
    """
    requests = dict(_requests(list(dict.fromkeys(selectors))))
    options = {"namespace": namespace} if namespace else {}
    found = map_to_dict(lambda request: cluster.list(kind, request, **options), requests)
    return {
        selector: [one for one in found[request] if labels is None or _has_labels(one, labels)]
        for request, answered in requests.items()
        for selector, labels in answered.items()
    }


def _requests(selectors: Sequence[str]) -> Iterator[tuple[str, dict[str, Labels | None]]]:
    """Yield the selector of each request, with the selectors that it answers and their labels (None: all of its objects)."""
    similar: dict[tuple[str, ...], dict[str, Labels]] = {}
    for selector in selectors:
        labels = _labels(selector)
        if labels is None:
            yield selector, {selector: None}
        else:
            similar.setdefault(tuple(sorted(labels)), {})[selector] = labels
    for names, group in similar.items():
        differing = [name for name in names if len({labels[name] for labels in group.values()}) > 1]
        if len(differing) != 1:
            for selector in group:
                yield selector, {selector: None}
            continue
        [differing_name] = differing
        entries = list(group.items())
        for start in range(0, len(entries), _VALUES_AT_ONCE):
            part = dict(entries[start : start + _VALUES_AT_ONCE])
            _selector, common = entries[start]
            values = ",".join(dict.fromkeys(labels[differing_name] for labels in part.values()))
            terms = [f"{name}={common[name]}" for name in names if name != differing_name]
            yield ",".join([*terms, f"{differing_name} in ({values})"]), {**part}


def _labels(selector: str) -> Labels | None:
    """Return the labels that a selector requires; None if it has any other requirement.

    Example:
        >>> _labels("demo=shop,name=web"), _labels("demo=shop,name!=web")
        ({'demo': 'shop', 'name': 'web'}, None)
    """
    found = [_EQUALS.fullmatch(term.strip()) for term in selector.split(",")]
    labels = {term[1]: term[2] for term in found if term}
    return labels if len(labels) == len(found) else None


def _has_labels(thing: Mapping[str, Any], labels: Labels) -> bool:
    own = thing["metadata"].get("labels") or {}
    return all(own.get(name) == value for name, value in labels.items())
