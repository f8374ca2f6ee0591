"""Answers that look odd and are right, or that stand beside a lie: the good address is found."""

from __future__ import annotations

from itertools import pairwise

from testkit.fake_dns.behaviours import Addresses, Authenticated, Delay, Records, Together, Ttl
from testkit.fake_dns.forgeries import (
    Crafted,
    Flags,
    FromStranger,
    Garbage,
    Lowercase,
    NotAResponse,
    OtherQuestion,
    Questions,
    Shortened,
    TrailingBytes,
    WrongId,
    WrongQuestion,
    record,
)
from tests.faults.lies.case import At, Case, Says, Value, all_say

SOA = "example.org. 60 IN SOA ns.invalid. hostmaster.invalid. 1 3600 600 86400 60"


def chain(links: int) -> Value:
    """An alias of an alias of …, with the address at its end."""

    def value(at: At) -> Records:
        owners = ["@", *(f"l{n}.@" for n in range(1, links + 1))]
        aliases = [f"{owner} 60 IN CNAME {target}" for owner, target in pairwise(owners)]
        return Records((*aliases, at.line(owner=owners[-1])))

    return value


def lowercased(at: At) -> object:
    return Records((at.line(owner=at.name.upper() + "."),))


HONEST = all_say(
    Says.HOME,
    {
        "plain": lambda at: at.good,
        "late": lambda at: Delay(0.05, at.good),
        "the letters in another case": lambda at: Lowercase(at.good),
        "an owner in capital letters": lowercased,
        "a ttl of zero": lambda at: Ttl(0, at.good),
        "the longest ttl": lambda at: Ttl(2**31 - 1, at.good),
        "validated": lambda at: Authenticated(at.good),
        "authoritative, no recursion": lambda at: Flags(at.good, set=0x0400, clear=0x0080),
        "checking disabled": lambda at: Flags(at.good, set=0x0010),
        "the reserved bit": lambda at: Flags(at.good, set=0x0040),
        "the same address twice": lambda at: Records((at.line(), at.line())),
        "a foreign address beside it": lambda at: Records(
            (at.line(), at.line(at.evil[0], "mallory.example.org."))
        ),
        "a foreign address before it": lambda at: Records(
            (at.line(at.evil[0], "mallory.example.org."), at.line())
        ),
        "a text beside it": lambda at: Records((at.line(), '@ 60 IN TXT "v=spf1"')),
        "an evil address in the authority": lambda at: Records((at.line(),), (at.bad_line,)),
        "an evil address beside the question": lambda at: Records((at.line(),), (), (at.bad_line,)),
        "an evil address of class HS": lambda at: Crafted(
            record(at.code, at.home.packed) + record(at.code, at.packed, rdclass=4), (2, 0, 0)
        ),
        "options nobody asked for": lambda at: Crafted(
            record(at.code, at.home.packed) + record(41, b"", owner=b"\0", rdclass=1232, ttl=0),
            (1, 0, 1),
        ),
        "the zone's own records beside it": lambda at: Records((at.line(),), (SOA,)),
        "an alias of somebody else": lambda at: Records(
            (at.line(), "mallory.example.org. 60 IN CNAME evil.example.net.")
        ),
        "an alias written after the address": lambda at: Records(
            (at.line(owner="l1.@"), "@ 60 IN CNAME l1.@")
        ),
        "the same alias twice": lambda at: Records(
            ("@ 60 IN CNAME l1.@", "@ 60 IN CNAME l1.@", at.line(owner="l1.@"))
        ),
        **{f"a chain of {links}": chain(links) for links in range(1, 9)},
    },
)

# What comes before the good answer is no answer, and waiting goes on. Over TCP one who has the
# right to speak lied: what carries the right id and question is all there will be.
INTERRUPTED = {
    "a wrong id first": Case(lambda at: Together((WrongId(at.evil), at.good)), Says.HOME),
    "a wrong question first": Case(
        lambda at: Together((WrongQuestion(at.evil), at.good)), Says.HOME
    ),
    "a question of another class first": Case(
        lambda at: Together((OtherQuestion(at.evil, rdclass="CH"), at.good)), Says.HOME
    ),
    "a query first": Case(lambda at: Together((NotAResponse(at.evil), at.good)), Says.HOME),
    "no question first": Case(lambda at: Together((Questions(0, at.evil), at.good)), Says.HOME),
    "two questions first": Case(lambda at: Together((Questions(2, at.evil), at.good)), Says.HOME),
    "a lie afterwards": Case(lambda at: Together((at.good, at.evil)), Says.HOME),
    "garbage first": Case(
        lambda at: Together((Garbage(), at.good)), Says.HOME, streamed=Says.NOTHING
    ),
    "trailing bytes first": Case(
        lambda at: Together((TrailingBytes(at.evil), at.good)), Says.HOME, streamed=Says.NOTHING
    ),
    "half an answer first": Case(
        lambda at: Together((Shortened(at.evil), at.good)), Says.HOME, streamed=Says.NOTHING
    ),
}

# A stranger can send nothing over a connection.
UDP_ONLY = {
    "a stranger first": Case(
        lambda at: Together((FromStranger(at.evil), Delay(0.05, at.good))), Says.HOME
    ),
    "a stranger alone": Case(lambda at: FromStranger(at.evil), Says.NOTHING),
}

NUMBERS = {
    "two addresses": Case(lambda at: [at.address(1), at.address(2)], Says.MORE),
    "four addresses": Case(lambda at: [at.address(n) for n in range(1, 5)], Says.MORE),
    "a private address beside it": Case(lambda at: [*at.good, "10.0.0.1", "fd00::1"], Says.HOME),
    **{
        f"{count} addresses": Case(lambda _, count=count: Addresses(count), Says.SUSPICIOUS)  # type: ignore[misc]
        for count in (5, 16, 17, 140)
    },
    # More than is taken in of a datagram: what is left of it is cut short.
    "400 addresses": Case(lambda _: Addresses(400), Says.NOTHING, streamed=Says.SUSPICIOUS),
    # More records than are read: that many are not counted, and none of them is believed.
    "as many addresses as a message holds": Case(
        lambda at: Addresses(4000 if at.code == 1 else 2300), Says.NOTHING
    ),
}

CASES = {**HONEST, **INTERRUPTED, **NUMBERS}
