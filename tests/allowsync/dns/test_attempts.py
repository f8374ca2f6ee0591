"""Who is asked, how often, and what is made of several answers."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from allowsync.dns import retry, scheduler
from allowsync.dns.aliases import chain_end
from allowsync.dns.client import Resolver
from allowsync.dns.query_state import LAPSES, WINDOW
from allowsync.model.answer import Absent, Answer, Found, Unavailable
from allowsync.model.nameserver import Nameserver
from allowsync.model.types import BOTH_FAMILIES, Family, Query
from testkit.fake_dns.behaviours import (
    REFUSED,
    SERVFAIL,
    ByTransport,
    ByType,
    Delay,
    Drop,
    InTurn,
    NoSOA,
    Silent,
    Together,
)
from testkit.fake_dns.forgeries import (
    AlwaysTruncated,
    Garbage,
    Lowercase,
    TrailingBytes,
    Truncated,
    WrongId,
    WrongQuestion,
)
from testkit.fake_dns.nameserver import CNAME, NameServer
from tests.allowsync.dns.asking import ALICE, BOTH, IPV4, IPV6, ask, settings
from tests.support.ports import unused_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.dns.failure import Failure
    from allowsync.model.answer import Answer

HERE = Found((ip_address(IPV4),), 60)
THERE = Found((ip_address("198.51.100.1"),), 60)
QUERIES = [Query(f"host{i}.example.org", family) for i in range(3) for family in BOTH_FAMILIES]


@contextmanager
def dead_nameserver() -> Iterator[Nameserver]:
    """One that takes questions in and never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        yield Nameserver("127.0.0.1", sink.getsockname()[1])


def closed_nameserver() -> Nameserver:
    """A port where nobody listens, so that the kernel refuses (ICMP)."""
    return Nameserver("127.0.0.1", unused_port())


def test_both_families_of_many_names_are_found_in_one_go() -> None:
    names = [f"host{i}.example.org" for i in range(300)]
    zones = {n: [f"203.0.{i // 250}.{i % 250}", f"2001:db8::{i:x}"] for i, n in enumerate(names)}
    told: list[tuple[int, Answer]] = []
    with NameServer(zones) as server:
        queries = [Query(name, family) for name in names for family in BOTH_FAMILIES]
        answers = Resolver(settings(server, timeout=30.0)).resolve(queries, told=told.extend)
    assert list(answers) == queries
    for query, answer in answers.items():
        text = zones[query.hostname][query.family is Family.IPV6]
        assert answer == Found((ip_address(text),), 60)
    by_place = dict(told)
    assert len(told) == 600
    assert [by_place[place] for place in range(600)] == list(answers.values())


def test_what_is_settled_is_told_before_aliases_are_followed() -> None:
    names = [f"host{i}.example.org" for i in range(60)]
    zones = {name: [IPV4] for name in names}
    told: list[int] = []
    known: list[int] = []

    def follow(wire: bytes) -> bytes | Failure:
        known.append(len(told))
        return chain_end(wire)

    with NameServer({**zones, ALICE: CNAME(names[0])}) as server:
        queries = [Query(name, Family.IPV4) for name in (*names, ALICE)]
        Resolver(settings(server, timeout=30.0), chain_end=follow).resolve(
            queries, told=lambda settled: told.extend(place for place, _ in settled)
        )
    assert [told.index(60)] == known, "nothing that was settled before was told after"
    assert sorted(told) == list(range(61))


def test_one_family_failing_leaves_the_other_alone() -> None:
    with NameServer({ALICE: ByType(BOTH, SERVFAIL)}) as server:
        using = settings(server, attempts=1)
        assert ask(using, ALICE, Family.IPV4) == HERE
        assert ask(using, ALICE, Family.IPV6) == Unavailable("SERVFAIL")


def test_nothing_to_ask_is_nothing_asked() -> None:
    with NameServer({}) as server:
        assert Resolver(settings(server)).resolve([]) == {}
        assert not server.asked


@pytest.mark.parametrize("value", [Drop(1, BOTH), Drop(2, BOTH), InTurn((SERVFAIL, BOTH))])
def test_a_lost_or_failed_question_is_asked_again(value: object) -> None:
    with NameServer({ALICE: value}) as server:
        assert ask(settings(server, attempts=6)) == HERE


def test_a_question_is_asked_as_often_as_the_settings_say() -> None:
    for attempts in (1, 2, 3):
        for value in (SERVFAIL, Silent()):
            with NameServer({ALICE: value}) as server:
                outcome = ask(settings(server, timeout=1.0, attempts=attempts))
                assert isinstance(outcome, Unavailable)
                assert len(server.asked) == attempts


def test_attempts_are_shared_by_all_nameservers() -> None:
    with NameServer({ALICE: SERVFAIL}) as one, NameServer({ALICE: REFUSED}) as two:
        assert ask(settings(one, two)) == Unavailable("SERVFAIL")
        assert len(one.asked) + len(two.asked) == 3
        assert two.asked


def test_sending_again_repeats_the_same_bytes() -> None:
    with NameServer({ALICE: Drop(2, BOTH)}) as server:
        ask(settings(server))
        assert len({request.wire for request in server.requests}) == 1
        assert len(server.requests) == 3


def test_another_nameserver_gets_another_id_and_spelling() -> None:
    with NameServer({ALICE: Silent()}) as silent, NameServer({ALICE: BOTH}) as server:
        assert ask(settings(silent, server)) == HERE
        assert silent.requests[0].wire != server.requests[0].wire


@pytest.mark.usefixtures("unhurried")
def test_an_answer_without_proof_is_not_asked_for_again_from_the_same_nameserver() -> None:
    with NameServer({ALICE: NoSOA([])}) as server:
        assert isinstance(ask(settings(server)), Unavailable)
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    "value", [SERVFAIL, REFUSED, NoSOA([]), Silent(), Garbage(), WrongId(BOTH)]
)
def test_the_next_nameserver_makes_good_what_the_first_one_fails_at(value: object) -> None:
    with NameServer({ALICE: value}) as one, NameServer({ALICE: ["198.51.100.1"]}) as two:
        assert ask(settings(one, two)) == THERE


@pytest.mark.usefixtures("unhurried")
def test_the_preferred_nameserver_alone_is_asked_while_it_answers() -> None:
    with NameServer({ALICE: BOTH}) as one, NameServer({ALICE: BOTH}) as two:
        assert ask(settings(one, two)) == HERE
        assert not two.asked


def test_a_late_answer_of_the_first_nameserver_still_counts() -> None:
    with NameServer({ALICE: Delay(0.3, BOTH)}) as one, NameServer({ALICE: Silent()}) as two:
        assert ask(settings(one, two)) == HERE
        assert two.asked


def test_the_first_conclusive_answer_wins() -> None:
    with NameServer({ALICE: SERVFAIL}) as one, NameServer({ALICE: []}) as two:
        assert ask(settings(one, two)) == Absent("NODATA")


def test_the_most_telling_reason_is_given() -> None:
    with dead_nameserver() as dead, NameServer({ALICE: SERVFAIL}) as server:
        using = settings(dead, closed_nameserver(), server, timeout=1.0)
        assert ask(using) == Unavailable("SERVFAIL")
        assert ask(settings(dead, closed_nameserver(), timeout=1.0)) != Unavailable(
            "no answer in 1 s"
        )


def test_a_refusing_port_is_named_at_once() -> None:
    closed = closed_nameserver()
    assert ask(settings(closed)) == Unavailable(f"connection refused by {closed}")


def test_a_nameserver_out_of_reach_is_no_end() -> None:
    nowhere = Nameserver("fe80::1%nosuch0")
    with NameServer({ALICE: BOTH}) as server:
        assert ask(settings(nowhere, server)) == HERE
    outcome = ask(settings(nowhere))
    assert isinstance(outcome, Unavailable)
    assert outcome.reason.startswith("cannot reach fe80::1%nosuch0")


def test_a_dead_first_nameserver_costs_less_than_its_timeout() -> None:
    with dead_nameserver() as dead, NameServer({"*": BOTH}) as server:
        started = time.monotonic()
        answers = Resolver(settings(dead, server, timeout=30.0, deadline=60.0)).resolve(QUERIES)
        assert all(isinstance(answer, Found) for answer in answers.values())
        assert time.monotonic() - started < 20


def test_a_dead_first_nameserver_is_put_last_for_the_rest_of_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The other one is not so slow, on no machine, as to be put last as well.
    monkeypatch.setattr(scheduler, "FIRST_PAUSE", 1.0)
    monkeypatch.setattr(retry, "BASE", 10.0)
    queries = [Query(f"host{i}.example.org", Family.IPV4) for i in range(500)]
    with NameServer({"*": Silent()}) as dead, NameServer({"*": BOTH}) as server:
        using = settings(dead, server, attempts=2, timeout=30.0, deadline=60.0)
        answers = Resolver(using).resolve(queries)
        assert set(answers.values()) == {HERE}
        # What was in flight before it was known; a question that is answered by the other one
        # before enough had to be asked again leaves its room to the next.
        assert WINDOW <= len(dead.asked) < WINDOW + LAPSES
        assert {one.hostname for one in server.asked} == {query.hostname for query in queries}


def test_the_deadline_ends_everything() -> None:
    queries = [Query(f"host{i}.example.org", Family.IPV4) for i in range(300)]
    with dead_nameserver() as dead:
        answers = Resolver(settings(dead, deadline=0.3)).resolve(queries)
    assert set(answers.values()) == {Unavailable("no answer before the deadline of 0.3 s")}


def test_at_the_deadline_what_was_answered_counts() -> None:
    zones = {ALICE: BOTH, "bob.example.org": Silent()}
    queries = [Query(name, Family.IPV4) for name in zones]
    with NameServer(zones) as server:
        answers = Resolver(settings(server, deadline=2.0)).resolve(queries)
    assert answers[queries[0]] == HERE
    assert answers[queries[1]] == Unavailable("no answer before the deadline of 2 s")


def questions_sent(hosts: int) -> list[tuple[bytes, tuple[str, int]]]:
    """What one attempt at that many names puts on the wire when nothing is answered."""
    queries = [Query(f"host{i}.example.org", Family.IPV4) for i in range(hosts)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        sink.setblocking(False)
        server = Nameserver("127.0.0.1", sink.getsockname()[1])
        Resolver(settings(server, attempts=1, deadline=0.2)).resolve(queries)
        arrived = []
        with suppress(BlockingIOError):
            while True:
                arrived.append(sink.recvfrom(512))
    return arrived


def test_never_more_than_a_hundred_questions_are_in_flight() -> None:
    assert len(questions_sent(150)) == WINDOW


def test_many_questions_come_from_many_ports_under_many_ids() -> None:
    arrived = questions_sent(100)
    assert len({peer for _, peer in arrived}) == 16
    assert len({wire[:2] for wire, _ in arrived}) > 90


SPOOFED = {
    "wrong id": WrongId(["192.0.2.66"]),
    "wrong question": WrongQuestion(["192.0.2.66"]),
    "garbage": Garbage(),
    "trailing bytes": TrailingBytes(["192.0.2.66"]),
}


@pytest.mark.parametrize("value", SPOOFED.values(), ids=list(SPOOFED))
def test_a_wrong_answer_is_passed_over_and_the_right_one_taken(value: object) -> None:
    with NameServer({ALICE: Together((value, value, Delay(0.05, BOTH)))}) as server:
        assert ask(settings(server, attempts=1)) == HERE
        assert len(server.asked) == 1


@pytest.mark.usefixtures("unhurried")
def test_the_case_of_letters_is_mixed_where_the_server_echoes_it() -> None:
    with NameServer({"*": BOTH}) as server:
        Resolver(settings(server)).resolve(QUERIES)
        spellings = [request.wire[12:] for request in server.requests]
    assert len(spellings) == len(QUERIES)
    assert sum(one != one.lower() for one in spellings) > len(QUERIES) // 2


def test_where_the_case_is_not_echoed_the_question_is_asked_plainly_under_a_new_id() -> None:
    with NameServer({"*": Lowercase(BOTH)}) as server:
        using = settings(server, attempts=1)
        answers = Resolver(using).resolve(QUERIES)
        assert all(isinstance(answer, Found) for answer in answers.values())
        by_name: dict[tuple[str, str], list[bytes]] = {}
        for request in server.requests:
            by_name.setdefault((request.hostname, request.rdtype), []).append(request.wire)
    for first, *rest in by_name.values():
        assert len(rest) <= 1
        for plain in rest:
            assert plain[12:] == first[12:].lower()
            assert plain[:2] != first[:2]


def test_while_one_nameserver_hangs_over_tcp_another_is_asked() -> None:
    hanging = ByTransport(AlwaysTruncated(), Silent())
    with NameServer({ALICE: hanging}) as one, NameServer({ALICE: ["198.51.100.1"]}) as two:
        assert ask(settings(one, two, timeout=10.0)) == THERE


def test_many_truncated_answers_all_come_over_tcp() -> None:
    queries = [Query(f"host{i}.example.org", Family.IPV4) for i in range(150)]
    with NameServer({"*": Truncated(BOTH)}) as server:
        answers = Resolver(settings(server)).resolve(queries)
    assert set(answers.values()) == {HERE}


def test_a_survey_says_what_each_nameserver_answers() -> None:
    query = Query(ALICE, Family.IPV4)
    with NameServer({ALICE: BOTH}) as one, NameServer({ALICE: SERVFAIL}) as two:
        said = Resolver(settings(one, two)).survey([query])
        assert said == {query: {str(one): HERE, str(two): Unavailable("SERVFAIL")}}


def test_given_servers_replace_those_of_the_settings() -> None:
    query = Query(ALICE, Family.IPV6)
    with NameServer({ALICE: BOTH}) as one, NameServer({ALICE: BOTH}) as two:
        answers = Resolver(settings(one), servers=[two.nameserver]).resolve([query])
        assert answers == {query: Found((ip_address(IPV6),), 60)}
        assert not one.asked


def test_a_run_that_is_answered_at_once_does_not_import_what_only_retries_need() -> None:
    program = f"""
import sys
from allowsync.dns.client import Resolver
from allowsync.model.nameserver import Nameserver, ResolverSettings
from allowsync.model.types import Family, Query
assert not any(name.startswith("dns.") for name in sys.modules), "before anything is asked"
server = Nameserver("127.0.0.1", int(sys.argv[1]))
query = Query({ALICE!r}, Family.IPV4)
print(Resolver(ResolverSettings((server,))).resolve([query])[query])
print("tenacity" in sys.modules, "asyncio" in sys.modules, "threading" in sys.modules)
"""
    with NameServer({ALICE: NoSOA([])}) as server:
        done = subprocess.run(
            [sys.executable, "-c", program, str(server.port)],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
    outcome, imported = done.stdout.splitlines()
    assert outcome.startswith("Unavailable")
    assert imported.startswith("False False")
