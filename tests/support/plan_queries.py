# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a plan in tests: its files, its workloads and the configuration of its proxies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml


def file_of(plan: Mapping[str, Any], path: str) -> Any:
    """Return the content of one YAML file of a plan."""
    return yaml.safe_load(next(one["content"] for one in plan["files"] if one["path"] == path))


def workload_of(plan: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return one workload of a plan."""
    found: dict[str, Any] = next(one for one in plan["workloads"] if one["name"] == name)
    return found


def endpoints_of(cluster: Mapping[str, Any]) -> list[str]:
    """Return `host:port` of each endpoint of a cluster."""
    addresses = [
        endpoint["endpoint"]["address"]["socket_address"]
        for locality in cluster["load_assignment"]["endpoints"]
        for endpoint in locality["lb_endpoints"]
    ]
    return [f"{one['address']}:{one['port_value']}" for one in addresses]


def clusters_of(plan: Mapping[str, Any], proxy: str) -> dict[str, list[str]]:
    """Return the endpoints of each cluster of a proxy, by name of the cluster."""
    return {one["name"]: endpoints_of(one) for one in file_of(plan, f"{proxy}/clusters.yaml")["resources"]}


def listeners_of(plan: Mapping[str, Any], proxy: str) -> dict[str, tuple[str, int]]:
    """Return (address, port) of each listener of a proxy, by name of the listener."""
    static = file_of(plan, f"{proxy}/bootstrap.yaml")["static_resources"]["listeners"]
    found = [*file_of(plan, f"{proxy}/listeners.yaml")["resources"], *static]
    sockets = {one["name"]: one["address"]["socket_address"] for one in found}
    return {name: (one["address"], one["port_value"]) for name, one in sockets.items()}


def sink_of(plan: Mapping[str, Any], proxy: str) -> dict[str, Any]:
    """Return the name and the fields of the stats sink of a proxy."""
    (sink,) = file_of(plan, f"{proxy}/bootstrap.yaml")["stats_sinks"]
    fields = {key: value for key, value in sink["typed_config"].items() if key != "@type"}
    return {"name": sink["name"].rpartition(".")[2], **fields}


def objects_of(plan: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Return the specs of the Kubernetes objects of one kind, by name."""
    return {one["metadata"]["name"]: one["spec"] for one in plan["manifests"] if one["kind"] == kind}
