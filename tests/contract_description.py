"""Describes a protobuf contract as plain data, so that two states of it can be compared.

    python -m tests.contract_description

writes the description of the contract as it is now to `tests/vectors/idlink_v1.json`: done when
the contract has grown, after the tests say that it only grew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor

from sync.proto.idlink.v1 import enterprise_resolution_pb2, secondary_link_pb2

RECORDED = Path(__file__).parent / "vectors" / "idlink_v1.json"
FILES = (secondary_link_pb2.DESCRIPTOR, enterprise_resolution_pb2.DESCRIPTOR)

Description = Mapping[str, str]
"""Full name of a field, enum value or call -> everything about it that a peer relies on."""


def describe(files: tuple[FileDescriptor, ...] = FILES) -> dict[str, str]:
    """Return the description of a contract."""
    return dict(sorted(line for file in files for line in _of_file(file)))


def recorded() -> dict[str, str]:
    """Return the description that peers were built against."""
    description: dict[str, str] = json.loads(RECORDED.read_text("utf-8"))
    return description


def broken_promises(before: Description, after: Description) -> list[str]:
    """Name what a peer built against `before` would no longer find in `after`."""
    return [
        f"{name}: was {what}, is {after.get(name, 'gone')}"
        for name, what in before.items()
        if after.get(name) != what
    ]


def reused_numbers(description: Description) -> list[str]:
    """Name enum values and fields that share a number within their type."""
    seen: dict[tuple[str, str], str] = {}
    doubled = []
    for name, what in description.items():
        if what.startswith("="):
            key = name.rpartition(".")[0], what.split()[0]
            if key in seen:
                doubled.append(f"{name} and {seen[key]}")
            seen[key] = name
    return doubled


def _of_file(file: FileDescriptor) -> Iterator[tuple[str, str]]:
    for message in file.message_types_by_name.values():
        yield from _of_message(message)
    for enum in file.enum_types_by_name.values():
        for value in enum.values:
            yield f"{enum.full_name}.{value.name}", f"={value.number}"
    for service in file.services_by_name.values():
        for call in service.methods:
            asks = "stream " * call.client_streaming + call.input_type.full_name
            gives = "stream " * call.server_streaming + call.output_type.full_name
            yield call.full_name, f"({asks}) returns ({gives})"


def _of_message(message: Descriptor) -> Iterator[tuple[str, str]]:
    for field in message.fields:
        kind = _TYPES[field.type]
        named = field.message_type or field.enum_type
        if named is not None:
            kind = named.full_name
        many = "repeated " * field.is_repeated
        one_of = f" in {field.containing_oneof.name}" if field.containing_oneof else ""
        yield field.full_name, f"={field.number} {many}{kind}{one_of}"
    for nested in message.nested_types:
        yield from _of_message(nested)


_TYPES = {
    value: name.removeprefix("TYPE_").lower()
    for name, value in vars(FieldDescriptor).items()
    if name.startswith("TYPE_")
}


if __name__ == "__main__":
    RECORDED.write_text(json.dumps(describe(), indent=1) + "\n", "utf-8")
