# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of statsd_exporter: its workload, its mapping file and the check of that file."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import (
    EXPORTER,
    EXPORTER_HTTP,
    EXPORTER_STATSD,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import Check
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.generated_files import (
    File,
    digest,
    titled,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.layout import netloc
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    Mount,
    Port,
    Probe,
    Workload,
)

EXPORTER_USER = "65534:65534"  # of the official image
EXPORTER_IN_IMAGE = "/bin/statsd_exporter"
HOME = "/etc/statsd_exporter"
# Bytes that the kernel buffers while the exporter is busy. Further datagrams are lost. A kernel with a lower limit
# applies its limit.
READ_BUFFER = 1 << 20
MAPPING = f"{EXPORTER}/mapping.yaml"
# Formats of tags within a name, which Envoy's sinks do not send. The brackets of an IPv6 address and the commas and hashes of a name
# would be read as tags.
FOREIGN_TAGS = ("signalfx", "influxdb", "librato")
# What separates the fields of each style, and the style in which a name can contain it.
SEPARATORS = {"statsd": (".", "dog_statsd"), "dog_statsd": ("|", "statsd")}


def without_foreign_tags(arguments: Sequence[str]) -> list[str]:
    """Return the options that turn off FOREIGN_TAGS, without those that `arguments` sets: an option must not occur twice."""
    options = [f"statsd.parse-{one}-tags" for one in FOREIGN_TAGS]
    return [f"--no-{option}" for option in options if not any(option in one for one in arguments)]


def _check_names(platform: Platform) -> None:
    """Refuse names of clusters and listeners whose stats the exporter would drop or split in a wrong place."""
    spec, file = platform.demo[EXPORTER], platform.demo["file"]
    mark, other = SEPARATORS[spec["style"]]
    if spec["mapping"] and spec["style"] == "statsd":
        return  # the author's mapping can have the names
    for proxy in platform.proxies():
        for kind in ("clusters", "listeners") if proxy.spec["statsd"] is None else ():
            for name in proxy.spec[kind]:
                if mark in name:
                    raise DemoError(
                        file,
                        f"{proxy.key}.{kind}.{name}: a '{mark}' in a name separates fields of {spec['style']}."
                        f" Rename it, or set {EXPORTER}.style to {other}.",
                    )


def plan_exporter(platform: Platform) -> tuple[Workload, File, Check | None]:
    """Return the exporter's workload, its mapping file and the check of that file, or None where nothing can check it.

    Raises:
        DemoError: A name of a cluster or listener cannot be sent in the style of the exporter.
    """
    _check_names(platform)
    spec, context = platform.demo[EXPORTER], platform.context
    host = platform.instance(EXPORTER).host
    content = spec["mapping"] or context.mappings.get(spec["style"], {})
    mapping = File(MAPPING, titled("statsd_exporter's mapping of Envoy's stats", content), host=host)
    http = platform.port(EXPORTER, EXPORTER_HTTP)
    statsd_port = platform.port(EXPORTER, EXPORTER_STATSD)
    statsd = netloc(platform.bind_address(EXPORTER, EXPORTER_STATSD), statsd_port)
    network = platform.exporter_network()
    mapping_path = f"{platform.path_in_workload(EXPORTER, HOME)}/mapping.yaml"
    workload = Workload(
        name=EXPORTER,
        image=context.statsd_exporter.image,
        command=(
            platform.program(context.statsd_exporter, EXPORTER_IN_IMAGE),
            f"--statsd.mapping-config={mapping_path}",
            f"--web.listen-address={netloc(platform.bind_address(EXPORTER, EXPORTER_HTTP), http)}",
            f"--statsd.listen-udp={statsd}",
            f"--statsd.listen-tcp={statsd}",
            f"--statsd.read-buffer={READ_BUFFER}",
            *without_foreign_tags(spec["arguments"]),
            *spec["arguments"],
        ),
        mounts=platform.mounts(Mount(EXPORTER, HOME, writable=False)),
        directory=platform.working_directory("/"),
        ports=(
            Port(
                http,
                platform.published_port(EXPORTER, EXPORTER_HTTP),
                name=EXPORTER_HTTP,
                scheme="http",
                peers=platform.callers(EXPORTER, EXPORTER_HTTP),
                metrics=True,
            ),
            *_statsd_ports(statsd_port, platform),
        ),
        probe=Probe(
            "http",
            host=platform.own_address(EXPORTER, EXPORTER_HTTP),
            port=http,
            path="/-/ready",
            command=("wget", "--quiet", "--output-document=/dev/null", f"http://127.0.0.1:{http}/-/ready"),
        ),
        network=network,
        aliases=() if network else platform.aliases(platform.instance(EXPORTER)),
        hostname=EXPORTER,
        user=EXPORTER_USER,
        memory_mb=256,
        cpus=1.0,
        stop_seconds=10,
        digest=digest([mapping]),
        group=EXPORTER,
        container="statsd-exporter",
        sidecar=network is not None,
        host=host,
        replacement=platform.replacement,
    )
    return workload, mapping, _check(platform, host)


def _check(platform: Platform, host: str) -> Check | None:
    validator = platform.validator(platform.context.statsd_exporter, EXPORTER_IN_IMAGE)
    if validator is None or not platform.validates_mappings:
        return None
    return {
        "name": EXPORTER,
        "image": validator.image,
        "command": [validator.program, "--check-config", f"--statsd.mapping-config={MAPPING}"],
        "files": [],
        "validated_files": [MAPPING],
        "host": host,
    }


def _statsd_ports(number: int, platform: Platform) -> tuple[Port, ...]:
    """Return the ports that receive statsd: UDP and TCP from outside the demo, TCP from the demo's Envoys."""
    stated = platform.ports[EXPORTER, EXPORTER_STATSD].publish
    published = stated or (
        platform.published_port(EXPORTER, EXPORTER_STATSD)
        if platform.is_called_across_hosts(EXPORTER, EXPORTER_STATSD, 1)
        else None
    )
    callers = platform.callers(EXPORTER, EXPORTER_STATSD)
    tcp = Port(number, published, name=EXPORTER_STATSD, peers=callers)
    if stated:
        return (Port(number, stated, "udp", name=EXPORTER_STATSD, scheme="udp"), tcp)
    return (tcp,) if callers else ()
