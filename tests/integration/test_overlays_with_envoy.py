# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the fields that authors write into proxies with real Envoys: trust, ALPN, DNS fields and oneofs of planned demos."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from planned_envoy import plan, start, validate, write

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import (
    run as run_command,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.certificates import openssl
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import Certificate

OK = [{"match": {"prefix": "/"}, "direct_response": {"status": 200}}]
URI = "spiffe://shop.example.com/payments"


def free_ports(number: int) -> list[int]:
    """Return free ports of the loopback."""
    with ExitStack() as stack:
        found = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _number in range(number)]
        return [one.getsockname()[1] for one in found]


@pytest.fixture(scope="module")
def envoy() -> str:
    return os.environ["MESHLAB_ENVOY"]


@pytest.fixture(scope="module", params=["MESHLAB_ENVOY", "MESHLAB_ENVOY_OLDEST"], ids=["newest", "oldest"])
def newest_and_oldest_envoy(request: pytest.FixtureRequest) -> str:
    return os.environ[request.param]


class Deployment:
    """The running Envoys of a planned demo on the platform local, with certificates of one new authority."""

    def __init__(self, envoy: str, folder: Path, data: dict[str, Any]) -> None:
        planned = plan(data, "overlays", "local", str(folder))
        write(planned, folder)
        private = folder / "private"
        private.mkdir()
        authority = new_authority(private)
        for number, certificate in enumerate(planned["certificates"]):
            issue(folder / certificate["path"], certificate, private / f"leaf{number}", authority)
        invalid = [text for check in planned["checks"] if (text := validate(envoy, check, folder))]
        assert not invalid
        self.planned = planned
        self.processes = [
            start(envoy, workload, folder)
            for workload in planned["workloads"]
            if "--config-path" in workload["command"]
        ]

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(60)


@pytest.fixture
def deployed(envoy: str, tmp_path: Path) -> Iterator[Callable[[dict[str, Any]], Deployment]]:
    """Return a function that runs the Envoys of a demo until the end of the test."""
    with ExitStack() as stack:

        def deploy(data: dict[str, Any]) -> Deployment:
            running = Deployment(envoy, tmp_path, data)
            stack.callback(running.stop)
            return running

        yield deploy


def new_authority(private: Path) -> bytes:
    """Return the certificate of a new authority whose files are in `private`."""
    files = openssl.new_authority(private, 2, run_command)
    return files["ca.crt"]


def issue(folder: Path, certificate: dict[str, Any], base: Path, authority: bytes) -> None:
    """Write a certificate, its key and its authority into `folder`."""
    names, addresses = tuple(certificate["names"]), tuple(certificate["addresses"])
    wanted = Certificate(certificate["path"], names, addresses, 0o600)
    folder.mkdir(parents=True, exist_ok=True)
    files = openssl.new_certificate(wanted, base, base.parent, run_command)
    for name, content in {**files, "ca.crt": authority}.items():
        (folder / name).write_bytes(content)


def status(port: int) -> int:
    """Return the status of one request, after up to 60 s in which Envoy starts to listen."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status
        except ConnectionRefusedError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise AssertionError(f"no listener at port {port}")


def two_proxies(edge: int, inner: int, common: dict[str, Any], names: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return a demo with TLS from an edge proxy to an inner one, and an author's CommonTlsContext at the edge."""
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": "inner"}}]
    return {
        "summary": "TLS between two proxies",
        "ports": 20000,
        "proxies": {
            "inner": {
                "admin": {"publish": free_ports(1)[0]},
                "listeners": {
                    "https": {"port": inner, "publish": inner, "tls": {"names": list(names)}, "routes": OK}
                },
            },
            "edge": {
                "admin": {"publish": free_ports(1)[0]},
                "listeners": {"http": {"port": edge, "publish": edge, "routes": routes}},
                "clusters": {"inner": {"to": "inner", "tls": {"context": {"common_tls_context": common}}}},
            },
        },
    }


def san(kind: str, value: str) -> dict[str, Any]:
    """Return an author's CommonTlsContext that requires one subject alternative name."""
    matchers = [{"san_type": kind, "matcher": {"exact": value}}]
    return {
        "combined_validation_context": {
            "default_validation_context": {"match_typed_subject_alt_names": matchers}
        }
    }


@pytest.mark.parametrize(
    ("common", "names", "expected"),
    [
        pytest.param({}, (), 200, id="server name of the collection"),
        pytest.param(san("URI", URI), (), 503, id="missing URI"),
        pytest.param(san("URI", URI), (URI,), 200, id="present URI"),
        pytest.param(san("DNS", "shop.example.com"), (), 503, id="another name"),
        pytest.param(
            {
                "combinedValidationContext": {
                    "defaultValidationContext": {
                        "matchTypedSubjectAltNames": [{"sanType": "URI", "matcher": {"exact": URI}}]
                    }
                }
            },
            (),
            503,
            id="missing URI in camelCase",
        ),
        pytest.param(
            {
                "combined_validation_context": {
                    "default_validation_context": {"verify_certificate_hash": ["0" * 64]}
                }
            },
            (),
            503,
            id="another hash",
        ),
    ],
)
def test_only_the_trust_of_the_author_applies(
    deployed: Callable[..., Deployment], common: dict[str, Any], names: tuple[str, ...], expected: int
) -> None:
    edge, inner = free_ports(2)
    deployed(two_proxies(edge, inner, common, names))
    # Until the inner proxy listens, the edge proxy answers 503.
    wait_for_tls(inner)
    assert [status(edge) for _number in range(4)] == [expected] * 4


@pytest.mark.parametrize("form", ["combined_validation_context", "validation_context"])
@pytest.mark.parametrize(("own_authority", "expected"), [(True, 200), (False, 503)], ids=["own", "other"])
def test_authority_of_the_author_replaces_that_of_the_demo(
    deployed: Callable[..., Deployment], tmp_path: Path, form: str, own_authority: bool, expected: int
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    new_authority(other)
    path = tmp_path / "edge/certs/ca.crt" if own_authority else other / "ca.crt"
    context: dict[str, Any] = {"trusted_ca": {"filename": str(path)}}
    if form == "combined_validation_context":
        context = {"default_validation_context": context}
    edge, inner = free_ports(2)
    deployed(two_proxies(edge, inner, {form: context}))
    wait_for_tls(inner)
    assert [status(edge) for _number in range(4)] == [expected] * 4


def wait_for_tls(port: int) -> None:
    """Wait for up to 60 s until a TLS handshake at `port` succeeds."""
    end = time.monotonic() + 60
    while not offered_alpn(port, ["http/1.1"]):
        assert time.monotonic() < end, f"no TLS at port {port}"
        time.sleep(0.1)


def offered_alpn(port: int, protocols: list[str]) -> str:
    """Return the protocol that a server selects from `protocols`. Empty: none, or no connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(protocols)
    with (
        suppress(OSError),
        socket.create_connection(("127.0.0.1", port), 30) as plain,
        context.wrap_socket(plain) as encrypted,
    ):
        return encrypted.selected_alpn_protocol() or ""
    return ""


def test_alpn_of_the_author_is_the_whole_offer(deployed: Callable[..., Deployment]) -> None:
    port, admin = free_ports(2)
    tls = {"context": {"common_tls_context": {"alpn_protocols": ["http/1.1"]}}}
    listeners = {"https": {"port": port, "publish": port, "tls": tls, "routes": OK}}
    edge = {"admin": {"publish": admin}, "listeners": listeners}
    deployed({"summary": "ALPN", "ports": 20000, "proxies": {"edge": edge}})
    wait_for_tls(port)
    assert offered_alpn(port, ["h2", "http/1.1"]) == "http/1.1"
    assert offered_alpn(port, ["h2"]) == ""


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, 200),
        ({"dns_lookup_family": "V6_ONLY"}, 503),
        ({"dns_lookup_family": "V6_ONLY", "type": "STRICT_DNS"}, 503),
        ({"dns_lookup_family": "V4_ONLY", "type": "LOGICAL_DNS"}, 200),
        ({"dns_refresh_rate": "60s", "respect_dns_ttl": True}, 200),
    ],
    ids=["none", "family", "family and type", "logical", "refresh"],
)
def test_dns_fields_of_a_cluster_take_effect(
    deployed: Callable[..., Deployment], fields: dict[str, Any], expected: int
) -> None:
    # The upstream is a second listener of the same Envoy, which listens on IPv4 only.
    port, upstream, admin = free_ports(3)
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": "upstream"}}]
    edge = {
        "admin": {"publish": admin},
        "listeners": {
            "http": {"port": port, "publish": port, "routes": routes},
            "answer": {"port": upstream, "publish": upstream, "routes": OK},
        },
        "clusters": {"upstream": {"address": "localhost", "port": upstream, "cluster": fields}},
    }
    deployed({"summary": "DNS", "ports": 20000, "proxies": {"edge": edge}})
    assert status(upstream) == 200
    assert [status(port) for _number in range(4)] == [expected] * 4


@pytest.mark.parametrize("address", ["::1", "[::1]"], ids=["plain", "brackets"])
def test_ipv6_upstream_is_reached(deployed: Callable[..., Deployment], address: str) -> None:
    port, upstream, admin = free_ports(3)
    own = {
        "additional_addresses": [{"address": {"socket_address": {"address": "::1", "port_value": upstream}}}]
    }
    edge = {
        "admin": {"publish": admin},
        "listeners": {
            "http": {
                "port": port,
                "publish": port,
                "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "upstream"}}],
            },
            "answer": {"port": upstream, "publish": upstream, "listener": own, "routes": OK},
        },
        "clusters": {"upstream": {"address": address, "port": upstream}},
    }
    deployed({"summary": "IPv6", "ports": 20000, "proxies": {"edge": edge}})
    assert status(upstream) == 200
    assert [status(port) for _number in range(4)] == [200] * 4


RESOLVER = {
    "name": "envoy.network.dns_resolver.cares",
    "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig",
        "dns_resolver_options": {"use_tcp_for_dns_lookups": True},
    },
}
RDS = {"route_config_name": "r", "config_source": {"path_config_source": {"path": "/dev/null"}}}
QUIC_TYPES = "type.googleapis.com/envoy.extensions"
QUIC = {
    "address": {"socket_address": {"protocol": "UDP"}},
    "udp_listener_config": {"quic_options": {}},
    "filter_chains": [
        {
            "transport_socket": {
                "name": "envoy.transport_sockets.quic",
                "typed_config": {
                    "@type": f"{QUIC_TYPES}.transport_sockets.quic.v3.QuicDownstreamTransport",
                    "downstream_tls_context": {
                        "common_tls_context": {
                            "tls_certificates": [
                                {
                                    "certificate_chain": {"filename": "edge/certs/tls.crt"},
                                    "private_key": {"filename": "edge/certs/tls.key"},
                                }
                            ]
                        }
                    },
                },
            },
            "filters": [
                {
                    "name": "envoy.filters.network.http_connection_manager",
                    "typed_config": {
                        "@type": f"{QUIC_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
                        "codec_type": "HTTP3",
                        "stat_prefix": "quic",
                        "route_config": {"virtual_hosts": [{"name": "quic", "domains": ["*"], "routes": OK}]},
                        "http_filters": [
                            {
                                "name": "envoy.filters.http.router",
                                "typed_config": {"@type": f"{QUIC_TYPES}.filters.http.router.v3.Router"},
                            }
                        ],
                    },
                }
            ],
        }
    ],
}
TLS_PARAMETERS = {"tls_params": {"tls_minimum_protocol_version": "TLSv1_3"}}


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("clusters.far.cluster", {"type": "LOGICAL_DNS"}),
        ("clusters.far.cluster", {"dns_refresh_rate": "60s", "dns_jitter": "1s", "dns_failure_refresh_rate": {"base_interval": "1s"}}),
        ("clusters.far.cluster", {"typed_dns_resolver_config": RESOLVER}),
        ("clusters.far.cluster", {"dns_resolvers": [{"socket_address": {"address": "127.0.0.1", "port_value": 53}}]}),
        ("clusters.far.cluster", {"use_tcp_for_dns_lookups": True}),
        ("clusters.far.cluster", {"transport_socket": {"name": "raw", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer"}}}),
        ("clusters.far.tls.context", {"common_tls_context": {"validation_context": {}}}),
        ("clusters.far.tls.context", {"common_tls_context": TLS_PARAMETERS}),
        ("listeners.https.http_connection_manager", {"rds": RDS}),
        ("listeners.https.http_connection_manager", {"access_log": None}),
        ("listeners.https.tls.context", {"common_tls_context": {"validation_context": {"trusted_ca": {"filename": "edge/certs/ca.crt"}}}}),
        ("listeners.https.tls.context", {"common_tls_context": {"combined_validation_context": {
            "default_validation_context": {"match_typed_subject_alt_names": [{"san_type": "URI", "matcher": {"exact": URI}}]}}}}),
        ("listeners.https.listener", {"address": {"pipe": {"path": "edge/run/http.sock"}}}),
        ("listeners.https.listener", QUIC),
        ("bootstrap", {"stats_flush_on_admin": True}),
        ("bootstrap", {"admin": {"profile_path": "/tmp/envoy.prof"}}),
    ],
)  # fmt: skip
def test_envoy_accepts_each_alternative_of_a_oneof(
    newest_and_oldest_envoy: str, tmp_path: Path, path: str, fields: dict[str, Any]
) -> None:
    edge: dict[str, Any] = {
        "listeners": {"https": {"port": 8443, "tls": {"client_certificate": True}, "routes": OK}},
        "clusters": {"far": {"address": "far.example.com", "port": 443, "tls": {}}},
        "bootstrap": {},
    }
    *parents, last = path.split(".")
    mapping = edge
    for key in parents:
        mapping = mapping[key]
    mapping[last] = fields
    planned = plan(
        {"summary": "s", "ports": 20000, "proxies": {"edge": edge}}, "oneofs", "local", str(tmp_path)
    )
    write(planned, tmp_path)
    private = tmp_path / "private"
    private.mkdir()
    authority = new_authority(private)
    for certificate in planned["certificates"]:
        issue(tmp_path / certificate["path"], certificate, private / "leaf", authority)
    assert validate(newest_and_oldest_envoy, planned["checks"][0], tmp_path) == ""
