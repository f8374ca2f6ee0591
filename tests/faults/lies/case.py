"""One way for the DNS to lie, and what is to be made of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address
from typing import TYPE_CHECKING, TypeAlias

from allowsync.model.types import Family

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from allowsync.model.types import Address

EVIL = {Family.IPV4: "6.6.6.6", Family.IPV6: "2600:6666::6"}


class Over(Enum):
    """How a lie is told."""

    UDP = "udp"
    TCP = "tcp"  # after an answer over UDP that was cut short
    TLS = "tls"

    @property
    def streamed(self) -> bool:
        """Whether it comes over a connection."""
        return self is not Over.UDP


class Says(Enum):
    """What an answer must be taken for."""

    HOME = "the address of before, and nothing else"
    MORE = "the address of before, and others of the same home"
    ABSENT = "a proven absence"
    NOTHING = "no answer"
    SUSPICIOUS = "an answer nobody's home gives"


@dataclass(frozen=True, slots=True)
class At:
    """Where a lie is told: to which question, about whom."""

    number: int
    family: Family

    @property
    def name(self) -> str:
        return f"n{self.number}.example.org"

    @property
    def rdtype(self) -> str:
        return "A" if self.family is Family.IPV4 else "AAAA"

    @property
    def code(self) -> int:
        return 1 if self.family is Family.IPV4 else 28

    def address(self, which: int = 1) -> str:
        """An address of this home, and of no other one."""
        if self.family is Family.IPV4:
            return f"81.{2 + self.number // 200}.{self.number % 200}.{which}"
        return f"2a01:4f8:{self.number:x}:{which}::7"

    @property
    def home(self) -> Address:
        return ip_address(self.address())

    @property
    def good(self) -> list[str]:
        return [self.address()]

    @property
    def evil(self) -> list[str]:
        return [EVIL[self.family]]

    def line(self, address: str = "", owner: str = "@") -> str:
        """A record as in a zone file; of the home's address unless another one is given."""
        return f"{owner} 60 IN {self.rdtype} {address or self.address()}"

    @property
    def bad_line(self) -> str:
        return self.line(EVIL[self.family])

    @property
    def packed(self) -> bytes:
        """The evil address as it is sent."""
        return ip_address(EVIL[self.family]).packed


Value: TypeAlias = "Callable[[At], object]"


@dataclass(frozen=True, slots=True)
class Case:
    """A lie: what the name answers, and what it must be taken for.

    Attributes:
        value: What a name server's zone holds for the name.
        says: What it must be taken for.
        streamed: The same where the answer comes over a connection, if that differs.
        alone: Whether it makes a connection useless for every other answer, too.
    """

    value: Value
    says: Says
    streamed: Says | None = None
    alone: bool = False

    def of(self, over: Over) -> Says:
        """What it must be taken for, told that way."""
        return self.streamed if over.streamed and self.streamed else self.says


def all_say(says: Says, values: Mapping[str, Value]) -> dict[str, Case]:
    return {name: Case(value, says) for name, value in values.items()}
