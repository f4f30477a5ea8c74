# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The messages of a gRPC method: from JSON to bytes and back, with the descriptors of a file or of the server's reflection."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

try:
    from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
    from google.protobuf.message import DecodeError
except ImportError:  # outside the environment of the sender
    descriptor_pb2 = None

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sender.protocol_keys import split_path

# The part of grpc/reflection/v1/reflection.proto that is used. v1alpha has the same fields.
_REFLECTION = {
    "name": "reflection.proto",
    "package": "reflection",
    "syntax": "proto3",
    "messageType": [
        {
            "name": "Request",
            "field": [
                {"name": "file_by_filename", "number": 3, "type": "TYPE_STRING", "label": "LABEL_OPTIONAL"},
                {
                    "name": "file_containing_symbol",
                    "number": 4,
                    "type": "TYPE_STRING",
                    "label": "LABEL_OPTIONAL",
                },
            ],
        },
        {
            "name": "Files",
            "field": [{"name": "file", "number": 1, "type": "TYPE_BYTES", "label": "LABEL_REPEATED"}],
        },
        {
            "name": "Error",
            "field": [{"name": "message", "number": 2, "type": "TYPE_STRING", "label": "LABEL_OPTIONAL"}],
        },
        {
            "name": "Response",
            "field": [
                {
                    "name": "files",
                    "number": 4,
                    "type": "TYPE_MESSAGE",
                    "typeName": ".reflection.Files",
                    "label": "LABEL_OPTIONAL",
                },
                {
                    "name": "error",
                    "number": 7,
                    "type": "TYPE_MESSAGE",
                    "typeName": ".reflection.Error",
                    "label": "LABEL_OPTIONAL",
                },
            ],
        },
    ],
}


class GrpcMethod:
    """One method: its kind, and its messages as JSON."""

    def __init__(self, path: str, files: Sequence[Any], where: str) -> None:
        """Find the method of a path, such as `/shop.Cart/Add`, in descriptors (FileDescriptorProto). Raises ArgumentError."""
        self._pool = pool_of(files, where)
        service, method = split_path(path, where)
        try:
            found = self._pool.FindServiceByName(service)
        except KeyError:
            raise ArgumentError(
                where, f"the descriptors have no service {service}. Correct the path."
            ) from None
        if method not in found.methods_by_name:
            known = ", ".join(sorted(found.methods_by_name))
            raise ArgumentError(where, f"service {service} has no method {method}. Use one of: {known}.")
        self._method = found.methods_by_name[method]

    @property
    def client_streaming(self) -> bool:
        """Whether a call can have several request messages."""
        return bool(self._method.client_streaming)

    def request(self, data: Mapping[str, Any], where: str) -> bytes:
        """Return a request message as bytes. Raises ArgumentError."""
        made = message_factory.GetMessageClass(self._method.input_type)()
        try:
            json_format.ParseDict(dict(data), made, descriptor_pool=self._pool)
        except json_format.ParseError as error:
            raise ArgumentError(
                where, f"not a message of type {self._method.input_type.full_name}: {error}"
            ) from None
        return bytes(made.SerializeToString())

    def response_text(self, data: bytes) -> str:
        """Return a response message as JSON in one line. Raises ValueError for other bytes."""
        made = message_factory.GetMessageClass(self._method.output_type)()
        try:
            made.ParseFromString(data)
        except DecodeError as error:
            raise ValueError(str(error)) from None
        found = json_format.MessageToDict(
            made,
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
            descriptor_pool=self._pool,
        )
        return json.dumps(found, ensure_ascii=False)


def pool_of(files: Sequence[Any], where: str) -> Any:
    """Return a pool with descriptors and the files that they import. Raises ArgumentError for a missing file."""
    pool, by_name = descriptor_pool.DescriptorPool(), {one.name: one for one in files}
    added: set[str] = set()

    def add(name: str) -> None:
        if name in added:
            return
        added.add(name)
        found = by_name.get(name) or well_known(name)
        if found is None:
            raise ArgumentError(
                where, f"the descriptors lack {name}. Create the file with protoc --include_imports."
            )
        for needed in found.dependency:
            add(needed)
        pool.Add(found)

    for name in by_name:
        add(name)
    return pool


def well_known(name: str) -> Any:
    """Return the descriptor of a file that comes with protobuf, such as google/protobuf/timestamp.proto. None: there is none."""
    import importlib

    if not name.startswith("google/protobuf/") or not name.endswith(".proto"):
        return None
    try:
        module = importlib.import_module(f"{name.removesuffix('.proto').replace('/', '.')}_pb2")
    except ImportError:
        return None
    found = descriptor_pb2.FileDescriptorProto()
    module.DESCRIPTOR.CopyToProto(found)
    return found


def descriptor_set(data: bytes, where: str) -> list[Any]:
    """Return the files of a FileDescriptorSet, the output of `protoc --descriptor_set_out`. Raises ArgumentError."""
    found = descriptor_pb2.FileDescriptorSet()
    try:
        found.ParseFromString(data)
    except DecodeError:
        raise ArgumentError(
            where, "not a descriptor set. Create one with protoc --include_imports --descriptor_set_out."
        ) from None
    return list(found.file)


def reflection_messages() -> tuple[Any, Any]:
    """Return the classes of a request and of a response of the reflection service."""
    pool = descriptor_pool.DescriptorPool()
    pool.Add(json_format.ParseDict(_REFLECTION, descriptor_pb2.FileDescriptorProto()))
    found = [
        message_factory.GetMessageClass(pool.FindMessageTypeByName(f"reflection.{name}"))
        for name in ("Request", "Response")
    ]
    return found[0], found[1]


def file_descriptor(data: bytes) -> Any:
    """Return the FileDescriptorProto of a reflection response."""
    found = descriptor_pb2.FileDescriptorProto()
    found.ParseFromString(data)
    return found
