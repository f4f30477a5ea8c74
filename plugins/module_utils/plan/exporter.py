# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""statsd_exporter: its mapping, what checks it, and the workload that runs it."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils.documents.workload import Mount, Port, Probe, Workload
from ansible_collections.meshlab.envoy.plugins.module_utils.plan.files import File, digest, to_yaml
from ansible_collections.meshlab.envoy.plugins.module_utils.plan.layout import EXPORTER, Layout

EXPORTER_USER = "65534:65534"  # of the official image
EXPORTER_IN_IMAGE = "/bin/statsd_exporter"
HOME = "/etc/statsd_exporter"
MAPPING = f"{EXPORTER}/mapping.yaml"


def plan_exporter(layout: Layout) -> tuple[Workload, File, dict[str, Any]]:
    """Return the exporter's workload, its mapping file and the check of that file."""
    spec, context = layout.demo[EXPORTER], layout.context
    mapping = File(MAPPING, to_yaml(spec["mapping"] or context.mappings.get(spec["style"], {}), "statsd_exporter's mapping of Envoy's stats"))
    program = context.statsd_exporter.executable if context.local else EXPORTER_IN_IMAGE
    http, statsd = layout.port(EXPORTER, "http"), layout.port(EXPORTER, "statsd")
    beside = None if context.local else spec["beside"]
    workload = Workload(
        name=EXPORTER,
        image=context.statsd_exporter.image,
        command=(
            program,
            f"--statsd.mapping-config={_mapping(layout)}",
            f"--web.listen-address={layout.bind(EXPORTER, 'http')}:{http}",
            f"--statsd.listen-udp={_statsd_bind(layout)}:{statsd}",
            f"--statsd.listen-tcp={_statsd_bind(layout)}:{statsd}",
            *spec["arguments"],
        ),
        mounts=() if context.local else (Mount(EXPORTER, HOME, writable=False),),
        directory="." if context.local else "/",
        ports=(Port(http, layout.published(EXPORTER, "http"), "tcp"),),
        probe=Probe(
            "http",
            port=http,
            path="/-/ready",
            command=("wget", "--quiet", "--output-document=/dev/null", f"http://127.0.0.1:{http}/-/ready"),
        ),
        network=layout.network_owner(beside) if beside else None,
        aliases=() if beside else (EXPORTER,),
        hostname=EXPORTER,
        user=EXPORTER_USER,
        memory_mb=256,
        cpus=1.0,
        stop_seconds=10,
        digest=digest([mapping]),
    )
    check = {
        "name": EXPORTER,
        "image": None if context.local else context.statsd_exporter.image,
        "command": [program, "--check-config", f"--statsd.mapping-config={MAPPING}"],
        "files": [],
        "blames": [MAPPING],
    }
    return workload, mapping, check


def _mapping(layout: Layout) -> str:
    return MAPPING if layout.context.local else f"{HOME}/mapping.yaml"


def _statsd_bind(layout: Layout) -> str:
    """Loopback where every sender shares the exporter's network."""
    everyone = all(layout.shares_exporter_network(proxy) for proxy in layout.proxies())
    return "127.0.0.1" if everyone else "0.0.0.0"

