"""Every row of the table "what an answer is", over real packets from a real name server."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

import dns.rcode
import pytest

from allowsync.dns.client import Resolver
from allowsync.model.answer import Absent, Answer, Found, Unavailable
from allowsync.model.nameserver import Dnssec
from allowsync.model.types import Family, Query
from testkit.fake_dns.behaviours import (
    FORMERR,
    NOTAUTH,
    NOTIMP,
    REFUSED,
    SERVFAIL,
    Addresses,
    Authenticated,
    BareError,
    ByTransport,
    NoSOA,
    Rcode,
    Records,
    Referral,
    Silent,
    Ttl,
)
from testkit.fake_dns.exchanges import CNAME
from testkit.fake_dns.forgeries import (
    AlwaysTruncated,
    CutShort,
    Drip,
    FromStranger,
    Garbage,
    HangUp,
    Lowercase,
    NotAResponse,
    TrailingBytes,
    Truncated,
    WrongId,
    WrongQuestion,
)
from testkit.fake_dns.nameserver import NameServer
from tests.allowsync.dns.asking import ALICE, BOTH, IPV4, IPV6, ask, settings

if TYPE_CHECKING:
    from collections.abc import Mapping

both_families = pytest.mark.parametrize("family", list(Family), ids=lambda family: family.value)

ADDRESS = {Family.IPV4: ip_address(IPV4), Family.IPV6: ip_address(IPV6)}


def answered(value: object, family: Family, *, attempts: int = 1) -> Answer:
    """What is made of ALICE's answer when it is `value`."""
    with NameServer({ALICE: value, "home.example.org": BOTH}) as server:
        return ask(settings(server, attempts=attempts), ALICE, family)


FOUND: Mapping[str, object] = {
    "addresses": BOTH,
    "behind an alias": CNAME("home.example.org"),
    "in an answer without the case of letters": Lowercase(BOTH),
    "too long for a datagram": Truncated(BOTH),
    "too long, and no case over TCP": Truncated(Lowercase(BOTH)),
    "validated although nobody asked": Authenticated(BOTH),
}


@both_families
@pytest.mark.parametrize("value", FOUND.values(), ids=list(FOUND))
def test_an_address_is_found(value: object, family: Family) -> None:
    assert answered(value, family) == Found((ADDRESS[family],), 60)


@both_families
def test_no_ttl_is_too_short_or_too_long(family: Family) -> None:
    for seconds in (0, 2**31 - 1):
        assert answered(Ttl(seconds, BOTH), family) == Found((ADDRESS[family],), seconds)


@both_families
def test_many_addresses_are_all_found_over_tcp(family: Family) -> None:
    outcome = answered(Truncated(Addresses(400)), family)
    assert isinstance(outcome, Found)
    assert len(outcome.addresses) == 400
    assert list(outcome.addresses) == sorted(outcome.addresses)


@both_families
def test_absence_with_the_zones_soa_is_proven(family: Family) -> None:
    with NameServer({ALICE: []}) as server:
        assert ask(settings(server), ALICE, family) == Absent("NODATA")
        assert ask(settings(server), "bob.example.org", family) == Absent("NXDOMAIN")


@both_families
def test_absence_over_tcp_is_proven_too(family: Family) -> None:
    assert answered(Truncated([]), family) == Absent("NODATA")


NOT_BELIEVED: Mapping[str, tuple[object, str]] = {
    "nodata without soa": (NoSOA([]), "NODATA without SOA: not proven"),
    "nxdomain without soa": (Rcode(dns.rcode.NXDOMAIN), "NXDOMAIN without SOA: not proven"),
    "nxdomain with addresses": (Rcode(dns.rcode.NXDOMAIN, BOTH), "NXDOMAIN with addresses"),
    "referral": (Referral(), "a referral to other nameservers"),
    "empty": (Records(), "NODATA without SOA: not proven"),
    "servfail": (SERVFAIL, "SERVFAIL"),
    "refused": (REFUSED, "REFUSED"),
    "notimp": (NOTIMP, "NOTIMP"),
    "formerr": (FORMERR, "FORMERR"),
    "notauth": (NOTAUTH, "NOTAUTH"),
    "servfail with addresses": (Rcode(dns.rcode.SERVFAIL, BOTH), "SERVFAIL"),
    "error without question": (BareError(), "FORMERR"),
    "alias of itself": (CNAME(ALICE), "CNAME loop"),
    "two aliases": (
        Records((f"{ALICE}. 9 IN CNAME a.example.", f"{ALICE}. 9 IN CNAME b.example.")),
        "two CNAMEs at one name",
    ),
    "foreign addresses": (
        Records((f"mallory.example.org. 9 IN A {IPV4}", f"mallory.example.org. 9 IN AAAA {IPV6}")),
        "NODATA without SOA: not proven",
    ),
    "truncated twice": (AlwaysTruncated(), "truncated over TCP"),
    "hang-up over tcp": (
        ByTransport(AlwaysTruncated(), HangUp()),
        "the TCP connection ended before the answer did",
    ),
    "cut short over tcp": (
        Truncated(CutShort(BOTH)),
        "the TCP connection ended before the answer did",
    ),
    "servfail over tcp": (Truncated(SERVFAIL), "SERVFAIL"),
    "garbage over tcp": (Truncated(Garbage()), "malformed answer: a pointer that leads nowhere"),
    "trailing bytes over tcp": (
        Truncated(TrailingBytes(BOTH)),
        "malformed answer: trailing bytes",
    ),
}


@both_families
@pytest.mark.parametrize(("value", "reason"), NOT_BELIEVED.values(), ids=list(NOT_BELIEVED))
def test_what_proves_nothing_is_unavailable(value: object, reason: str, family: Family) -> None:
    assert answered(value, family) == Unavailable(reason)


NOT_TO_THE_QUESTION = "malformed answer: not to the question asked"
WAITED_OUT: Mapping[str, tuple[object, str]] = {
    "silence": (Silent(), "no answer in 1 s"),
    "wrong id": (WrongId(BOTH), "no answer in 1 s"),
    "wrong port": (FromStranger(BOTH), "no answer in 1 s"),
    "wrong question": (WrongQuestion(BOTH), NOT_TO_THE_QUESTION),
    "a query instead of an answer": (NotAResponse(BOTH), NOT_TO_THE_QUESTION),
    "garbage": (Garbage(), "malformed answer: a pointer that leads nowhere"),
    "garbage from the first byte": (Garbage(question=False), NOT_TO_THE_QUESTION),
    "trailing bytes": (TrailingBytes(BOTH), "malformed answer: trailing bytes"),
    "silence over tcp": (
        ByTransport(AlwaysTruncated(), Silent()),
        "no whole answer over TCP in 1 s",
    ),
    "wrong id over tcp": (Truncated(WrongId(BOTH)), "no whole answer over TCP in 1 s"),
    "wrong question over tcp": (
        Truncated(WrongQuestion(BOTH)),
        "no whole answer over TCP in 1 s",
    ),
    "a slow drip over tcp": (
        Truncated(Drip(0.05, BOTH)),
        "no whole answer over TCP in 1 s",
    ),
}


def test_waiting_goes_on_until_the_timeout() -> None:
    """All of them at once: each takes the timeout."""
    zones = {
        f"host{place}.example.org": value for place, (value, _) in enumerate(WAITED_OUT.values())
    }
    queries = [Query(hostname, family) for hostname in zones for family in Family]
    with NameServer(zones) as server:
        answers = Resolver(settings(server, timeout=1.0, attempts=1)).resolve(queries)
    said = dict(zip(zones, WAITED_OUT.items(), strict=True))
    for query, answer in answers.items():
        what, (_, reason) = said[query.hostname]
        assert answer == Unavailable(reason), what


@both_families
def test_where_dnssec_is_required_only_validated_answers_count(family: Family) -> None:
    with NameServer({ALICE: BOTH, "bob.example.org": Authenticated(BOTH)}) as server:
        strict = settings(server, dnssec=Dnssec.REQUIRE)
        assert ask(strict, ALICE, family) == Unavailable("not validated by DNSSEC")
        assert ask(strict, "bob.example.org", family) == Found((ADDRESS[family],), 60)
        assert all(request.wire[3] & 0x20 for request in server.requests)


@pytest.mark.usefixtures("unhurried")
def test_the_ad_flag_and_edns_are_not_sent_unasked() -> None:
    with NameServer({ALICE: BOTH}) as server:
        ask(settings(server))
        (request,) = server.requests
        assert request.wire[2:4] == b"\x01\x00"
        assert request.message.edns == -1


@pytest.mark.parametrize("hostname", ["a..b", "x" * 64 + ".example", "bücher.example", ""])
def test_a_name_that_cannot_be_asked_is_an_answer_too(hostname: str) -> None:
    with NameServer({}) as server:
        outcome = ask(settings(server), hostname)
        assert outcome == Unavailable("not a name the DNS can be asked for")
        assert not server.asked


@pytest.mark.usefixtures("unhurried")
def test_a_server_on_ipv6_is_asked_over_udp_and_tcp() -> None:
    with NameServer({ALICE: Truncated(BOTH)}, address="::1") as server:
        assert isinstance(ask(settings(server)), Found)
        assert [one.transport for one in server.asked] == ["udp", "tcp"]
