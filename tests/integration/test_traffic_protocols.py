# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/2 and HTTP/3 to real Envoys, whose stats count the same requests and connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from cases import CaseDeployment, PortBlock, case_data
from grpc_echo import DESCRIPTOR_SET, grpc_echo
from live import ROOT

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError

# Returns the message of each call. Its descriptors are in two files, of which one imports the other, and a file of protobuf.
REFLECTION_SERVER = """
import sys
from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, timestamp_pb2
from grpc_reflection.v1alpha import reflection

TYPES = descriptor_pb2.FieldDescriptorProto
item = descriptor_pb2.DescriptorProto(name="Item", field=[
    TYPES(name="name", number=1, type=TYPES.TYPE_STRING, label=TYPES.LABEL_OPTIONAL),
    TYPES(name="at", number=2, type=TYPES.TYPE_MESSAGE, type_name=".google.protobuf.Timestamp", label=TYPES.LABEL_OPTIONAL),
])
method = descriptor_pb2.MethodDescriptorProto(name="Get", input_type=".types.Item", output_type=".types.Item")
service = descriptor_pb2.ServiceDescriptorProto(name="Stock", method=[method])
pool = descriptor_pool.Default()
for one in (
    dict(name="types.proto", package="types", dependency=[timestamp_pb2.DESCRIPTOR.name], message_type=[item]),
    dict(name="shop.proto", package="shop", dependency=["types.proto"], service=[service]),
):
    pool.Add(descriptor_pb2.FileDescriptorProto(syntax="proto3", **one))
server = grpc.server(futures.ThreadPoolExecutor(4))
handlers = {"Get": grpc.unary_unary_rpc_method_handler(lambda message, _context: message)}
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("shop.Stock", handlers)])
reflection.enable_server_reflection(["shop.Stock", reflection.SERVICE_NAME], server)
server.add_insecure_port(f"{sys.argv[1]}:{sys.argv[2]}")
server.start()
server.wait_for_termination()
"""


def without_udp(data: Any) -> Any:
    """Return the demo without traffic over UDP and Unix sockets, which a port-forward does not carry. The Envoys still speak HTTP/3."""
    data["traffic"] = [one for one in data["traffic"] if one["to"] not in ("edge/quic", "web/socket")]
    received = {"at": "web", "stat": "http.quic.downstream_rq_http3_total", "of": "delta", "op": "eq"}
    data["expectations"] = [
        one for one in data["expectations"] if not one["stat"].startswith(("http.quic.", "http.socket."))
    ] + [{**received, "value": 55}]
    return data


@pytest.mark.parametrize("platform", ["kubernetes", pytest.param("openshift", marks=pytest.mark.slow)])
def test_envoys_in_pods_count_the_same_requests(
    deployment: Callable[[str], CaseDeployment], block: PortBlock, platform: str
) -> None:
    made = deployment(platform)
    data = case_data("protocols.yml", block)
    with pytest.raises(DemoError, match="a port-forward does not carry UDP"):
        made.plan({**data, "traffic": [one for one in data["traffic"] if one["to"] == "edge/quic"]})
    planned = made.deploy(without_udp(data))
    assert made.failures(planned) == []
    by_name = {entry["name"]: entry for entry in planned["traffic"]}
    by_name["h2c"]["expect"] = [{"status": "200", "op": "eq", "value": 21}]
    planned["traffic"], planned["assertions"] = [by_name["h2c"]], []
    assert "expected 21, got 20" in "\n".join(made.failures(planned))


@pytest.mark.parametrize("platform", ["local", "docker"])
def test_envoy_counts_the_same_requests(
    deployment: Callable[[str], CaseDeployment], block: PortBlock, platform: str
) -> None:
    made = deployment(platform)
    planned = made.deploy(case_data("protocols.yml", block))
    assert made.failures(planned) == []
    # Another number, status, protocol or kind of failure is noticed.
    by_name = {entry["name"]: entry for entry in planned["traffic"]}
    by_name["h3"]["expect"] = [{"status": "200", "op": "eq", "value": 61}]
    by_name["h2c"]["protocol"] = "http1"
    by_name["h1"] |= {"protocol": "http2", "url": by_name["h3"]["url"].replace("https", "http")}
    planned["assertions"] = []
    failed = "\n".join(made.failures(planned))
    assert "expected 61, got 60" in failed
    assert "20 × reset" in failed
    assert "10 × connect" in failed


def test_grpc_statuses_trailers_and_messages_are_counted(
    deployment: Callable[[str], CaseDeployment], block: PortBlock
) -> None:
    made = deployment("local")
    (made.root / "echo.pb").write_bytes(DESCRIPTOR_SET)
    data = case_data("grpc.yml", block)
    with grpc_echo() as port:
        data["proxies"]["edge"]["clusters"]["echo"]["port"] = port
        planned = made.deploy(data)
        assert made.failures(planned) == []
        planned["traffic"][0]["expect"][0] = {"grpc_status": "NOT_FOUND", "op": "eq", "value": 20}
        planned["traffic"][1]["expect"][0]["value"] = 14
        planned["assertions"] = []
        failed = "\n".join(made.failures(planned))
        del planned["traffic"][1:], planned["traffic"][0]["descriptor_set"]
        with pytest.raises(AssertionError, match=r"reflection of echo\.Echo failed: UNIMPLEMENTED\. State"):
            made.failures(planned)
    assert (
        "expected 20, got 0 (answers with gRPC status NOT_FOUND of traffic unary). Other answers: 20 × OK."
        in failed
    )
    assert "expected 14, got 15 (response messages of traffic stream)" in failed


@pytest.mark.slow
def test_messages_come_from_the_reflection_of_a_grpcio_server(
    deployment: Callable[[str], CaseDeployment], block: PortBlock
) -> None:
    made = deployment("local")
    gallery = yaml.safe_load((ROOT / "playbooks/demos/grpc.yml").read_text(encoding="utf-8"))
    port, edge = block.first + 1, block.first + 2
    call: dict[str, Any] = {
        "to": "edge",
        "protocol": "grpc",
        "path": "/shop.Stock/Get",
        "requests": 3,
        "messages": [{"name": "tea", "at": "2026-11-30T00:00:00Z"}],
        "expect": [
            {"grpc_status": "OK", "op": "eq", "value": 3},
            {"body": '"name": "tea", "at": "2026-11-30T00:00:00Z"', "op": "eq", "value": 3},
        ],
    }
    server = {
        "image": "python:3.11-slim-bookworm",
        "command": ["python3", "${files}/server.py", "${address}", "${port}"],
        "packages": gallery["services"]["shop"]["server"]["packages"],
        "files": {"server.py": REFLECTION_SERVER},
    }
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": "shop"}}]
    planned = made.deploy(
        {
            "summary": "Reflection",
            "ports": block.first,
            "services": {"shop": {"protocol": "tcp", "port": port, "server": server}},
            "proxies": {
                "edge": {
                    "listeners": {
                        "grpc": {"port": 8080, "publish": edge, "protocol": "http2", "routes": routes}
                    },
                    "clusters": {"shop": {"to": "shop", "protocol": "http2"}},
                }
            },
            "traffic": [call],
        }
    )
    assert made.failures(planned) == []
    planned["traffic"][0]["messages"] = [{"nme": "tea"}]
    with pytest.raises(AssertionError, match=r"not a message of type types\.Item"):
        made.failures(planned)
