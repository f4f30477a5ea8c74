# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Envoy's words as it said them (1.40), with the noise around them, and where they lead to."""

from __future__ import annotations

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import Check, File
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation import yaml_position
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.envoy_errors import (
    rejected,
    said,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.error_location import (
    doubled,
    finding,
)

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


def test_the_candidate_of_this_test_is_what_it_should_be() -> None:
    import yaml

    static = yaml.safe_load(CANDIDATE)["static_resources"]
    assert [one["name"] for one in static["listeners"]] == ["admin", "first", "edge"]


@pytest.mark.parametrize(
    ("message", "words", "place"),
    [
        (
            UNKNOWN_FIELD,
            (
                "no such field: 'domain' (in listener 'edge' at filter_chains[0].filters[0].typed_config"
                ".route_config.virtual_hosts[1])."
            ),
            ("edge/listeners.yaml", 23),
        ),
        ("route: unknown cluster 'nix'", "route: unknown cluster 'nix'.", ("edge/listeners.yaml", 21)),
        (
            BAD_PORT,
            (
                "port_value: value must be less than or equal to 65535 (in listener 'edge' at"
                " address.socket_address.port_value)."
            ),
            ("edge/listeners.yaml", 10),
        ),
        ("missing ): (/a", "missing ): (/a.", ("edge/listeners.yaml", 26)),
        (
            "Invalid duration: Expected positive duration: goo.gle/debugstr   \nseconds: -1\n",
            "Invalid duration: Expected positive duration: seconds: -1.",
            ("edge/clusters.yaml", 4),
        ),
        (
            (
                "Protobuf message (type envoy.config.bootstrap.v3.Bootstrap reason INVALID_ARGUMENT: unknown enum value:"
                " 'ROUND') has unknown fields"
            ),
            "unknown enum value: 'ROUND'.",
            ("edge/clusters.yaml", 5),
        ),
        ("malformed IP address: statsd", "malformed IP address: statsd.", ("edge/bootstrap.yaml", 9)),
        (
            (
                "Unable to parse JSON as proto (INVALID_ARGUMENT: invalid JSON   in  envoy.config.bootstrap.v3.Bootstrap @"
                " static_resources.clusters[0].connect_timeout: message   google.protobuf.Duration, near 1:890 (offset  889):"
                ' duration must end with a single \'s\'): {"node":{"cluster":"t"}}'
            ),
            "duration must end with a single 's' (in cluster 'edge' at connect_timeout).",
            ("edge/clusters.yaml", 4),
        ),
        (
            (
                "Proto constraint validation failed (BootstrapValidationError.StaticResources: embedded message failed validation |"
                " caused by StaticResourcesValidationError.Listeners[1]: embedded message failed validation | caused by"
                " ListenerValidationError.Name: value length must be at least 1 characters)"
            ),
            "name: value length must be at least 1 characters (in listener 'first' at name).",
            ("edge/listeners.yaml", 3),
        ),
        ("something that names nothing", "something that names nothing.", (None, None)),
    ],
)
def test_envoys_words_lead_to_the_line(
    message: str, words: str, place: tuple[str | None, int | None]
) -> None:
    found = finding(CHECK, LOG.replace("{}", message), TEXTS)
    assert (found.message, (found.file, found.line), found.check) == (words, place, "edge")


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a[0].b[1].c", "c: 3"),
        ("a[1]", "- b: []"),
        ("a[0].d.e", "e: 4"),
        ("a[0].b[0]", "- c: 1"),
        ("a[0].nowhere.c", "- b:"),
    ],
)
def test_a_path_is_followed_as_far_as_it_goes(path: str, line: str) -> None:
    text = "# a:\na:\n- b:\n  - c: 1\n    # c: 2\n  - x: 2\n    c: 3\n  d:\n    e: 4\n- b: []\n".splitlines()
    span, _followed = yaml_position.walk(text, yaml_position.steps(path))
    assert text[span.start].strip() == line


def test_of_another_program_the_last_line_counts() -> None:
    assert (
        said("usage: x\nerror: mapping.yaml: no such label\n").words == "error: mapping.yaml: no such label"
    )
    check = Check("statsd_exporter", ("statsd_exporter",), validated_files=("mapping.yaml",))
    assert str(finding(check, "x\nbad\n", {"mapping.yaml": "a"})) == "statsd_exporter: mapping.yaml: bad."


def test_silence_is_told_as_such() -> None:
    assert finding(CHECK, "", TEXTS).message == "it failed without a word."


def test_two_resources_of_one_name_are_found_where_the_second_is() -> None:
    text = LISTENERS.replace("name: edge", "name: first")
    (found,) = doubled([CHECK], {"edge/listeners.yaml": text}, {"edge/listeners.yaml": ["first", "first"]})
    assert (found.check, found.file, found.line) == ("edge", "edge/listeners.yaml", 5)


# As of Envoy 1.40 and 1.36, and what the same log may have between.
UPDATE = "[2026-11-26 12:22:01.568][1][warning][config] [source/extensions/x.cc:81] Filesystem config update rejected: "
NOISE = (
    "[2026-11-26 12:21:58.863][1][warning][main] [source/server/server.cc:1059] There is no configured limit.\n"
    '{"method": "GET", "path": "/"}\n'
)
FIRST = f"{UPDATE}Error adding/updating cluster(s) a: Invalid path: /no/ca.crt\n"
EMPTY = "Proto constraint validation failed (ClusterValidationError.Name: value length must be at least 1 characters)\n"
SECOND = f'{UPDATE}goo.gle/debugonly  \n{{"method": "GET", "path": "/"}}\n: {EMPTY}'
OLDER = f"{UPDATE}: {EMPTY}"
NAMELESS = "name of a Cluster: value length must be at least 1 characters"


@pytest.mark.parametrize(
    ("log", "why"),
    [
        (NOISE, ""),
        ("", ""),
        (NOISE + FIRST + NOISE, "Error adding/updating cluster(s) a: Invalid path: /no/ca.crt"),
        (FIRST + NOISE + SECOND, NAMELESS),
        (FIRST + OLDER, NAMELESS),
    ],
)
def test_the_last_refusal_of_a_log_is_found(log: str, why: str) -> None:
    assert rejected(log) == why
