# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""demo + context → plan: pure, so that the same demo on the same host is the same plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from shlex import quote
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.yaml_text import plain
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError, check_known
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import Demo, read
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import EXPORTER
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy import versions
from ansible_collections.meshlab.envoy.plugins.module_utils._plan import verification
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.exporter import plan_exporter
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.generated_files import (
    File,
    titled,
    titled_all,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.notes import check as check_notes
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.notes import notes
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.proxy import plan_proxy
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.server import check as check_servers
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.server import server_directories
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.service import app_files, plan_service
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.context import (
    PLATFORMS,
    Context,
    read_context,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.documents import compose
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes import istio
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.documents import (
    FILE as MANIFESTS,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.documents import manifests
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.config_maps import (
    secret_name,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.object_names import (
    DEMO,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.services import (
    authority_file,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.service_edge import (
    without_edges,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.layout import Layout
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.documents import supervisord_conf
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.openshift.template import (
    AUTHORITY,
    template,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.openshift.template import (
    FILE as TEMPLATE,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload


def make_plan(name: str, data: Any, context: Mapping[str, Any], file: str = "") -> dict[str, Any]:
    """Return the plan of the demo `name`; see "The plan" in docs/architecture.md for its shape.

    `data` is the demo file's content, `file` what errors call it. The answer is plain data, which JSON takes as it is.
    Raises DemoError, UnsupportedVersion where the demo runs an Envoy that this collection was not tested with, and
    WorkloadError where the context lacks what a workload needs.
    """
    known = read_context(plain(context))
    demo = read(plain(name), plain(data), known.change, known.replicas, file)
    check_notes(demo)
    for platform in demo["unsupported_on"]:
        check_known(platform, PLATFORMS, demo["file"], "unsupported_on", "platform")
    if known.platform in demo["unsupported_on"]:
        raise DemoError(
            demo["file"],
            f"unsupported_on: on {known.platform} it does not run: {demo['unsupported_on'][known.platform]}",
        )
    if known.pods and known.mesh:
        return plan(istio.in_mesh(demo), known, istio.objects(demo))
    if known.pods and known.edge == "service":
        demo = without_edges(demo)
    return plan(demo, known)


def plan(demo: Demo, context: Context, more: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """Return the plan of a demo that was read, without its defaults left to fill in; `more` are objects beside its own."""
    programs = _programs(demo)
    if "envoy" in programs and context.envoy.version:
        versions.require_supported(context.envoy.version)
    check_servers(demo)
    layout = Layout(demo, context)
    proxies = [plan_proxy(proxy, layout) for proxy in layout.proxies()]
    workloads = [proxy.workload for proxy in proxies]
    files = [*app_files(layout), *(file for proxy in proxies for file in proxy.files)]
    checks = [proxy.check for proxy in proxies]
    for service in demo["services"]:
        added, only_its_own = plan_service(service, layout)
        workloads += added
        files += only_its_own
    if demo[EXPORTER] is not None:
        exporter, mapping, check = plan_exporter(layout)
        workloads.append(exporter)
        files.append(mapping)
        checks += [check] if check else []
    certificates = [certificate for proxy in proxies for certificate in proxy.certificates]
    documents, objects, commands = _documents(demo, workloads, files, certificates, context, more)
    files += documents
    endpoints = verification.endpoints(layout)
    change = demo["changes"].get(context.change)
    during = (
        verification.traffic(change["during"], layout, f"changes.{context.change}.during") if change else []
    )
    traffic = verification.traffic(demo["traffic"], layout, "traffic")
    addresses = verification.addresses(layout)
    return {
        "name": demo["name"],
        "summary": change["summary"] if change else demo["summary"],
        "notes": notes(layout, addresses),
        "platform": context.platform,
        "folder": context.folder,
        "programs": programs,
        "files": [file.to_dict() for file in files],
        "directories": [
            *(directory for proxy in proxies for directory in proxy.directories),
            *server_directories(layout),
        ],
        "certificates": certificates,
        "checks": checks,
        "workloads": [workload.to_dict() for workload in workloads],
        "manifests": objects,
        "commands": commands,
        "admins": [verification.admin(proxy, layout) for proxy in layout.proxies()],
        "endpoints": endpoints,
        "addresses": addresses,
        "traffic": traffic,
        "during": during,
        "assertions": verification.assertions(demo["expectations"], traffic, layout),
    }


def _programs(demo: Demo) -> list[str]:
    """Return what must be provided, by the names of the roles that do."""
    services = demo["services"].values()
    wanted = {
        "envoy": bool(demo["proxies"]) or any(one["sidecar"] is not None for one in services),
        "demo_app": any(one["server"] is None for one in services),
        EXPORTER: demo[EXPORTER] is not None,
    }
    return [program for program, is_wanted in wanted.items() if is_wanted]


def _documents(
    demo: Demo,
    workloads: list[Workload],
    files: list[File],
    certificates: list[dict[str, Any]],
    context: Context,
    more: Sequence[dict[str, Any]],
) -> tuple[list[File], list[dict[str, Any]], list[str]]:
    """Return what the platform reads, the same as objects where it is an API server that reads them, and how to run it by hand."""
    name = demo["name"]
    if context.local:
        return (
            [File("supervisord.conf", supervisord_conf(name, workloads))],
            [],
            ["supervisord -c supervisord.conf"],
        )
    if context.pods:
        return _manifests(demo, workloads, files, certificates, context, more)
    document = compose(name, workloads, context.bind, context.network or None)
    return [File("compose.yaml", titled(f"{name}: docker compose up", document))], [], ["docker compose up"]


def _manifests(
    demo: Demo,
    workloads: list[Workload],
    files: list[File],
    certificates: list[dict[str, Any]],
    context: Context,
    more: Sequence[dict[str, Any]],
) -> tuple[list[File], list[dict[str, Any]], list[str]]:
    contents = {file.path: file.content for file in files}
    folders = [certificate["path"] for certificate in certificates]
    name = demo["name"]
    objects = [*manifests(name, workloads, contents, folders, context.settings), *more]
    # Keys are made where the demo is deployed or rendered, and are in none of its documents.
    public = [one for one in objects if one["kind"] != "Secret"]
    tool = context.typed("oc" if context.platform == "openshift" else "kubectl")
    secrets: list[str] = []
    for folder in folders:
        secret = secret_name(name, folder)
        secrets.append(f"{tool} create secret generic {secret} --from-file={folder}")
        # By its label it is the demo's own: a deploy takes it over, and a teardown removes it.
        secrets.append(f"{tool} label secret {secret} {DEMO}={name}")
    trusted = {one["metadata"]["name"]: path for one in public if (path := authority_file(one))}
    by_hand = [
        *secrets,
        f"{tool} apply -f {MANIFESTS}",
        *(_trust(tool, route, path) for route, path in trusted.items()),
    ]
    documents = [File(MANIFESTS, titled_all(f"{name}: {' && '.join(by_hand)}", public))]
    if context.platform == "openshift":
        namespace = context.cluster.get("namespace")
        chosen = [f"-p NAMESPACE={quote(namespace) if namespace else f'$({tool} project -q)'}"]
        chosen += [f'-p {AUTHORITY}="$(cat {path})"' for path in [*trusted.values()][:1]]
        by_hand = [*secrets, f"{tool} process -f {TEMPLATE} {' '.join(chosen)} | {tool} create -f -"]
        made = template(name, demo["summary"], public)
        documents.append(File(TEMPLATE, titled(f"{name}: {' && '.join(by_hand)}", made)))
    return documents, objects, by_hand


def _trust(tool: str, route: str, path: str) -> str:
    """Return the command that has a Route believe the authority in a file: as JSON, in which a line's end is `\\n`."""
    lines = f"$(sed 's/$/\\\\n/' {path} | tr -d '\\n')"
    patch = f'{{\\"spec\\": {{\\"tls\\": {{\\"destinationCACertificate\\": \\"{lines}\\"}}}}}}'
    return f'{tool} patch route {route} --type merge --patch "{patch}"'
