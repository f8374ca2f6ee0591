"""Messages of D-Bus as octets (D-Bus Specification, "Type System" and "Message Protocol"). Pure.

All that firewalld's methods take and give: texts, numbers, and lists, dictionaries and tuples.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HEAD: Final = 16  # octets, after which the size of a message is known
_CALL: Final = 1
_NO_AUTO_START: Final = 2
_ORDERS: Final = {ord("l"): "<", ord("B"): ">"}
_NUMBERS: Final = {"y": "B", "b": "I", "i": "i", "u": "I"}
_ALIGNED: Final = {"y": 1, "g": 1, "v": 1, "(": 8, "{": 8}  # all others: to 4 octets


class Call(NamedTuple):
    """A call of a method.

    Attributes:
        destination: The name of the program on the bus.
        path: The object.
        interface: Its interface.
        method: The method.
        signature: The types of the arguments.
        arguments: The arguments: texts, numbers, and lists, dictionaries and tuples of them.
    """

    destination: str
    path: str
    interface: str
    method: str
    signature: str = ""
    arguments: tuple[Any, ...] = ()


class Message(NamedTuple):
    """What comes back.

    Attributes:
        answers: The number of the call it answers; 0 for none.
        error: The name of the error; empty where the call was carried out.
        signature: The types of its values.
        values: The values.
    """

    answers: int
    error: str
    signature: str
    values: tuple[Any, ...]


def written(call: Call, number: int) -> bytes:
    """A call as octets. It starts no program that is off."""
    body = bytearray()
    for kind, value in zip(complete_types(call.signature), call.arguments, strict=True):
        _write(body, kind, value)
    fields = [
        (1, ("o", call.path)),
        (2, ("s", call.interface)),
        (3, ("s", call.method)),
        (6, ("s", call.destination)),
        (8, ("g", call.signature)),
    ]
    head = bytearray(struct.pack("<BBBBII", ord("l"), _CALL, _NO_AUTO_START, 1, len(body), number))
    _write(head, "a(yv)", fields)
    _pad(head, 8)
    return bytes(head + body)


def size(head: bytes) -> int:
    """How many octets the message has whose first `HEAD` these are.

    Raises:
        ValueError: They are no such thing.
    """
    if len(head) < HEAD or head[0] not in _ORDERS:
        raise ValueError("no message of D-Bus")
    body, _, fields = struct.unpack_from(f"{_ORDERS[head[0]]}III", head, 4)
    return HEAD + int(fields) + -int(fields) % 8 + int(body)


def read(octets: bytes) -> Message:
    """What a message says.

    Raises:
        ValueError: It is not understood.
    """
    try:
        reader = _Reader(octets, _ORDERS[octets[0]])
        reader.at = HEAD - 4
        fields = dict(reader.take("a(yv)"))
        reader.at += -reader.at % 8
        signature = fields.get(8, "")
        values = tuple(reader.take(kind) for kind in complete_types(signature))
    except (IndexError, KeyError, TypeError, struct.error) as error:
        raise ValueError(str(error)) from error
    return Message(fields.get(5, 0), fields.get(4, ""), signature, values)


def complete_types(signature: str) -> Iterator[str]:
    """The single complete types in a signature: `s`, `as` and `a{ss}` of `sasa{ss}`."""
    while signature:
        end = _end(signature)
        yield signature[:end]
        signature = signature[end:]


def _end(signature: str) -> int:
    """Where the first complete type ends."""
    if signature[0] == "a":
        return 1 + _end(signature[1:])
    depth = 0
    for end, letter in enumerate(signature, start=1):
        depth += (letter in "({") - (letter in ")}")
        if not depth:
            return end
    raise ValueError(f"signature {signature!r} has no end")


def _pad(data: bytearray, to: int) -> None:
    data += bytes(-len(data) % to)


def _write(data: bytearray, kind: str, value: Any) -> None:
    _pad(data, _ALIGNED.get(kind[0], 4))
    if kind[0] in "so":
        raw = value.encode()
        data += struct.pack("<I", len(raw)) + raw + b"\0"
    elif kind == "g":
        data += bytes((len(value),)) + value.encode() + b"\0"
    elif kind == "v":
        _write(data, "g", value[0])
        _write(data, *value)
    elif kind[0] == "a":
        _write_array(data, kind[1:], value.items() if isinstance(value, dict) else value)
    elif kind[0] in "({":
        for part, one in zip(complete_types(kind[1:-1]), value, strict=True):
            _write(data, part, one)
    else:
        data += struct.pack(f"<{_NUMBERS[kind]}", value)


def _write_array(data: bytearray, kind: str, values: Iterable[Any]) -> None:
    at = len(data)
    data += bytes(4)
    _pad(data, _ALIGNED.get(kind[0], 4))
    start = len(data)
    for one in values:
        _write(data, kind, one)
    struct.pack_into("<I", data, at, len(data) - start)


class _Reader:
    """Takes values from a message, one after the other."""

    def __init__(self, octets: bytes, order: str) -> None:
        self._octets, self._order, self.at = octets, order, 0

    def take(self, kind: str) -> Any:
        """The next value, of a complete type."""
        self.at += -self.at % _ALIGNED.get(kind[0], 4)
        if kind[0] in "so":
            return self._text(self._number("I"))
        if kind == "g":
            return self._text(self._number("B"))
        if kind == "v":
            (inner,) = complete_types(self.take("g"))
            return self.take(inner)
        if kind[0] == "a":
            return self._array(kind[1:])
        if kind[0] in "({":
            return tuple(self.take(part) for part in complete_types(kind[1:-1]))
        return self._number(_NUMBERS[kind])

    def _number(self, code: str) -> int:
        (value,) = struct.unpack_from(f"{self._order}{code}", self._octets, self.at)
        self.at += struct.calcsize(code)
        return int(value)

    def _text(self, length: int) -> str:
        raw = self._octets[self.at : self.at + length]
        self.at += length + 1
        if self.at > len(self._octets):
            raise IndexError("it is cut short")
        return raw.decode()

    def _array(self, kind: str) -> Any:
        length = self._number("I")
        self.at += -self.at % _ALIGNED.get(kind[0], 4)
        end, found = self.at + length, []
        while self.at < end:
            found.append(self.take(kind))
        return dict(found) if kind[0] == "{" else found
