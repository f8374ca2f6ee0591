"""Answers without an address: proven absences, and what only looks like one."""

from __future__ import annotations

import dns.rcode

from testkit.fake_dns.behaviours import ByType, NoSOA, Rcode, Records, Referral
from testkit.fake_dns.forgeries import Crafted, record
from tests.faults.lies.case import At, Says, all_say
from tests.faults.lies.found import SOA, chain

NXDOMAIN = dns.rcode.NXDOMAIN
TEXT = "ns.invalid. hostmaster.invalid. 1 3600 600 86400 60"
FOREIGN = f"example.net. 60 IN SOA {TEXT}"
CHILD = f"below.@ 60 IN SOA {TEXT}"
SOA_WIRE = b"\x01n\0\x01h\0" + bytes(20)


def other_family_alone(at: At) -> object:
    other = At(at.number, next(one for one in type(at.family) if one is not at.family))
    return ByType([other.address()], [other.address()])


PROVEN = all_say(
    Says.ABSENT,
    {
        "no such name": lambda _: None,
        "no such type": lambda _: [],
        "the other family alone": other_family_alone,
        "the soa of the top": lambda _: Records(authority=(f"org. 60 IN SOA {TEXT}",)),
        "the soa of the root": lambda _: Records(
            authority=(f". 60 IN SOA {TEXT}",), rcode=NXDOMAIN
        ),
        "its own soa": lambda _: Records(authority=(f"@ 60 IN SOA {TEXT}",)),
        "a dangling alias": lambda _: Records(
            ("@ 60 IN CNAME gone.example.org.",), (SOA,), rcode=NXDOMAIN
        ),
        "an alias without that type": lambda _: Records(
            ("@ 60 IN CNAME gone.example.org.",), (SOA,)
        ),
        "an alias into another zone, with its soa": lambda _: Records(
            ("@ 60 IN CNAME gone.example.net.",), (FOREIGN,), rcode=NXDOMAIN
        ),
        "an evil address of another name": lambda at: Records(
            (at.line(at.evil[0], "mallory.example.org."),), (SOA,)
        ),
        "an evil address beside the soa": lambda at: Records((), (SOA, at.bad_line)),
    },
)

UNPROVEN = all_say(
    Says.NOTHING,
    {
        "no such name, no soa": lambda _: NoSOA(None),
        "no such type, no soa": lambda _: NoSOA([]),
        "empty": lambda _: Records(),
        "no such name, a foreign soa": lambda _: Records(authority=(FOREIGN,), rcode=NXDOMAIN),
        "no such type, a foreign soa": lambda _: Records(authority=(FOREIGN,)),
        "a soa from below": lambda _: Records(authority=(CHILD,), rcode=NXDOMAIN),
        "a soa of class CH": lambda _: Crafted(
            record(6, SOA_WIRE, owner=b"\0", rdclass=3), (0, 1, 0), 0x8183
        ),
        "a soa among the answers": lambda _: Records((SOA,), rcode=NXDOMAIN),
        "a soa beside the question": lambda _: Records(additional=(SOA,), rcode=NXDOMAIN),
        "a referral": lambda _: Referral(),
        "a referral to the root": lambda _: Records(authority=(". 60 IN NS a.root-servers.net.",)),
        "a referral with an address": lambda at: Records(
            (), ("example.org. 60 IN NS @",), (at.bad_line,)
        ),
        "no such name, with addresses": lambda at: Rcode(NXDOMAIN, at.evil),
        "no such name, addresses and soa": lambda at: Records(
            (at.bad_line,), (SOA,), rcode=NXDOMAIN
        ),
        "a foreign address alone": lambda at: Records(
            (at.line(at.evil[0], "mallory.example.org."),)
        ),
        "an address of the parent": lambda at: Records((at.line(at.evil[0], "example.org."),)),
        "an address of a name below": lambda at: Records((at.line(at.evil[0], "www.@"),)),
        "an evil address beside the question alone": lambda at: Records((), (), (at.bad_line,)),
        "a dangling alias without soa": lambda _: Records(("@ 60 IN CNAME gone.example.org.",)),
        "a dangling alias with a foreign soa": lambda _: Records(
            ("@ 60 IN CNAME gone.example.org.",), (FOREIGN,), rcode=NXDOMAIN
        ),
        "an alias with its first zone's soa": lambda _: Records(
            ("@ 60 IN CNAME gone.example.net.",), (SOA,), rcode=NXDOMAIN
        ),
        "an alias of itself": lambda _: Records(("@ 60 IN CNAME @",)),
        "aliases of each other": lambda at: Records(
            ("@ 60 IN CNAME l1.@", "l1.@ 60 IN CNAME @", at.bad_line)
        ),
        "a loop with a soa": lambda _: Records(("@ 60 IN CNAME @",), (SOA,), rcode=NXDOMAIN),
        "two aliases": lambda at: Records(
            ("@ 60 IN CNAME a.@", "@ 60 IN CNAME b.@", at.line(at.evil[0], "a.@"))
        ),
        "an alias beside an address": lambda at: Records(("@ 60 IN CNAME l1.@", at.bad_line)),
        "somebody else's alias": lambda at: Records(
            ("mallory.example.org. 60 IN CNAME l1.@", at.line(at.evil[0], "l1.@"))
        ),
        "a name of a whole tree": lambda at: Records(
            ("example.org. 60 IN DNAME example.net.", at.line(at.evil[0], "n.example.net."))
        ),
        "an alias of class CH": lambda at: Crafted(
            record(5, b"\x01x\0", rdclass=3) + record(at.code, at.packed, owner=b"\x01x\0"),
            (2, 0, 0),
        ),
        "a chain of 9": chain(9),
        "a chain of 20": chain(20),
    },
)  # fmt: skip

CASES = {**PROVEN, **UNPROVEN}
