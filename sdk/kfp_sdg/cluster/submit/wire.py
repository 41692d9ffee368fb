"""Protocol buffers on the wire, as much of them as questions to ML Metadata need.

KFP brings no classes for ML Metadata's messages, and its own package has no wheel for this Python.
A message is a list of fields, each a number with a type and a value
(protobuf.dev/programming-guides/encoding).
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Field: TypeAlias = int | bytes

_VARINT, _FIXED64, _BYTES = 0, 1, 2


def encode(fields: Iterable[tuple[int, int | str | bytes]]) -> bytes:
    """Return a message.

    Args:
        fields: The number and the value of each field; an int is a varint, a text UTF-8, and bytes
            are a message in the message.
    """
    return b"".join(_encoded(number, value) for number, value in fields)


class Message:
    """A message that was received."""

    def __init__(self, data: bytes) -> None:
        """Take it apart.

        Args:
            data: The message.

        Raises:
            ValueError: It is none.
        """
        self._fields: dict[int, list[Field]] = defaultdict(list)
        for number, value in _decoded(data):
            self._fields[number].append(value)

    def number(self, field: int) -> int:
        """Return an integer field, 0 where it is missing."""
        values = [value for value in self._fields[field] if isinstance(value, int)]
        return values[-1] if values else 0

    def text(self, field: int) -> str:
        """Return a text field, "" where it is missing."""
        values = [value for value in self._fields[field] if isinstance(value, bytes)]
        return values[-1].decode(errors="replace") if values else ""

    def messages(self, field: int) -> list[Message]:
        """Return the messages of a repeated field."""
        return [Message(value) for value in self._fields[field] if isinstance(value, bytes)]

    def message(self, field: int) -> Message:
        """Return a message field, an empty message where it is missing."""
        return next(iter(reversed(self.messages(field))), Message(b""))

    def mapping(self, field: int) -> dict[str, Message]:
        """Return a map from texts to messages."""
        return {entry.text(1): entry.message(2) for entry in self.messages(field)}


def _encoded(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3 | _VARINT) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | _BYTES) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*digits, value])


def _decoded(data: bytes) -> Iterator[tuple[int, Field]]:
    place = 0
    while place < len(data):
        key, place = _read_varint(data, place)
        match key & 7:
            case 0:
                value, place = _read_varint(data, place)
                yield key >> 3, value
            case 2:
                size, place = _read_varint(data, place)
                yield key >> 3, _slice(data, place, size)
                place += size
            case 1 | 5 as kind:
                size = 8 if kind == _FIXED64 else 4
                yield key >> 3, _slice(data, place, size)
                place += size
            case kind:
                raise ValueError(f"no protocol buffer: wire type {kind}")


def _read_varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(data):
        digit = data[place]
        value |= (digit & 0x7F) << shift
        place += 1
        if digit < 0x80:
            return value, place
        shift += 7
    raise ValueError("no protocol buffer: it ends within a number")


def _slice(data: bytes, place: int, size: int) -> bytes:
    if place + size > len(data):
        raise ValueError("no protocol buffer: it ends within a field")
    return data[place : place + size]
