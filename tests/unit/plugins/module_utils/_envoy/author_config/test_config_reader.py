# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test what is read from an author's configuration."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.config_reader import (
    read_config,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.content import (
    AuthorConfig,
    ConfigFile,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.nodes import FileError

BOOTSTRAP = """# A comment
node: {id: n, cluster: c}
admin:
  address:
    socket_address: {address: 0.0.0.0, port_value: 9901}
dynamic_resources:
  cds_config: {path_config_source: {path: /var/lib/envoy/cds.yaml}}
  lds_config:
    path_config_source: {path: /etc/envoy/lds.yaml, watched_directory: {path: /etc/envoy}}
static_resources:
  listeners:
    - address: {socketAddress: {address: 127.0.0.1, portValue: 8080}}
      filterChains:
        - filters:
            - typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy}
  clusters:
    - name: web
      type: STRICT_DNS
      load_assignment:
        endpoints:
          - lb_endpoints:
              - endpoint: {address: {socket_address: {address: web, port_value: 8080}}}
    - name: api
      type: LOGICAL_DNS
      load_assignment: {endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: api, port_value: 80}}}}]}]}
tracing: {http: {typed_config: {grpc_service: {google_grpc: {target_uri: "otel:4317"}}}}}
"""
LDS = """resources:
- "@type": type.googleapis.com/envoy.config.listener.v3.Listener
  name: listener_0
  address: {socket_address: {address: 0.0.0.0, port_value: 10000, protocol: UDP}}
"""


def read(*files: tuple[str, str]) -> AuthorConfig:
    return read_config([ConfigFile(name, f"mine/{name}", text) for name, text in files])


@pytest.fixture
def config() -> AuthorConfig:
    return read(("envoy.yaml", BOOTSTRAP), ("lds.yaml", LDS), ("cds.yaml", "resources: []\n"))


def test_listeners_are_read_from_all_files(config: AuthorConfig) -> None:
    found = [(one.name, one.address, one.port, one.udp, one.http, one.line) for one in config.listeners]
    assert found == [
        ("", "127.0.0.1", 8080, False, False, 12),
        ("listener_0", "0.0.0.0", 10000, True, False, 4),
    ]


def test_admin_can_be_a_port_a_socket_or_missing(config: AuthorConfig) -> None:
    assert config.admin is not None
    assert (config.admin.address, config.admin.port, config.admin.line) == ("0.0.0.0", 9901, 5)
    socket = read(("envoy.yaml", "admin: {address: {pipe: {path: /run/envoy/admin.sock}}}")).admin
    assert socket is not None
    assert socket.pipe == "/run/envoy/admin.sock"
    assert read(("envoy.yaml", "static_resources: {}")).admin is None


def test_only_upstream_addresses_are_hosts(config: AuthorConfig) -> None:
    found = [(one.host, one.port, one.cluster, one.only_one, one.indent) for one in config.hosts]
    assert sorted(found, key=str) == [
        ("api", 80, "api", True, None),
        ("otel", 4317, "", False, None),
        ("web", 8080, "web", False, 14),
    ]


def test_watched_files_are_found_with_their_kind(config: AuthorConfig) -> None:
    [lds], [cds] = config.uses_of("lds.yaml"), config.uses_of("cds.yaml")
    assert (lds.path, lds.watched, lds.by_directory, lds.kind) == (
        "/etc/envoy/lds.yaml",
        True,
        True,
        "listeners",
    )
    assert (cds.watched, cds.by_directory, cds.kind) == (True, False, "clusters")


def test_file_of_a_data_source_is_not_watched() -> None:
    text = "a: {certificate: {filename: /certs/tls.pem}}"
    config = read(("envoy.yaml", text), ("tls.pem", "-----BEGIN"))
    assert [(one.path, one.watched) for one in config.uses_of("tls.pem")] == [("/certs/tls.pem", False)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("admin: {", "mine/envoy.yaml line 1: not YAML: "),
        ("- a", "mine/envoy.yaml: the file is not a mapping"),
        (
            "static_resources:\n  listeners:\n  - address: {socket_address: {address: 0.0.0.0, port_value: 0}}",
            "mine/envoy.yaml line 3: a listener has port_value: 0",
        ),
        ("admin: {address: {socket_address: {address: 1.1.1.1}}}", "mine/envoy.yaml line 1: the admin interface has no fixed port"),
    ],
)  # fmt: skip
def test_error_names_the_file_and_the_line_of_the_author(text: str, message: str) -> None:
    with pytest.raises(FileError) as error:
        read(("envoy.yaml", text))
    assert str(error.value).startswith(message)


def test_the_text_is_what_envoy_reads() -> None:
    assert yaml.safe_load(read(("envoy.yaml", BOOTSTRAP)).bootstrap.text)["node"]["id"] == "n"
