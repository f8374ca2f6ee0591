"""The name server for tests, judged by dnspython's own client."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

from allowsync.model.nameserver import Nameserver
from testkit.fake_dns.behaviours import SERVFAIL, Addresses, Delay, Drop, InTurn, Silent
from testkit.fake_dns.exchanges import CNAME, Misbehaviour
from testkit.fake_dns.forgeries import Truncated
from testkit.fake_dns.nameserver import AskedQuestion, NameServer

if TYPE_CHECKING:
    from testkit.fake_dns.exchanges import DnsReply, DnsRequest

ALICE = "alice.example.org"


def ask(
    server: NameServer, name: str = ALICE, rdtype: str = "A", *, tcp: bool = False
) -> dns.message.Message:
    query = dns.message.make_query(name, rdtype)
    by = dns.query.tcp if tcp else dns.query.udp
    return by(query, server.address, timeout=5, port=server.port)


def answers(response: dns.message.Message) -> list[str]:
    return [line for rrset in response.answer for line in rrset.to_text().splitlines()]


@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_addresses_are_served_by_type_over_udp_and_tcp(address: str, tcp: bool) -> None:
    with NameServer({ALICE: ["203.0.113.7", "2001:db8::7"]}, address=address) as server:
        assert answers(ask(server, tcp=tcp)) == [f"{ALICE}. 60 IN A 203.0.113.7"]
        assert answers(ask(server, rdtype="AAAA", tcp=tcp)) == [f"{ALICE}. 60 IN AAAA 2001:db8::7"]


def test_an_alias_is_followed_within_the_zones() -> None:
    zones = {"www.example.org": CNAME(ALICE), ALICE: ["203.0.113.7"]}
    with NameServer(zones) as server:
        assert answers(ask(server, "www.example.org")) == [
            f"www.example.org. 60 IN CNAME {ALICE}.",
            f"{ALICE}. 60 IN A 203.0.113.7",
        ]


@pytest.mark.parametrize(
    ("name", "rdtype", "rcode", "owner"),
    [
        (ALICE, "AAAA", dns.rcode.NOERROR, "example.org."),
        ("bob.example.org", "A", dns.rcode.NXDOMAIN, "example.org."),
        ("deep.below.example.org", "A", dns.rcode.NXDOMAIN, "example.org."),
    ],
)
def test_negatives_carry_the_zones_soa(
    name: str, rdtype: str, rcode: dns.rcode.Rcode, owner: str
) -> None:
    with NameServer({ALICE: ["203.0.113.7"]}) as server:
        response = ask(server, name, rdtype)
    assert response.rcode() == rcode
    (soa,) = response.authority
    assert (soa.name.to_text(), soa.rdtype) == (owner, dns.rdatatype.SOA)


def test_the_name_that_tells_of_address_translation_has_ipv4_addresses_alone() -> None:
    zones: dict[str, object] = {ALICE: ["203.0.113.7"]}
    with NameServer(zones) as server:
        assert len(answers(ask(server, "ipv4only.arpa"))) == 2
        nothing = ask(server, "ipv4only.arpa", "AAAA")
        assert (nothing.rcode(), nothing.answer) == (dns.rcode.NOERROR, [])
        assert [soa.rdtype for soa in nothing.authority] == [dns.rdatatype.SOA]
        zones["*"] = ["64:ff9b::192.0.0.170"]
        assert len(answers(ask(server, "ipv4only.arpa", "AAAA"))) == 1


def test_names_outside_every_zone_are_refused_unless_a_star_stands_for_them() -> None:
    zones: dict[str, object] = {ALICE: ["203.0.113.7"]}
    with NameServer(zones) as server:
        assert ask(server, "somewhere.test").rcode() == dns.rcode.REFUSED
        zones["*"] = ["203.0.113.8"]
        assert answers(ask(server, "somewhere.test")) == ["somewhere.test. 60 IN A 203.0.113.8"]
        assert answers(ask(server)) == [f"{ALICE}. 60 IN A 203.0.113.7"]


def test_zones_may_change_while_it_runs() -> None:
    with NameServer({ALICE: ["203.0.113.7"]}) as server:
        server.zones[ALICE] = SERVFAIL
        assert ask(server).rcode() == dns.rcode.SERVFAIL


def test_every_question_is_logged_in_order() -> None:
    with NameServer({ALICE: Truncated(["203.0.113.7"])}) as server:
        ask(server, "ALICE.example.ORG")
        ask(server, rdtype="AAAA", tcp=True)
        assert server.asked == [AskedQuestion(ALICE, "A", "udp"), (ALICE, "AAAA", "tcp")]
        assert [request.number for request in server.requests] == [0, 0]


def test_behaviours_compose() -> None:
    value = InTurn((SERVFAIL, Delay(0.01, Truncated(["203.0.113.7"]))))
    with NameServer({ALICE: value}) as server:
        assert ask(server).rcode() == dns.rcode.SERVFAIL
        assert ask(server).flags & dns.flags.TC
        assert answers(ask(server, tcp=True)) == [f"{ALICE}. 60 IN A 203.0.113.7"]


@pytest.mark.parametrize("value", [Silent(), Drop(1, ["203.0.113.7"])])
def test_silence_is_silence(value: object) -> None:
    with NameServer({ALICE: value}) as server:
        query = dns.message.make_query(ALICE, "A")
        with pytest.raises(dns.exception.Timeout):
            dns.query.udp(query, server.address, timeout=0.2, port=server.port)
        assert len(server.asked) == 1


def test_as_many_addresses_as_wanted() -> None:
    with NameServer({ALICE: Addresses(300)}) as server:
        for rdtype in ("A", "AAAA"):
            assert len(set(answers(ask(server, rdtype=rdtype, tcp=True)))) == 300


def test_a_plain_function_is_a_behaviour() -> None:
    def refuse_to_think(request: DnsRequest) -> list[bytes]:
        return [request.wire[:2] + b"\x81\x82" + request.wire[4:]]

    with NameServer({ALICE: refuse_to_think}) as server:
        query = dns.message.make_query(ALICE, "A", use_edns=False)
        response = dns.query.udp(query, server.address, timeout=5, port=server.port)
        assert response.rcode() == dns.rcode.SERVFAIL


class Broken(Misbehaviour):
    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        raise LookupError(request.hostname)


def test_what_a_behaviour_raises_is_raised_on_leaving_and_the_rest_is_served() -> None:
    def use() -> None:
        with NameServer({ALICE: Broken(), "bob.example.org": ["203.0.113.8"]}) as server:
            query = dns.message.make_query(ALICE, "A")
            with pytest.raises(dns.exception.Timeout):
                dns.query.udp(query, server.address, timeout=0.2, port=server.port)
            assert answers(ask(server, "bob.example.org"))

    with pytest.raises(LookupError, match=ALICE):
        use()


def test_it_names_itself_as_a_configuration_does() -> None:
    with NameServer({}) as server:
        assert str(server) == f"127.0.0.1:{server.port}"
        assert server.nameserver == Nameserver("127.0.0.1", server.port)


def test_noise_is_ignored() -> None:
    with NameServer({ALICE: ["203.0.113.7"]}) as server:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as noisy:
            noisy.sendto(b"noise", (server.address, server.port))
        assert answers(ask(server))
        assert len(server.asked) == 1
