"""DNS over TLS against real TLS servers: who is believed, and what becomes of connections."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
from contextlib import contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from allowsync.dns.client import Resolver
from allowsync.dns.event_loop import _Run
from allowsync.dns.query_state import LAPSES, Job
from allowsync.dns.transport.dot import BARREN
from allowsync.dns.transport.tls_context import trust
from allowsync.model.answer import Absent, Found, Unavailable
from allowsync.model.nameserver import Dnssec, Nameserver, Transport
from allowsync.model.types import BOTH_FAMILIES, Family, Query
from testkit.fake_dns.behaviours import (
    SERVFAIL,
    Authenticated,
    ByType,
    Delay,
    Drop,
    InTurn,
    Records,
    Silent,
    Together,
)
from testkit.fake_dns.forgeries import AlwaysTruncated, Drip, HangUp, Truncated, Unframed, WrongId
from testkit.fake_dns.nameserver import NameServer
from testkit.fake_dns.tls import Authority, Manner, TlsFront
from tests.allowsync.dns.asking import ALICE, BOTH, IPV4, ask, settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HERE = Found((ip_address(IPV4),), 60)
HOME = "127.0.0.1"
NAME = "dns.example.net"
MANY = [Query(f"host{i}.example.org", family) for i in range(50) for family in BOTH_FAMILIES]


@contextmanager
def front(
    zones: dict[str, object],
    authority: Authority,
    *names: str,
    name: str = "",
    days: tuple[int, int] = (-1, 1),
    manner: Manner | None = None,
) -> Iterator[tuple[TlsFront, NameServer]]:
    """A name server over TLS; afterwards it is certain that nothing was asked in clear text."""
    context = authority.serves(*(names or (HOME,)), days=days)
    with NameServer(zones) as server, TlsFront(server, context, name, manner) as shown:
        yield shown, server
    assert shown.in_clear == []
    assert {one.transport for one in server.asked} <= {"tcp"}


def reason(answer: object) -> str:
    assert isinstance(answer, Unavailable), answer
    return answer.reason


def test_a_certificate_for_the_configured_name_is_believed(authority: Authority) -> None:
    with front({ALICE: BOTH}, authority, "other.example.net", NAME, name=NAME) as (shown, _):
        assert ask(settings(shown.nameserver)) == HERE


def test_a_certificate_for_the_address_is_believed_where_no_name_is_configured(
    authority: Authority,
) -> None:
    with front({ALICE: BOTH}, authority) as (shown, _):
        assert ask(settings(shown.nameserver)) == HERE


def test_the_nameserver_is_told_the_name_it_is_expected_to_have(authority: Authority) -> None:
    told: list[str | None] = []
    context = authority.serves(NAME)
    context.sni_callback = lambda _socket, name, _context: told.append(name)
    with NameServer({ALICE: BOTH}) as server, TlsFront(server, context, NAME) as shown:
        assert ask(settings(shown.nameserver)) == HERE
    assert told == [NAME]


NOBODY = {
    "another name": ((NAME,), "other.example.net", (-1, 1), "is not good for other.example.net"),
    "a name below": ((NAME,), f"a.{NAME}", (-1, 1), f"is not good for a.{NAME}"),
    "another address": (("127.0.0.2",), "", (-1, 1), f"is not good for {HOME}"),
    "an address in place of a name": ((HOME,), NAME, (-1, 1), f"is not good for {NAME}"),
    "expired": ((HOME,), "", (-3, -2), "has expired"),
    "not yet valid": ((HOME,), "", (2, 3), "is not valid yet"),
}


@pytest.mark.parametrize(("names", "name", "days", "why"), NOBODY.values(), ids=NOBODY)
def test_whoever_cannot_prove_who_he_is_is_asked_nothing(
    authority: Authority, names: tuple[str, ...], name: str, days: tuple[int, int], why: str
) -> None:
    with front({"*": BOTH}, authority, *names, name=name, days=days) as (shown, server):
        answers = Resolver(settings(shown.nameserver)).resolve(MANY)
        assert {why in reason(one) for one in answers.values()} == {True}, answers
        assert server.asked == []
        assert shown.connections == 1  # asking again would change nothing


@pytest.mark.parametrize("names", [("", ""), ("the authority", "the authority")])
def test_an_authority_nobody_trusts_is_not_believed_whatever_it_calls_itself(
    names: tuple[str, str], tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    trusted, stranger = Authority(tmp_path, names[0]), Authority(tmp_path / "other", names[1])
    with trusted.trusted(), front({ALICE: BOTH}, stranger) as (shown, server):
        assert "is from no authority that this machine trusts" in reason(
            ask(settings(shown.nameserver))
        )
        assert server.asked == []


def test_a_nameserver_that_knows_only_old_versions_of_tls_is_not_asked(
    authority: Authority,
) -> None:
    context = authority.serves(HOME)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with NameServer({ALICE: BOTH}) as server, TlsFront(server, context) as shown:
        assert "refused the TLS handshake" in reason(ask(settings(shown.nameserver)))
        assert server.asked == []


def test_nothing_older_than_tls_1_2_is_spoken_and_every_certificate_is_looked_at() -> None:
    context = trust()
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


@contextmanager
def greeter(words: bytes) -> Iterator[Nameserver]:
    """Somebody who talks first, and not in TLS."""

    def greet() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.sendall(words)
                connection.settimeout(5)
                connection.recv(65536)

    with socket.create_server((HOME, 0)) as listener:
        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        yield Nameserver(HOME, listener.getsockname()[1], Transport.TLS)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize(
    "words", [b"220 mail.example.net\r\n", b"HTTP/1.1 400 Bad\r\n\r\n", b"\xff" * 99]
)
def test_what_is_no_tls_is_said_to_be_none(authority: Authority, words: bytes) -> None:
    with greeter(words) as nameserver:
        assert "does not speak TLS on that port" in reason(ask(settings(nameserver)))


def test_a_plain_nameserver_on_that_port_is_asked_nothing(authority: Authority) -> None:
    with NameServer({ALICE: BOTH}) as server:
        beside = Nameserver(HOME, server.port, Transport.TLS)
        said = reason(ask(settings(beside, timeout=0.3)))
        assert said == f"no TLS connection with {beside} in 0.3 s"
        assert server.asked == []


def test_a_port_where_nobody_listens_is_named(authority: Authority) -> None:
    with socket.socket() as taken:
        taken.bind((HOME, 0))
        closed = Nameserver(HOME, taken.getsockname()[1], Transport.TLS)
        assert ask(settings(closed)) == Unavailable(f"connection refused by {closed}")


def test_a_nameserver_out_of_reach_is_no_end(authority: Authority) -> None:
    nowhere = Nameserver("fe80::1%nosuch0", 853, Transport.TLS)
    assert reason(ask(settings(nowhere))).startswith("cannot reach tls://")


def test_a_nameserver_may_have_an_ipv6_address(authority: Authority) -> None:
    with NameServer({ALICE: BOTH}, "::1") as server:
        with TlsFront(server, authority.serves("::1")) as shown:
            assert str(shown).startswith("tls://[::1]:")
            assert ask(settings(shown.nameserver)) == HERE
        assert shown.in_clear == []


def test_a_system_that_trusts_nobody_believes_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    with front({ALICE: BOTH}, authority) as (shown, server):
        said = reason(ask(settings(shown.nameserver)))
        assert said.endswith("check the address, and that ca-certificates is installed")
        assert server.asked == []


def test_a_first_nameserver_that_hangs_is_put_last_for_the_rest_of_the_run(
    authority: Authority,
) -> None:
    queries = [Query(f"host{i}.example.org", Family.IPV4) for i in range(300)]
    with NameServer({}) as mute, front({"*": BOTH}, authority) as (shown, _):
        hanging = Nameserver(HOME, mute.port, Transport.TLS)
        using = settings(hanging, shown.nameserver, timeout=30.0, deadline=60.0, attempts=2)
        assert set(Resolver(using).resolve(queries).values()) == {HERE}
        assert mute.asked == []


def test_a_flood_is_no_answer_and_ends(authority: Authority) -> None:
    flood = Together(tuple(Unframed(bytes(1 << 18)) for _ in range(16)))
    with front({ALICE: flood, "bob.example.org": BOTH}, authority) as (shown, _):
        said = reason(ask(settings(shown.nameserver, timeout=2.0, attempts=1)))
        assert said == f"no answer over TLS from {shown} in 2 s"
        assert ask(settings(shown.nameserver), "bob.example.org") == HERE


def test_many_questions_share_one_connection(authority: Authority) -> None:
    with front({"*": BOTH}, authority) as (shown, server):
        answers = Resolver(settings(shown.nameserver)).resolve(MANY)
        assert len(answers) == 100
        assert all(isinstance(one, Found) for one in answers.values())
        assert shown.connections == 1
        assert len({request.wire[:2] for request in server.requests}) > 90


def test_more_questions_than_fit_at_once_share_it_too(authority: Authority) -> None:
    queries = [Query(f"host{i}.example.org", Family.IPV4) for i in range(350)]
    with front({"*": BOTH}, authority) as (shown, _):
        answers = Resolver(settings(shown.nameserver)).resolve(queries)
        assert set(answers.values()) == {HERE}
        assert shown.connections == 1


def test_answers_may_come_in_any_order(authority: Authority) -> None:
    zones: dict[str, object] = {
        f"host{i}.example.org": Delay((9 - i) * 0.03, [f"203.0.113.{i}"]) for i in range(10)
    }
    queries = [Query(name, Family.IPV4) for name in zones]
    with front(zones, authority) as (shown, server):
        answers = Resolver(settings(shown.nameserver, attempts=1)).resolve(queries)
        assert shown.connections == 1
        assert [one.hostname for one in server.asked] == list(zones)
    for number, query in enumerate(queries):
        assert answers[query] == Found((ip_address(f"203.0.113.{number}"),), 60)


def test_one_family_failing_leaves_the_other_alone(authority: Authority) -> None:
    with front({ALICE: ByType(BOTH, SERVFAIL)}, authority) as (shown, _):
        using = settings(shown.nameserver, attempts=1)
        assert ask(using, ALICE, Family.IPV4) == HERE
        assert ask(using, ALICE, Family.IPV6) == Unavailable("SERVFAIL")


@pytest.mark.parametrize(
    "value", [Drop(1, BOTH), InTurn((SERVFAIL, BOTH)), InTurn((WrongId(BOTH), BOTH))]
)
def test_a_question_the_nameserver_loses_or_fails_at_is_asked_again(
    authority: Authority, value: object
) -> None:
    with front({ALICE: value}, authority) as (shown, _):
        assert ask(settings(shown.nameserver, attempts=6)) == HERE
        assert shown.connections == 1


def test_a_nameserver_that_answers_once_per_connection_answers_everything(
    authority: Authority,
) -> None:
    with front({"*": BOTH}, authority, manner=Manner(close_after=1)) as (shown, _):
        answers = Resolver(settings(shown.nameserver, attempts=1)).resolve(MANY[:10])
        assert all(isinstance(one, Found) for one in answers.values()), answers
        assert shown.connections >= 10


def test_a_connection_closed_for_being_idle_is_made_again(authority: Authority) -> None:
    zones: dict[str, object] = {ALICE: BOTH, "bob.example.org": InTurn((Silent(), BOTH))}
    queries = [Query(name, Family.IPV4) for name in zones]
    with front(zones, authority, manner=Manner(lull=1.0)) as (shown, _):
        answers = Resolver(settings(shown.nameserver, attempts=1)).resolve(queries)
        assert set(answers.values()) == {HERE}
        assert shown.connections == 2


def test_a_question_the_nameserver_hangs_up_at_costs_no_other_its_answer(
    authority: Authority,
) -> None:
    zones: dict[str, object] = {"*": BOTH, "host0.example.org": HangUp()}
    queries = [Query(f"host{i}.example.org", Family.IPV4) for i in range(20)]
    with front(zones, authority) as (shown, _):
        answers = Resolver(settings(shown.nameserver, attempts=1)).resolve(queries)
    assert "closed the connection before the answer came" in reason(answers.pop(queries[0]))
    assert set(answers.values()) == {HERE}


def test_questions_the_nameserver_hangs_up_at_in_between_cost_no_other_its_answer(
    authority: Authority,
) -> None:
    bad = {"host5.example.org": HangUp(), "host6.example.org": HangUp()}
    queries = [Query(f"host{i}.example.org", Family.IPV4) for i in range(20)]
    with front({"*": BOTH, **bad}, authority) as (shown, _):
        answers = Resolver(settings(shown.nameserver, attempts=1)).resolve(queries)
    lost = {query.hostname for query, answer in answers.items() if answer != HERE}
    assert lost == bad.keys()


CLOSED = {
    "at once": (Manner(hang_up=True), "in the middle of the TLS handshake"),
    "after the handshake": (Manner(close_after=0), "before the answer came"),
}


@pytest.mark.parametrize(("manner", "when"), CLOSED.values(), ids=CLOSED)
def test_a_nameserver_that_always_closes_is_given_up(
    authority: Authority, manner: Manner, when: str
) -> None:
    with front({"*": BOTH}, authority, manner=manner) as (shown, _):
        answers = Resolver(settings(shown.nameserver)).resolve(MANY)
        said = {reason(one) for one in answers.values()}
        assert said == {f"{shown} closed the connection {when}"}
        assert shown.connections <= BARREN  # for a hundred questions, three attempts each


def test_a_handshake_may_take_its_time_but_not_more(authority: Authority) -> None:
    with front({ALICE: BOTH}, authority, manner=Manner(wait=0.3)) as (shown, _):
        assert ask(settings(shown.nameserver, attempts=1)) == HERE
        too_late = settings(shown.nameserver, attempts=1, timeout=0.1)
        assert ask(too_late) == Unavailable(f"no TLS connection with {shown} in 0.1 s")
        ended = settings(shown.nameserver, deadline=0.1)
        assert ask(ended) == Unavailable("no answer before the deadline of 0.1 s")


def test_an_answer_may_come_byte_by_byte_but_not_for_ever(authority: Authority) -> None:
    with front({ALICE: Drip(0.002, BOTH), "bob.example.org": Drip(0.2, BOTH)}, authority) as (
        shown,
        _,
    ):
        assert ask(settings(shown.nameserver, attempts=1)) == HERE
        slow = ask(settings(shown.nameserver, attempts=1, timeout=2.0), "bob.example.org")
        assert slow == Unavailable(f"no answer over TLS from {shown} in 2 s")


@pytest.mark.parametrize("value", [AlwaysTruncated(), Truncated(SERVFAIL)])
def test_a_truncated_answer_over_tls_is_not_asked_for_in_clear_text(
    authority: Authority, value: object
) -> None:
    with front({ALICE: value}, authority) as (shown, _):
        assert isinstance(ask(settings(shown.nameserver)), Unavailable)


def test_absence_over_tls_needs_its_proof_too(authority: Authority) -> None:
    zones: dict[str, object] = {ALICE: [], "bob.example.org": Records()}
    with front(zones, authority) as (shown, _):
        using = settings(shown.nameserver)
        assert ask(using) == Absent("NODATA")
        assert reason(ask(using, "bob.example.org")) == "NODATA without SOA: not proven"


def test_where_dnssec_is_required_an_answer_over_tls_needs_the_bit_too(
    authority: Authority,
) -> None:
    zones: dict[str, object] = {ALICE: Authenticated(BOTH), "bob.example.org": BOTH}
    with front(zones, authority) as (shown, server):
        using = settings(shown.nameserver, dnssec=Dnssec.REQUIRE)
        assert ask(using) == HERE
        assert ask(using, "bob.example.org") == Unavailable("not validated by DNSSEC")
        assert all(request.wire[3] & 0x20 for request in server.requests)


def test_plain_and_encrypted_nameservers_may_be_mixed(authority: Authority) -> None:
    there = Found((ip_address("198.51.100.1"),), 60)
    with (
        NameServer({ALICE: ["198.51.100.1"]}) as plain,
        front({ALICE: BOTH}, authority) as (good, _),
        front({ALICE: BOTH}, authority, "127.0.0.2") as (bad, _),
    ):
        assert ask(settings(bad.nameserver, plain)) == there
        assert ask(settings(good.nameserver, plain)) == HERE
        query = Query(ALICE, Family.IPV4)
        said = Resolver(settings(good.nameserver, plain, bad.nameserver)).survey([query])[query]
        assert list(said) == [str(good), str(plain), str(bad)]
        assert (said[str(good)], said[str(plain)]) == (HERE, there)
        assert "is not good for" in reason(said[str(bad)])


def one_run(front: TlsFront) -> _Run:
    """A run that is about to ask one question over TLS."""
    job = Job(Query(ALICE, Family.IPV4), (front.nameserver,))
    return _Run([job], settings(front.nameserver), None, lambda _settled: None)


def test_a_nameserver_that_was_heard_over_tls_is_not_put_last_for_a_few_slow_answers(
    authority: Authority,
) -> None:
    with front({ALICE: BOTH}, authority) as (shown, _):
        run = one_run(shown)
        (server,) = run._servers.values()
        server.lapses = LAPSES
        assert server.put_last
        assert [one.answer for one in run.settled()] == [HERE]
        run.close()
    assert (server.answered, server.put_last) == (True, False)


def test_a_nameserver_that_was_heard_over_tls_is_within_reach_again(authority: Authority) -> None:
    with front({ALICE: BOTH}, authority) as (shown, _):
        run = one_run(shown)
        (server,) = run._servers.values()
        server.unreachable = True
        assert server.put_last
        assert [one.answer for one in run.settled()] == [HERE]
        run.close()
    assert (server.unreachable, server.put_last) == (False, False)


def test_who_asks_plainly_loads_nothing_of_tls() -> None:
    program = """
import sys
from allowsync.dns.client import Resolver
from allowsync.model.nameserver import Nameserver, ResolverSettings
from allowsync.model.types import Family, Query
query = Query("alice.example.org", Family.IPV4)
print(Resolver(ResolverSettings((Nameserver("127.0.0.1", int(sys.argv[1])),))).resolve([query]))
print({"ssl", "h11", "h2", "threading"} & sys.modules.keys())
"""
    with NameServer({ALICE: BOTH}) as server:
        done = subprocess.run(
            [sys.executable, "-c", program, str(server.port)],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
    answer, loaded = done.stdout.splitlines()
    assert "Found" in answer
    assert loaded == "set()"
