"""The lines of text that carry answers from the resolver process to the run, and their validation.

The process that writes them may be compromised by a response. So the run accepts only places that
were asked, each once, only addresses of the family asked for, numbers within bounds, and reasons
that are harmless to a terminal.

    C <sound> <lacking rights>             once, before anything else
    F <place> <ttl> <address>,<address>…
    A <place> NXDOMAIN
    U <place> <reason>
    E                                      end
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_ntop
from ipaddress import IPv4Address

from allowsync.model.answer import Absent, Found, Unavailable
from allowsync.model.networks import parsed_address
from allowsync.model.types import Family
from allowsync.system.fork import Confinement
from allowsync.text import abridge
from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from allowsync.model.answer import Answer
    from allowsync.model.types import Address, Query

MAX_LINE: Final = 24 * 1024  # as many addresses as the largest answer that is read has
MAX_REASON: Final = 300
MAX_LACKING: Final = 600
MAX_TTL: Final = 2**31 - 1
MOST_DIGITS: Final = len(str(MAX_TTL))

_ABSENCES: Final = ("NXDOMAIN", "NODATA")


class Unbelievable(ValueError):
    """The line is no answer to one of the questions."""


def confined(result: Confinement) -> bytes:
    """Format the rights given up, as a line."""
    text = abridge(result.lacking, MAX_LACKING)
    return f"C {int(result.is_sound)} {text}\n".encode("ascii", "backslashreplace")


def written(place: int, answer: Answer) -> bytes:
    """Format an answer as a line."""
    match answer:
        case Found(addresses, ttl):
            line = f"F {place} {ttl} {','.join(map(_spelt, addresses))}\n"
        case Absent(reason):
            line = f"A {place} {reason}\n"
        case Unavailable(reason):
            line = f"U {place} {abridge(reason, MAX_REASON)}\n"
    return line.encode("ascii", "backslashreplace")


def _spelt(address: Address) -> str:
    """Format in any form that is read as this address: a fifth of the C library's time."""
    return inet_ntop(AF_INET if address.version == 4 else AF_INET6, address.packed)


END: Final = b"E\n"


class AnswerReader:
    """Reads lines as they arrive.

    Args:
        queries: The queries asked; an answer's place is an index of these.
        first: Whether nothing was read before.

    Attributes:
        confinement: The rights the process gave up, once reported.
        answers: The answers so far, by place.
        is_over: Whether the last line has arrived.
    """

    def __init__(self, queries: Sequence[Query], *, first: bool = False) -> None:
        self.confinement: Confinement | None = None
        self._silent = first
        self.answers: dict[int, Answer] = {}
        self.is_over = False
        self._queries = queries
        self._rest = b""

    def __len__(self) -> int:
        """Return the number of expected answers."""
        return len(self._queries)

    def take(self, data: bytes) -> None:
        """Read received data.

        Raises:
            Unbelievable: The data is no answer to the questions.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE:
            raise Unbelievable("a line without end")
        for line in lines:
            self._read(line)
        if self.is_over and self._rest:
            raise Unbelievable("more than was asked for")

    def _read(self, line: bytes) -> None:
        if self.is_over or len(line) > MAX_LINE:
            raise Unbelievable("more than was asked for")
        if line == END[:-1]:
            self.is_over = True
            return
        try:
            kind, number, rest = line.decode("ascii").split(" ", 2)
        except ValueError as error:
            raise Unbelievable("a line that is none") from error
        if self._silent != (kind == "C"):
            raise Unbelievable("its rights told at another time than first")
        if self._silent:
            self._silent = False
            self.confinement = Confinement(_number(number, 1) == 1, abridge(rest, MAX_LACKING))
            return
        place = _number(number, len(self._queries) - 1)
        if place in self.answers:
            raise Unbelievable("two answers to one question")
        self.answers[place] = _answer(kind, rest, self._queries[place].family)


def _answer(kind: str, rest: str, family: Family) -> Answer:
    if kind == "F":
        ttl, _, addresses = rest.partition(" ")
        try:
            found = [_address(one, family) for one in addresses.split(",")]
        except ValueError as error:
            raise Unbelievable("an address that is none") from error
        if len(found) > 1:
            found = sorted(set(found), key=int)
        return Found(tuple(found), _number(ttl, MAX_TTL))
    if kind == "A" and rest in _ABSENCES:
        return Absent(rest)
    if kind == "U":
        return Unavailable(abridge(rest, MAX_REASON))
    raise Unbelievable("an answer of unknown kind")


def _address(text: str, family: Family) -> Address:
    if "%" in text:
        raise Unbelievable("an address with a zone")
    found = parsed_address(text)
    if isinstance(found, IPv4Address) is not (family is Family.IPV4):
        raise ValueError("an address of the other family")
    return found


def _number(text: str, most: int) -> int:
    if not text.isdecimal() or len(text) > MOST_DIGITS or (number := int(text)) > most:
        raise Unbelievable("a number out of bounds")
    return number
