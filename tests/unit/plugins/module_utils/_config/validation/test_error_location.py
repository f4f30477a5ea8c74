# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the file and line of an error, with messages of Envoy 1.40 in a log."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import (
    Check,
    CheckSource,
    File,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.error_location import (
    duplicate_names,
    locate_error,
    rejection,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.remedies import (
    DEFAULT,
    REFERENCE,
)

DURATION = "Write a duration in seconds with the unit, such as 0.25s."
LOG = (
    "[2026-11-22 05:14:03.749][17320][warning][main] [source/server/server.cc:1059] There is no configured limit.\n"
    "[2026-11-22 05:14:03.750][17320][critical][main] [source/server/config_validation/server.cc:76]"
    " error initializing configuration 'edge/candidate.yaml': {}\n"
    "[2026-11-22 05:14:03.751][17320][info][main] exiting\n"
)
BOOTSTRAP = """node: {id: edge, cluster: edge}
static_resources:
  listeners:
    - name: admin
      address: {socket_address: {address: 127.0.0.1, port_value: 9901}}
stats_sinks:
  - name: envoy.stat_sinks.statsd
    typed_config:
      address: {socket_address: {address: statsd, port_value: 9125}}
"""
LISTENERS = """resources:
  - '@type': type.googleapis.com/envoy.config.listener.v3.Listener
    name: first
    address: {socket_address: {address: 127.0.0.1, port_value: 8080}}
  - '@type': type.googleapis.com/envoy.config.listener.v3.Listener
    name: edge
    address:
      socket_address:
        address: 127.0.0.1
        port_value: 99999
    filter_chains:
      - filters:
          - name: envoy.filters.network.http_connection_manager
            typed_config:
              route_config:
                virtual_hosts:
                  - name: a
                    domains: ["a"]
                    routes:
                      - match: {prefix: /}
                        route: {cluster: nix}
                  - name: b
                    domain: ["*"]
                    routes:
                      - match:
                          safe_regex: {regex: "(/a"}
"""
CLUSTERS = """resources:
- '@type': type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: edge
  connect_timeout: -1s
  lb_policy: ROUND
"""
CANDIDATE = BOOTSTRAP.replace("stats_sinks", "@@stats_sinks")
CANDIDATE = CANDIDATE.split("@@", maxsplit=1)[0] + "\n".join(
    f"  {line}" for line in LISTENERS.splitlines()[1:] if "@type" not in line or "Listener" not in line
).replace("    name: first", "  - name: first").replace("    name: edge", "  - name: edge")
CANDIDATE += "\n  clusters:\n    - name: edge\n      connect_timeout: -1s\n"
TEXTS = {"edge/bootstrap.yaml": BOOTSTRAP, "edge/listeners.yaml": LISTENERS, "edge/clusters.yaml": CLUSTERS}
CHECK = Check(
    "edge", ("envoy",), files=(File("edge/candidate.yaml", CANDIDATE.encode()),), validated_files=tuple(TEXTS)
)
UNKNOWN_FIELD = (
    "Protobuf message (type envoy.config.bootstrap.v3.Bootstrap reason INVALID_ARGUMENT: invalid JSON  in"
    " envoy.config.bootstrap.v3.Bootstrap   @  static_resources.listeners[2].filter_chains[0].filters[0].typed_config."
    "<any>.route_config.virtual_hosts[1]: message envoy.config.route.v3.VirtualHost,  near 1:614 (offset 613):"
    " no such  field: 'domain') has unknown fields"
)
BAD_PORT = (
    'node {\n  id: "edge"\n}\n: Proto constraint validation failed (BootstrapValidationError.StaticResources: embedded message'
    " failed validation | caused by StaticResourcesValidationError.Listeners[2]: embedded message failed validation | caused by"
    " ListenerValidationError.Address: embedded message failed validation | caused by AddressValidationError.SocketAddress:"
    " embedded message failed validation | caused by SocketAddressValidationError.PortValue: value must be less than or equal"
    " to 65535)"
)


def test_candidate_of_this_module_is_valid_yaml() -> None:
    static = yaml.safe_load(CANDIDATE)["static_resources"]
    assert [listener["name"] for listener in static["listeners"]] == ["admin", "first", "edge"]


@pytest.mark.parametrize(
    ("error", "message", "location"),
    [
        (
            UNKNOWN_FIELD,
            (
                "no such field: 'domain' (in listener 'edge' at filter_chains[0].filters[0].typed_config"
                ".route_config.virtual_hosts[1]). Correct the name of the field of"
                " envoy.config.route.v3.VirtualHost, or move it to the message that has it."
            ),
            ("edge/listeners.yaml", 23),
        ),
        (
            "route: unknown cluster 'nix'",
            (
                "route: unknown cluster 'nix'. The clusters of this proxy are: edge. Correct the name, or add the cluster."
            ),
            ("edge/listeners.yaml", 21),
        ),
        (
            BAD_PORT,
            (
                "port_value: value must be less than or equal to 65535 (in listener 'edge' at"
                " address.socket_address.port_value). Change the value to one in this range."
            ),
            ("edge/listeners.yaml", 10),
        ),
        (
            "missing ): (/a",
            "missing ): (/a. Correct the regular expression, in the syntax of RE2.",
            ("edge/listeners.yaml", 26),
        ),
        (
            "Invalid duration: Expected positive duration: goo.gle/debugstr   \nseconds: -1\n",
            f"Invalid duration: Expected positive duration: seconds: -1. {DURATION}",
            ("edge/clusters.yaml", 4),
        ),
        (
            (
                "Protobuf message (type envoy.config.bootstrap.v3.Bootstrap reason INVALID_ARGUMENT: unknown enum value:"
                " 'ROUND') has unknown fields"
            ),
            f"unknown enum value: 'ROUND'. Use one of the values of the field in Envoy's reference: {REFERENCE}.",
            ("edge/clusters.yaml", 5),
        ),
        (
            "malformed IP address: statsd",
            "malformed IP address: statsd. Write an IP address.",
            ("edge/bootstrap.yaml", 9),
        ),
        (
            (
                "Unable to parse JSON as proto (INVALID_ARGUMENT: invalid JSON   in  envoy.config.bootstrap.v3.Bootstrap @"
                " static_resources.clusters[0].connect_timeout: message   google.protobuf.Duration, near 1:890 (offset  889):"
                ' duration must end with a single \'s\'): {"node":{"cluster":"t"}}'
            ),
            f"duration must end with a single 's' (in cluster 'edge' at connect_timeout). {DURATION}",
            ("edge/clusters.yaml", 4),
        ),
        (
            (
                "Proto constraint validation failed (BootstrapValidationError.StaticResources: embedded message failed validation |"
                " caused by StaticResourcesValidationError.Listeners[1]: embedded message failed validation | caused by"
                " ListenerValidationError.Name: value length must be at least 1 characters)"
            ),
            "name: value length must be at least 1 characters (in listener 'first' at name). Add a value.",
            ("edge/listeners.yaml", 3),
        ),
        ("something that names nothing", f"something that names nothing. {DEFAULT}", (None, None)),
    ],
)
def test_error_is_located_in_the_authors_file(
    error: str, message: str, location: tuple[str | None, int | None]
) -> None:
    finding = locate_error(CHECK, LOG.replace("{}", error), TEXTS)
    assert (finding.message, (finding.file, finding.line), finding.check) == (message, location, "edge")


def test_error_of_another_program_is_its_last_line() -> None:
    check = Check("statsd_exporter", ("statsd_exporter",), validated_files=("mapping.yaml",))
    finding = locate_error(check, "x\nbad\n", {"mapping.yaml": "a"})
    assert str(finding) == f"statsd_exporter: mapping.yaml: bad. {DEFAULT}"


def test_check_without_output_failed_without_a_message() -> None:
    assert locate_error(CHECK, "", TEXTS).message == f"the check failed without a message. {DEFAULT}"


def test_duplicate_name_is_at_the_second_resource() -> None:
    text = LISTENERS.replace("name: edge", "name: first")
    names = {"edge/listeners.yaml": ["first", "first"]}
    (finding,) = duplicate_names([CHECK], {"edge/listeners.yaml": text}, names)
    assert (finding.check, finding.file, finding.line) == ("edge", "edge/listeners.yaml", 5)


def test_different_names_are_not_duplicates() -> None:
    names = {"edge/listeners.yaml": ["first", "edge"]}
    assert duplicate_names([CHECK], TEXTS, names) == []


def test_duplicate_in_many_resources_is_found_in_linear_time() -> None:
    count = 3000
    text = "resources:\n" + "".join(f"- name: c{number}\n" for number in [*range(count), 0])
    names = [f"c{number}" for number in [*range(count), 0]]
    check = Check("edge", ("envoy",), validated_files=("edge/clusters.yaml",))
    began = time.process_time()
    (finding,) = duplicate_names([check], {"edge/clusters.yaml": text}, {"edge/clusters.yaml": names})
    assert finding.line == count + 2
    assert time.process_time() - began < 3


def test_rejection_of_a_generated_file_is_at_the_authors_key() -> None:
    source = CheckSource("shop.yml", "proxies.edge", {"": 4, "clusters.edge": 9, "clusters.edge.cluster": 10})
    found = rejection(
        [replace(CHECK, source=source)], "edge", "the running Envoy did not accept", "no cluster 'edge'", "x"
    )
    assert str(found) == (
        "shop.yml, line 9: proxies.edge.clusters.edge: edge: the running Envoy did not accept: no cluster 'edge'."
        " See the log of the Envoy."
    )


def test_error_about_a_generated_file_is_at_the_authors_key() -> None:
    source = CheckSource("shop.yml", "proxies.edge", {"": 4, "listeners.edge": 9})
    found = locate_error(replace(CHECK, source=source), LOG.replace("{}", BAD_PORT), TEXTS)
    assert str(found) == (
        "shop.yml, line 9: proxies.edge.listeners.edge: edge: Envoy refuses it: port_value: value must be less than or"
        " equal to 65535. Change the value to one in this range."
    )
    # Without a file, the key is the place.
    without_lines = locate_error(
        replace(CHECK, source=replace(source, lines={})), LOG.replace("{}", BAD_PORT), TEXTS
    )
    assert str(without_lines).startswith("shop.yml: proxies.edge: edge: Envoy refuses it: port_value:")
