# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""statsd_exporter: its mapping, what checks it, and the workload that runs it."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils.documents.workload import (
    Mount,
    Port,
    Probe,
    Workload,
)
from ansible_collections.meshlab.envoy.plugins.module_utils.plan.files import File, digest, titled
from ansible_collections.meshlab.envoy.plugins.module_utils.plan.layout import Layout, netloc
from ansible_collections.meshlab.envoy.plugins.module_utils.plan.topology import (
    EXPORTER,
    EXPORTER_HTTP,
    EXPORTER_STATSD,
)

EXPORTER_USER = "65534:65534"  # of the official image
EXPORTER_IN_IMAGE = "/bin/statsd_exporter"
HOME = "/etc/statsd_exporter"
MAPPING = f"{EXPORTER}/mapping.yaml"


def plan_exporter(layout: Layout) -> tuple[Workload, File, dict[str, Any]]:
    """Return the exporter's workload, its mapping file and the check of that file."""
    spec, context = layout.demo[EXPORTER], layout.context
    content = spec["mapping"] or context.mappings.get(spec["style"], {})
    mapping = File(MAPPING, titled("statsd_exporter's mapping of Envoy's stats", content))
    program = context.statsd_exporter.executable if context.local else EXPORTER_IN_IMAGE
    http = layout.port(EXPORTER, EXPORTER_HTTP)
    received = layout.port(EXPORTER, EXPORTER_STATSD)
    statsd = netloc(layout.bind(EXPORTER, EXPORTER_STATSD), received)
    network = layout.exporter_network()
    workload = Workload(
        name=EXPORTER,
        image=context.statsd_exporter.image,
        command=(
            program,
            f"--statsd.mapping-config={MAPPING if context.local else f'{HOME}/mapping.yaml'}",
            f"--web.listen-address={netloc(layout.bind(EXPORTER, EXPORTER_HTTP), http)}",
            f"--statsd.listen-udp={statsd}",
            f"--statsd.listen-tcp={statsd}",
            *spec["arguments"],
        ),
        mounts=() if context.local else (Mount(EXPORTER, HOME, writable=False),),
        directory="." if context.local else "/",
        ports=(
            Port(http, layout.published(EXPORTER, EXPORTER_HTTP), "tcp"),
            *_received(received, spec["receive"]),
        ),
        probe=Probe(
            "http",
            host=layout.inside(EXPORTER, EXPORTER_HTTP),
            port=http,
            path="/-/ready",
            command=("wget", "--quiet", "--output-document=/dev/null", f"http://127.0.0.1:{http}/-/ready"),
        ),
        network=network,
        aliases=() if network else (EXPORTER,),
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


def _received(port: int, published: int | None) -> tuple[Port, ...]:
    """Return the ports of senders that are no part of the demo: statsd goes over either."""
    return (Port(port, published, "udp"), Port(port, published, "tcp")) if published else ()
