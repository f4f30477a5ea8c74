# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the record of a deployment, which is untrusted input."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshlab.envoy.plugins.module_utils._common.deployment_record import (
    DeploymentRecord,
    RecordError,
)

RECORD = {
    "block": 20000,
    "ports": {"web-1/app": 20012, "edge/hot-restart": 20099},
    "stated": {"edge/Größe 1.x|y": 8080},
    "workloads": {"edge": {"generation": 2, "digest": "4f0c2a9be101", "threads": 2}, "web-1.b_c": {}},
    "networks": {"edge-network": {"digest": "4f0c", "published": ["127.0.0.1:8080:80", "[::1]:53:5353/udp"]}},
    "change": "canary/2",
}


def test_record_is_written_as_it_is_read() -> None:
    record = DeploymentRecord.read(RECORD)
    assert record.workloads["edge"].generation == 2
    assert DeploymentRecord.read(json.loads(json.dumps(record.to_dict()))) == record


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("ports", [], "ports: expected a mapping, got []"),
        ("ports", {"edge/http": "8080"}, "ports.edge/http: expected a number from 1 to 65535, got '8080'"),
        ("ports", {"edge/http": True}, "ports.edge/http: expected a number from 1 to 65535, got True"),
        ("ports", {"edge/http": 65536}, "ports.edge/http: expected a number from 1 to 65535, got 65536"),
        ("stated", {"edge/http": 0}, "stated.edge/http: expected a number from 1 to 65535, got 0"),
        ("ports", {"edge": 1}, "ports: expected <instance>/<port> as a key, got 'edge'"),
        ("ports", {"../x/y": 1}, "ports: expected <instance>/<port> as a key, got '../x/y'"),
        ("ports", {"e/\x1b[2J": 1}, "ports: expected <instance>/<port> as a key, got 'e/\\x1b[2J'"),
        ("change", "half/0", "change: expected the name of a change, got 'half/0'"),
        ("change", "{{ x }}", "change: expected the name of a change, got '{{ x }}'"),
        ("change", None, "change: expected the name of a change, got None"),
        ("block", 80, "block: expected a number from 1024 to 65535, got 80"),
        ("block", 2.5, "block: expected a number from 1024 to 65535, got 2.5"),
        ("networks", {"edge": "4f"}, "networks.edge: expected a mapping, got '4f'"),
        ("networks", {"edge": {"published": "x"}}, "networks.edge.published: expected a list, got 'x'"),
        (
            "networks",
            {"edge": {"published": ["8080:80"]}},
            "networks.edge.published: expected a text such as 127.0.0.1:8080:80, got '8080:80'",
        ),
        ("workloads", {"../edge": {}}, "workloads: expected the name of a workload as a key, got '../edge'"),
        ("workloads", {"edge": []}, "workloads.edge: expected a mapping, got []"),
        (
            "workloads",
            {"edge": {"generation": -1}},
            "workloads.edge.generation: expected a number from 0 to 4294967295, got -1",
        ),
        (
            "workloads",
            {"edge": {"digest": "x; rm"}},
            "workloads.edge.digest: expected hexadecimal digits, got 'x; rm'",
        ),
        ("workloads", {"edge": {"epoch": 1}}, "workloads.edge: unknown key 'epoch'"),
        (
            "workloads",
            {"edge": {"threads": 100000}},
            "workloads.edge.threads: expected a number from 0 to 1024, got 100000",
        ),
        ("digests", {}, "unknown key 'digests'"),
    ],
)
def test_wrong_record_is_refused(key: str, value: Any, message: str) -> None:
    with pytest.raises(RecordError) as caught:
        DeploymentRecord.read({**RECORD, key: value})
    assert str(caught.value) == message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["block", "ports", "workloads", "edge", "edge/http", "generation", "digest"])
            | st.text(max_size=5),
            inner,
            max_size=3,
        )
    ),
)


@given(JSON)
def test_any_data_is_a_record_or_an_error(data: Any) -> None:
    try:
        record = DeploymentRecord.read(data)
    except RecordError:
        return
    assert all(1 <= number <= 65535 for number in record.numbers.values())
    assert all(one.generation >= 0 for one in record.workloads.values())
