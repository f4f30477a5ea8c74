# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""statsd_exporter: its mapping, what checks it, and the workload that runs it."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import (
    EXPORTER,
    EXPORTER_HTTP,
    EXPORTER_STATSD,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.generated_files import File, digest, titled
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.layout import Layout, netloc
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    Mount,
    Port,
    Probe,
    Workload,
)

EXPORTER_USER = "65534:65534"  # of the official image
EXPORTER_IN_IMAGE = "/bin/statsd_exporter"
HOME = "/etc/statsd_exporter"
# Bytes that wait in the kernel while the exporter is busy: what does not fit is lost. A kernel that allows less takes what it allows.
READ_BUFFER = 1 << 20
MAPPING = f"{EXPORTER}/mapping.yaml"


def plan_exporter(layout: Layout) -> tuple[Workload, File, dict[str, Any] | None]:
    """Return the exporter's workload, its mapping file and, where it can be made, the check of that file."""
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
            f"--statsd.read-buffer={READ_BUFFER}",
            *spec["arguments"],
        ),
        mounts=() if context.local else (Mount(EXPORTER, HOME, writable=False),),
        directory="." if context.local else "/",
        ports=(
            Port(
                http,
                layout.published(EXPORTER, EXPORTER_HTTP),
                name=EXPORTER_HTTP,
                scheme="http",
                peers=layout.peers(EXPORTER, EXPORTER_HTTP),
                metrics=True,
            ),
            *_received(received, spec["statsd_port"], layout.peers(EXPORTER, EXPORTER_STATSD)),
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
        group=EXPORTER,
        container="statsd-exporter",
        sidecar=network is not None,
    )
    check = {
        "name": EXPORTER,
        "image": None if context.local else context.statsd_exporter.image,
        "command": [program, "--check-config", f"--statsd.mapping-config={MAPPING}"],
        "files": [],
        "validated_files": [MAPPING],
    }
    # There is no exporter on the host that sends pods to a cluster: a mapping that it refuses ends the rollout instead.
    return workload, mapping, None if context.pods else check


def _received(port: int, published: int | None, peers: tuple[str, ...]) -> tuple[Port, ...]:
    """Return the ports on which statsd comes: over either from senders that are no part of the demo, over TCP from its Envoys."""
    tcp = Port(port, published, name=EXPORTER_STATSD, peers=peers)
    if published:
        return (Port(port, published, "udp", name=EXPORTER_STATSD, scheme="udp"), tcp)
    return (tcp,) if peers else ()
