"""The plain shape is read as any other is, and nothing else is taken for plain."""

from __future__ import annotations

import subprocess
import sys

import dns.message
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allowsync.dns.wire_fastpath import read_plain
from allowsync.dns.wire_parse import read
from allowsync.dns.wire_query import question
from allowsync.model.answer import Found
from allowsync.model.types import Family, Query
from testkit.fake_dns.nameserver import NameServer
from tests.support.values import V4, V6

Extra = tuple[str, int, str, str] | None

NAME = "alice.example.org"
KIND = {V4: "A", V6: "AAAA"}


def answer(
    family: Family, *addresses: str, ttl: int = 60, extra: Extra = None, authority: Extra = None
) -> bytes:
    query = dns.message.make_query(NAME, KIND[family], use_edns=False, id=1)
    response = dns.message.make_response(query)
    for address in addresses:
        response.answer.append(dns.rrset.from_text(NAME + ".", ttl, "IN", KIND[family], address))
    if extra:
        response.answer.append(dns.rrset.from_text(extra[0], extra[1], "IN", *extra[2:]))
    if authority:
        response.authority.append(dns.rrset.from_text(authority[0], 60, "IN", *authority[2:]))
    return response.to_wire()


def plain(wire: bytes, family: Family) -> Found | None:
    query = Query(NAME, family)
    return read_plain(wire, query, len(question(query).section))


FOUR = ["81.2.69.1", "81.2.69.2", "81.2.69.3", "10.0.0.1"]
SIX = ["2a01::1", "2a01::2", "::ffff:81.2.69.1", "fe80::1"]


@pytest.mark.parametrize(("family", "given_addresses"), [(V4, FOUR), (V6, SIX)])
@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("ttl", [0, 1, 60, 2**31 - 1])
def test_a_plain_answer_is_read_as_any_other(
    family: Family, given_addresses: list[str], count: int, ttl: int
) -> None:
    wire = answer(family, *reversed(given_addresses[:count]), ttl=ttl)
    found = plain(wire, family)
    assert isinstance(found, Found)
    assert found == read(wire, Query(NAME, family))


@pytest.mark.parametrize(
    "wire",
    [
        answer(V4),
        answer(V4, "81.2.69.1", extra=("alice.example.org.", 60, "CNAME", "bob.example.org.")),
        answer(V4, "81.2.69.1", extra=("bob.example.org.", 60, "A", "81.2.69.2")),
        answer(V4, "81.2.69.1", extra=("alice.example.org.", 61, "A", "81.2.69.2")),
        answer(V4, "81.2.69.1", authority=("example.org.", 60, "NS", "ns.example.org.")),
        answer(V4, *(f"81.2.69.{n}" for n in range(17))),
        answer(V4, "81.2.69.1") + b"\0",
        answer(V4, "81.2.69.1")[:-1],
        answer(V6, "2a01::1"),
    ],
    ids=[
        "nothing",
        "cname",
        "foreign",
        "two ttls",
        "authority",
        "many",
        "longer",
        "shorter",
        "aaaa",
    ],
)
def test_any_other_shape_is_left_to_the_whole_reader(wire: bytes) -> None:
    assert plain(wire, V4) is None


@given(st.data(), st.sampled_from([V4, V6]), st.integers(1, 4))
def test_whatever_is_taken_for_plain_is_what_the_whole_reader_finds(
    data: st.DataObject, family: Family, count: int
) -> None:
    """Any bytes of a plain answer changed, added or cut away: both agree, or it is not plain."""
    wire = bytearray(answer(family, *(FOUR if family is V4 else SIX)[:count]))
    size = len(question(Query(NAME, family)).section)
    places = [2, 3, *range(4, 12), *range(12 + size, len(wire))]
    for place in data.draw(st.lists(st.sampled_from(places), max_size=4)):
        wire[place] = data.draw(st.integers(0, 255))
    tail = data.draw(st.binary(max_size=3))
    cut = data.draw(st.integers(0, 3))
    changed = bytes(wire[: len(wire) - cut]) + tail
    found = plain(changed, family)
    if found is not None:
        assert found == read(changed, Query(NAME, family))


ASK = """
import sys
from allowsync.dns.client import Resolver
from allowsync.model.nameserver import Nameserver, ResolverSettings
from allowsync.model.types import Family, Query
query = Query("alice.example.org", Family.IPV4)
server = Nameserver("127.0.0.1", int(sys.argv[1]))
print(Resolver(ResolverSettings((server,))).resolve([query])[query].addresses[0])
print(sorted({"dns", "tenacity", "asyncio", "click", "yaml"} & sys.modules.keys()))
"""


def test_answers_need_no_dnspython() -> None:
    with NameServer({NAME: ["81.2.69.1"]}) as server:
        command = [sys.executable, "-c", ASK, str(server.port)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.splitlines() == ["81.2.69.1", "[]"]
