# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The planner: demo + context → plan. It does no I/O: the same input always gives the same plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ansible_collections.meshlab.envoy.plugins.module_utils._common.yaml_text import plain
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.changes.demo_changes import (
    Variant,
    traffic_during,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.demo_source import DemoSource
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError, check_known
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import Demo, read_demo
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import EXPORTER
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy import versions
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.deployed.interruptions import (
    interruptions,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.deployed.overlapping_apps import (
    move_changed_apps,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.deployed.start_digest import (
    deployment_record,
    replaced_workloads,
    with_generations,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.envoys.author_proxy_plan import (
    plan_author_proxy,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.exporter import plan_exporter
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.faults.loops import check_loops
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.faults.protocols import check_protocols
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.load.load_plan import (
    context_under_load,
    load_summary,
    under_load,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.notes import check_notes, fill_notes
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.picture.plan_topology import topology_of
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_assertions import plan_assertions
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_endpoints import (
    admin_endpoints,
    published_addresses,
    stats_endpoints,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import (
    Plan,
    PlannedDirectory,
    PlannedFile,
    RecordedDeployment,
    WorkloadData,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_traffic import plan_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.proxy import certificate_of, plan_proxy
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.proxy_files import check_proxies
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.secret_files import (
    refuse_secrets_in_objects,
    with_sensitive_files,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.server import (
    check_servers,
    server_directories,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.service import app_files, plan_service
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.tls.tls_files import needs_demo_certificate
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.tls.traffic_files import traffic_files
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.tls.trust import accepted_certificates
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.context import read_context
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.generated_files import File
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Documents, Platform
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.registry import platform_classes
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload


def make_plan(
    name: str,
    data: Any,
    context: Mapping[str, Any],
    file: str = "",
    platforms: Mapping[str, type[Platform]] | None = None,
    source: DemoSource | None = None,
) -> Plan:
    """Return the plan of a demo.

    Args:
        name: Name of the demo: lower case letters, digits, `-` and `_`.
        data: Content of the demo file, as a YAML parser returns it. docs/write-your-own-demo.md describes its keys.
        context: The keys of `_platform.context.Context`. Two are required: `platform` is the name of a platform, `folder`
            is the path of the deployment folder on the host.
        file: Name of the demo file in errors. The name of the demo by default.
        platforms: Further platforms by name, in addition to those of the collection.
        source: The origin of the data: the texts of its values, and the files relative to the demo file. None: the data has neither.

    Returns:
        The plan: data that JSON represents exactly. docs/plan.md describes its keys.

    Raises:
        DemoError: The demo or the context is wrong, or the platform cannot run the demo.
        UnsupportedVersion: The demo runs an Envoy whose version the collection does not support.
        WorkloadError: The context lacks a key that a workload needs, such as the image of its container.

    Example:
        >>> data = {"summary": "One app", "ports": 20000, "services": {"web": {"port": 8080, "publish": 18080}}}
        >>> context = {"platform": "docker", "folder": "/state", "python": {"image": "python:3.11"}, "app": "..."}
        >>> plan = make_plan("shop", data, context)
        >>> [workload["name"] for workload in plan["workloads"]]
        ['web-1']
        >>> [file["path"] for file in plan["files"]]
        ['app/demo_app.py', 'compose.yaml']
        >>> plan["addresses"]
        [{'name': 'web/app', 'url': 'http://127.0.0.1:18080', 'what': 'app'}]

        >>> try:
        ...     make_plan("shop", {**data, "services": {"web": {"prot": 8080}}}, context, "shop.yml")
        ... except DemoError as error:
        ...     print(error)
        shop.yml: services.web: unknown key 'prot'. Did you mean 'port'?
    """
    known = {**platform_classes(), **(platforms or {})}
    planning_context = context_under_load(read_context(plain(context), known), file or str(name))
    for one in known.values():
        one.check_context(planning_context)
    demo = read_demo(
        plain(name),
        plain(data),
        planning_context.change,
        planning_context.replicas,
        file,
        source or DemoSource(),
    )
    check_notes(demo)
    _check_supported(demo, planning_context.platform, known)
    platform = under_load(known[planning_context.platform](demo, planning_context))
    plan = _plan(platform, (source or DemoSource()).secrets)
    _add_lines(plan, source or DemoSource(), Variant.of(planning_context.change))
    return plan


def _add_lines(plan: Plan, source: DemoSource, variant: Variant) -> None:
    """Add the lines of the demo file to the checks, so that an error of Envoy names the author's line."""
    found = source.of_change(variant.change, variant.step) if variant.change else source
    for check in plan["checks"]:
        if "source" in check:
            check["source"]["lines"] = found.lines_below(check["source"]["key"])


def _check_supported(demo: Demo, platform: str, known: Mapping[str, type[Platform]]) -> None:
    for name in demo["unsupported_on"]:
        check_known(name, known, demo["file"], "unsupported_on", "platform")
    if platform in demo["unsupported_on"]:
        reason = demo["unsupported_on"][platform]
        raise DemoError(demo["file"], f"unsupported_on: the demo does not run on {platform}: {reason}")


def _plan(platform: Platform, secrets: frozenset[str]) -> Plan:
    demo, context = platform.demo, platform.context
    programs = _programs(demo, runs_envoy=not platform.injected_proxies())
    if "envoy" in programs and context.envoy.version:
        versions.require_supported(context.envoy.version)
    check_servers(demo)
    check_proxies(demo)
    move_changed_apps(platform)
    check_protocols(platform)
    check_loops(platform)
    proxies = [
        plan_proxy(one, platform) if one.spec["config"] is None else plan_author_proxy(one, platform)
        for one in platform.proxies()
    ]
    workloads = [workload for proxy in proxies for workload in proxy.workloads]
    variant = Variant.of(context.change)
    during, during_key = traffic_during(demo, variant)
    files = [*app_files(platform), *(file for proxy in proxies for file in proxy.files)]
    files += traffic_files([*demo["traffic"], *during], platform)
    checks = [proxy.check for proxy in proxies if proxy.check]
    for service in demo["services"]:
        service_workloads, service_files = plan_service(service, platform)
        workloads += service_workloads
        files += service_files
    if demo[EXPORTER] is not None:
        exporter, mapping, check = plan_exporter(platform)
        workloads.append(exporter)
        files.append(mapping)
        checks += [check] if check else []
    workloads = platform.complete_workloads([*workloads, *platform.injected_workloads()])
    workloads = with_generations(workloads, platform)
    replaced = replaced_workloads(workloads, context.deployed.workloads)
    record = deployment_record(workloads, platform)
    certificates = [certificate for proxy in proxies for certificate in proxy.certificates]
    certificates += [
        certificate_of(one, platform) for one in platform.injected_proxies() if needs_demo_certificate(one)
    ]
    files = with_sensitive_files(files, secrets, platform.key_mode)
    documents = [
        platform.documents(
            host,
            [one for one in workloads if one.host == host],
            [one for one in files if one.host == host],
            [one["path"] for one in certificates if one["host"] == host],
        )
        for host in platform.hosts
    ]
    refuse_secrets_in_objects((thing for one in documents for thing in one.objects), secrets, demo["file"])
    document_files = [file for one in documents for file in one.files]
    files += with_sensitive_files(document_files, secrets, platform.key_mode)
    traffic = plan_traffic(demo["traffic"], platform, "traffic")
    endpoints = stats_endpoints(platform)
    addresses = published_addresses(platform)
    return {
        "name": demo["name"],
        "summary": load_summary(context) or (variant.entry(demo) if context.change else demo)["summary"],
        "notes": [] if context.load else fill_notes(platform, addresses),
        "warnings": list(
            dict.fromkeys(
                [
                    *(text for proxy in proxies for text in proxy.warnings),
                    *platform.name_warnings(),
                    *platform.network_warnings(workloads),
                ]
            )
        ),
        "replacements": [text for proxy in proxies for text in proxy.replacements],
        "platform": context.platform,
        "folder": context.folder,
        "hosts": list(platform.hosts),
        "trust": {
            one.name: trust for one in platform.proxies() if (trust := accepted_certificates(one, platform))
        },
        "without_replicas": [name for name in demo["services"] if platform.replicas(name) == 0],
        "programs": programs,
        "files": [_file(file) for file in files],
        "directories": [
            *(directory for proxy in proxies for directory in proxy.directories),
            *server_directories(platform),
            *_socket_directories(platform),
            *_document_directories(platform),
        ],
        "certificates": certificates,
        "checks": checks,
        "workloads": [_workload(workload) for workload in workloads],
        "manifests": [one for document in documents for one in document.objects],
        "commands": _commands(documents),
        "admins": admin_endpoints(platform),
        "endpoints": endpoints,
        "addresses": addresses,
        "traffic": traffic,
        "during": plan_traffic(during, platform, during_key),
        "change": context.change,
        "previous": context.deployed.change if context.deployed.workloads else None,
        "rollback": demo["changes"][variant.change]["rollback"] if variant.change else False,
        "assertions": plan_assertions(demo["expectations"], traffic, endpoints, platform),
        "topology": topology_of(demo, [*demo["traffic"], *during]),
        "deployed": cast(RecordedDeployment, record.to_dict()),
        "replaced": [{"workload": one.name, "how": one.replacement} for one in replaced],
        "interruptions": interruptions(replaced, record, platform),
    }


def _programs(demo: Demo, runs_envoy: bool) -> list[str]:
    """Return the names of the roles that provide the programs of the demo. A mesh runs its own proxies."""
    services = demo["services"].values()
    needed = {
        "envoy": runs_envoy
        and (bool(demo["proxies"]) or any(one["sidecar"] is not None for one in services)),
        "demo_app": any(one["server"] is None for one in services),
        EXPORTER: demo[EXPORTER] is not None,
    }
    return [program for program, is_needed in needed.items() if is_needed]


def _socket_directories(platform: Platform) -> list[PlannedDirectory]:
    return [
        {"path": path, "mode": mode, "host": instance.host}
        for group in (*platform.demo["services"], *platform.demo["proxies"])
        for instance in platform.instances(group)
        for path, mode in platform.socket_directories(instance)
    ]


def _document_directories(platform: Platform) -> list[PlannedDirectory]:
    found = platform.document_directories()
    return [{"path": path, "mode": mode, "host": host} for host in platform.hosts for path, mode in found]


def _commands(documents: list[Documents]) -> list[str]:
    return list(dict.fromkeys(command for one in documents for command in one.commands))


def _file(file: File) -> PlannedFile:
    return cast(PlannedFile, file.to_dict())


def _workload(workload: Workload) -> WorkloadData:
    return cast(WorkloadData, workload.to_dict())
