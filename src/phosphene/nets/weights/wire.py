"""Protocol buffers, walked field by field in a mapped file: what is large is never copied to be looked at.

The small parts of a message go to the protobuf library with a schema of our own; the numbers themselves,
which are nearly all of a model file, stay where they are until they become a tensor. The encoding is that
of https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from phosphene.errors import MissingExtraError, WeightsError

VARINT, EIGHT_BYTES, BYTES, FOUR_BYTES = 0, 1, 2, 5

MOST_FIELDS = 250_000
"""More than any network's file has; a file of nothing but tiny fields would keep a reader busy for minutes.
"""

MOST_SMALL = 1 << 20
"""Bytes of a message without its numbers; parsed, they may take fifty times as much."""


class WireError(Exception):
    """Bytes that are not a protocol buffer, or not of the expected message type; turned into `WeightsError`."""


Field = tuple[int, int, Any]
"""A field's number, its wire type, and its value: an int, or a view of its bytes."""


class Walker:
    """Reads messages' fields, and counts them over the whole file."""

    def __init__(self) -> None:
        self._left = MOST_FIELDS

    def fields(self, message: memoryview) -> Iterator[Field]:
        """Yield the fields of a message, in the order of the file. Raise `WireError`."""
        position, end = 0, len(message)
        while position < end:
            self._left -= 1
            if self._left < 0:
                raise WireError(f"it has more than {MOST_FIELDS} fields")
            key, position = _varint(message, position)
            number, wire = key >> 3, key & 7
            if number == 0:
                raise WireError("it has a field of number 0")
            if wire == VARINT:
                value, position = _varint(message, position)
                yield number, wire, value
                continue
            if wire == BYTES:
                length, position = _varint(message, position)
            elif wire in (EIGHT_BYTES, FOUR_BYTES):
                length = 8 if wire == EIGHT_BYTES else 4
            else:
                raise WireError(f"it has a field of type {wire}")
            if length > end - position:
                raise WireError(f"a field claims {length} bytes where {end - position} are left")
            yield number, wire, message[position : position + length]
            position += length


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            raise WireError("it ends inside a number")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise WireError("it has a number of more than 64 bits")


def rewrite(fields: list[Field]) -> bytes:
    """Serialise fields as a message for the protobuf library; at most `MOST_SMALL` of them."""
    out = bytearray()
    for number, wire, value in fields:
        out += _written(number << 3 | wire)
        if wire == VARINT:
            out += _written(value)
            continue
        if wire == BYTES:
            out += _written(len(value))
        if len(out) + len(value) > MOST_SMALL:
            raise WireError(f"a description claims more than {MOST_SMALL} bytes")
        out += value
    return bytes(out)


def _written(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def message_classes(package: str, messages: dict[str, dict[str, tuple[int, str]]]) -> dict[str, type]:
    """Message classes of the protobuf library for a schema: name -> field -> (number, type).

    A type is a scalar's name in the protobuf language or a message's in the schema, with `repeated ` before
    it where there may be many. Raises `MissingExtraError` without the library.
    """
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    except ImportError:
        raise MissingExtraError("reading Caffe and TensorFlow models", "models") from None
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto2")
    kinds = descriptor_pb2.FieldDescriptorProto
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field, (number, declared) in fields.items():
            kind = declared.removeprefix("repeated ")
            label = kinds.LABEL_REPEATED if kind != declared else kinds.LABEL_OPTIONAL
            entry = message.field.add(name=field, number=number, label=label)
            if kind in messages:
                entry.type, entry.type_name = kinds.TYPE_MESSAGE, f".{package}.{kind}"
            else:
                entry.type = kinds.Type.Value(f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in messages}


def parsed(kind: type, fields: list[Field]) -> Any:
    """Parse these fields with the protobuf library and return the message. Raise `WireError`."""
    from google.protobuf.message import DecodeError

    message = kind()
    try:
        message.ParseFromString(rewrite(fields))
    except DecodeError as problem:
        raise WireError(f"it cannot be parsed ({problem})") from None
    return message


def mapped(path: Path) -> memoryview:
    """Map a file's bytes instead of reading them; unmap them when their last view is gone.

    Raises `WeightsError` for a file that cannot be opened or is empty.
    """
    try:
        with path.open("rb") as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as problem:
        raise WeightsError(f"{path} cannot be read: {problem}", path=path) from None
