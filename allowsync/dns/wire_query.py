"""Questions in wire form (RFC 1035 section 4.1), and the comparison of datagrams with them.

Written by hand because it is little, and because questions can then leave before any heavy
import.
"""

from __future__ import annotations

import os
from enum import Enum
from functools import lru_cache

from allowsync.model.types import Family
from allowsync.model.value import Value
from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from allowsync.model.types import Query

HEADER: Final = 12
MAX_LABEL: Final = 63
MAX_NAME: Final = 255

_TYPE_AND_CLASS: Final = {Family.IPV4: b"\0\x01\0\x01", Family.IPV6: b"\0\x1c\0\x01"}
_ONE_QUESTION: Final = b"\0\x01\0\0\0\0\0\0"
_RECURSE: Final = b"\x01\0" + _ONE_QUESTION
_RECURSE_AND_VALIDATE: Final = b"\x01\x20" + _ONE_QUESTION
# Lengths of labels are at most 63 and types of ours below 65: only letters change.
_LETTERS: Final = bytes(0x20 if 0x61 <= octet <= 0x7A else 0 for octet in range(256))


class Unaskable(ValueError):
    """A hostname that has no wire form: not ASCII, an empty or a too long label, too long."""


class WireQuestion(Value):
    """The question section of one query in lower case, and the mask of its letters' case bits."""

    section: bytes
    letters: int

    def mixed(self) -> bytes:
        """Return the question with each letter's case drawn at random (draft-vixie-dnsext-dns0x20).

        A server copies the question into its answer; an attacker who cannot see it has to guess.
        """
        size = len(self.section)
        flips = int.from_bytes(os.urandom(size), "big") & self.letters
        return (int.from_bytes(self.section, "big") ^ flips).to_bytes(size, "big")


def question(query: Query) -> WireQuestion:
    """Return the wire form of a query's question.

    Raises:
        Unaskable: The hostname has none.
    """
    section = wire_name(query.hostname) + _TYPE_AND_CLASS[query.family]
    return WireQuestion(section, int.from_bytes(section.translate(_LETTERS), "big"))


def labels(hostname: str) -> tuple[bytes, ...]:
    """Return a hostname's labels, without the root's.

    Raises:
        Unaskable: The hostname is not ASCII.
    """
    try:
        return tuple(hostname.lower().encode("ascii").split(b"."))
    except UnicodeEncodeError as error:
        raise Unaskable(hostname) from error


@lru_cache(maxsize=1)  # A and AAAA of one name are asked one after the other
def wire_name(hostname: str) -> bytes:
    """Return a hostname as length-prefixed labels, absolute, in lower case.

    Raises:
        Unaskable: The hostname has no such form.
    """
    parts = labels(hostname)
    if not all(0 < len(label) <= MAX_LABEL for label in parts):
        raise Unaskable(hostname)
    wire = b"".join(bytes((len(label),)) + label for label in parts) + b"\0"
    if len(wire) > MAX_NAME:
        raise Unaskable(hostname)
    return wire


def message(ident: bytes, section: bytes, *, validate: bool) -> bytes:
    """Return a whole query message: recursion desired, no EDNS.

    Args:
        ident: Two random bytes.
        section: The question as sent.
        validate: Ask for the AD bit in the answer (RFC 6840 section 5.7).
    """
    return ident + (_RECURSE_AND_VALIDATE if validate else _RECURSE) + section


class Likeness(Enum):
    """The relation of a message that carries the right id to the question asked."""

    SAME = "same"
    CASE = "case"  # the same but for the case of letters
    BARE = "bare"  # an error without the question, as some servers send early
    OTHER = "other"


def likeness(wire: bytes, section: bytes) -> Likeness:
    """Compare the question in a response with the one that was asked, byte by byte.

    Anything that is not a response (QR=0, another opcode, other than one question) is `OTHER`.
    """
    if len(wire) < HEADER or wire[2] & 0xF8 != 0x80:
        return Likeness.OTHER
    if len(wire) == HEADER and wire[4:12] == bytes(8) and wire[3] & 0x0F:
        return Likeness.BARE
    if wire[4:6] != b"\0\x01":
        return Likeness.OTHER
    echoed = wire[HEADER : HEADER + len(section)]
    if echoed == section:
        return Likeness.SAME
    return Likeness.CASE if echoed.lower() == section.lower() else Likeness.OTHER


def is_truncated(wire: bytes) -> bool:
    """Whether a response says that it is cut short (TC) and is not an error beside that."""
    return bool(wire[2] & 0x02) and wire[3] & 0x0F in (0, 3)
