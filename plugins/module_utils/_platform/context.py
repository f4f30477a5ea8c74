# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the plan must know of the host: everything that is not in the demo file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from shlex import quote
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError, check_known
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.clusters import is_ip
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.cluster_settings import (
    Settings,
    SettingsError,
    read_settings,
)

EDGES = ("envoy", "service")
MESHES = ("istio",)
PLATFORMS = ("local", "docker", "kubernetes", "openshift")
# What errors call the context, which is not in the demo file.
CONTEXT = "context"


@dataclass(frozen=True)
class Program:
    """A program as all platforms know it; `version` only where it is asserted."""

    image: str = ""
    executable: str = ""
    version: str = ""


@dataclass(frozen=True)
class Context:
    """See "The plan" in docs/architecture.md."""

    platform: str
    folder: str
    bind: str = "127.0.0.1"
    envoy: Program = Program()
    python: Program = Program()
    statsd_exporter: Program = Program()
    supervisord: Program = Program()
    app: str = ""  # the demo app's source text; empty where the image holds it
    app_image: str = ""  # an image of one's own that holds the demo app
    mappings: Mapping[str, Any] = field(default_factory=dict)  # statsd_exporter's default mapping, by style
    network: str = ""  # docker: an existing network to join
    kubernetes: Mapping[str, Any] = field(default_factory=dict)  # see documents.manifests.settings
    # pods: `context` and `namespace`, where they are said
    cluster: Mapping[str, str] = field(default_factory=dict)
    edge: str = "envoy"  # pods: what stands in front, the demo's edge proxies or Services
    mesh: str = ""  # pods: istio, whose proxies take the place of the demo's own
    replicas: Mapping[str, Any] = field(default_factory=dict)  # checked with the demo
    change: str = ""

    @property
    def local(self) -> bool:
        """Whether the platform is processes on the host rather than containers."""
        return self.platform == "local"

    @property
    def pods(self) -> bool:
        """Whether the platform makes all replicas of a group from one description."""
        return self.platform in ("kubernetes", "openshift")

    def typed(self, tool: str) -> str:
        """Return `tool` (kubectl, oc) as people type it to reach the cluster and the namespace that were said."""
        flags = [f"--{key} {quote(self.cluster[key])}" for key in CLUSTER if self.cluster.get(key)]
        return " ".join([tool, *flags])

    @property
    def settings(self) -> Settings:
        """What the cluster's users decided. Raises SettingsError."""
        found = read_settings(self.kubernetes, self.platform == "openshift")
        return replace(found, injected=True) if self.mesh else found


PROGRAMS = tuple(one.name for one in fields(Context) if one.type == "Program")
MAPPINGS = ("mappings", "replicas", "kubernetes", "cluster")
CLUSTER = ("context", "namespace")


def read_context(data: Mapping[str, Any]) -> Context:
    """Return the context that `data` describes; what is missing or null has its default. Raises DemoError."""
    known = [one.name for one in fields(Context)]
    _check_mapping(data, CONTEXT)
    _check_keys(data, known, CONTEXT)
    values = {key: value for key, value in data.items() if value is not None}
    for key in ("platform", "folder"):
        if not values.get(key):
            raise DemoError(CONTEXT, f"{key}: is missing")
    check_known(values["platform"], PLATFORMS, CONTEXT, "platform", "platform")
    check_known(values.get("edge") or "envoy", EDGES, CONTEXT, "edge", "kind of edge")
    if values.get("mesh"):
        check_known(values["mesh"], MESHES, CONTEXT, "mesh", "mesh")
    for key, value in values.items():
        where = f"{CONTEXT}.{key}"
        if key in PROGRAMS:
            values[key] = _program(value, where)
        elif key in MAPPINGS:
            _check_mapping(value, where)
        elif not isinstance(value, str):
            raise DemoError(where, f"has to be text, not '{value}'")
    _check_keys(values.get("cluster") or {}, CLUSTER, f"{CONTEXT}.cluster")
    context = Context(**values)
    try:
        read_settings(context.kubernetes, context.platform == "openshift")
    except SettingsError as error:
        raise DemoError(f"{CONTEXT}.kubernetes", str(error)) from None
    if not is_ip(context.bind):
        raise DemoError(f"{CONTEXT}.bind", f"'{context.bind}' is no IP address, such as 127.0.0.1 or 0.0.0.0")
    return context


def _program(data: Any, where: str) -> Program:
    _check_mapping(data, where)
    _check_keys(data, [one.name for one in fields(Program)], where)
    return Program(**{key: str(value) for key, value in data.items() if value is not None})


def _check_mapping(value: Any, where: str) -> None:
    if not isinstance(value, Mapping):
        raise DemoError(where, f"has to be a mapping, not '{value}'")


def _check_keys(data: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    for key in data:
        check_known(str(key), known, where, "", "key")
