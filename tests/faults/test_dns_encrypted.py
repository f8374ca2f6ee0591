"""An encrypted name server that goes bad: nobody loses access, nothing is asked in clear text."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from allowsync.model.answer import Unavailable
from allowsync.model.nameserver import Nameserver, ResolverSettings, Transport
from allowsync.model.types import Family, Host
from testkit.fake_dns.https import PATH, HttpsFront
from testkit.fake_dns.nameserver import NameServer
from testkit.fake_dns.tls import Authority, Manner, TlsFront
from tests.faults.lies.case import At
from tests.faults.lies.telling import PATIENCE, Installation
from tests.support.scoreboard import record

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from pathlib import Path

HOME = "127.0.0.1"
PLAIN = Manner()
BRIEF = ResolverSettings(timeout=timedelta(seconds=0.4), deadline=timedelta(seconds=2))
AT = [At(number, family) for number in range(3) for family in Family]


@dataclass(frozen=True, slots=True)
class Named:
    """A name server by its name alone."""

    nameserver: Nameserver


@dataclass(frozen=True, slots=True)
class Bad:
    """What became of a name server: its certificate, and how it treats who connects."""

    says: str
    names: tuple[str, ...] = (HOME,)
    days: tuple[int, int] = (-1, 1)
    known: bool = True
    manner: Manner = PLAIN


BAD = {
    "a wrong name": Bad("is not good for 127.0.0.1", names=("dns.example.net",)),
    "a wrong address": Bad("is not good for 127.0.0.1", names=("127.0.0.2",)),
    "an unknown authority": Bad("is from no authority that this machine trusts", known=False),
    "expired": Bad("has expired", days=(-9, -2)),
    "not yet valid": Bad("is not valid yet", days=(2, 9)),
    "hangs up at once": Bad("in the middle of the TLS handshake", manner=Manner(hang_up=True)),
    "closes before it answers": Bad("before the answer came", manner=Manner(close_after=0)),
    "answers no handshake": Bad("no TLS connection with", manner=Manner(wait=2.5)),
}
OVER_HTTPS = {name: bad for name, bad in BAD.items() if bad.manner == PLAIN}


def people() -> tuple[list[Host], dict[str, object]]:
    """Three friends, and where they are."""
    hosts = [Host(f"n{number}", (f"n{number}.example.org",)) for number in range(3)]
    homes = [[at.address() for at in AT if at.number == number] for number in range(3)]
    return hosts, {host.hostnames[0]: home for host, home in zip(hosts, homes, strict=True)}


def evil() -> dict[str, object]:
    return {"*": [at.evil[0] for at in AT[:2]]}


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    made = Authority(tmp_path)
    with made.trusted():
        yield made


def certificate(bad: Bad, authority: Authority, folder: Path) -> ssl.SSLContext:
    folder.mkdir()
    issuer = authority if bad.known else Authority(folder)
    return issuer.serves(*bad.names, days=bad.days)


def goes_bad(folder: Path, good: TlsFront | HttpsFront, bad: Nameserver, says: str) -> Installation:
    """A good run, then one whose name server is another: what was held is held."""
    hosts, _ = people()
    world = Installation(folder / "world", hosts, [good], PATIENCE)
    world.run()
    before = world.held
    assert len(before) == len(AT)
    world.servers = [Named(bad)]
    world.settings = BRIEF
    decisions = world.run().decisions
    answers = [one.answer for each in decisions.values() for one in each.judged]
    assert all(isinstance(one, Unavailable) and says in one.reason for one in answers), answers
    assert world.held == before
    record(
        "encrypted_dns",
        transport=bad.transport.value,
        failures=1,
        lost=len(before - world.held),
        strangers=len(world.held - before),
    )
    return world


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_over_tls_everybody_keeps_access_and_nothing_is_asked_in_clear_text(
    tmp_path: Path, authority: Authority, bad: Bad
) -> None:
    with ExitStack() as stack:
        honest = stack.enter_context(NameServer(people()[1]))
        liar = stack.enter_context(NameServer(evil()))
        good = stack.enter_context(TlsFront(honest, authority.serves(HOME)))
        context = certificate(bad, authority, tmp_path / "bad")
        other = stack.enter_context(TlsFront(liar, context, manner=bad.manner))
        goes_bad(tmp_path, good, other.nameserver, bad.says)
        assert other.connections
        assert {one.transport for one in (*honest.asked, *liar.asked)} == {"tcp"}
    assert (good.in_clear, other.in_clear) == ([], [])


@pytest.mark.parametrize("bad", OVER_HTTPS.values(), ids=OVER_HTTPS)
def test_over_https_everybody_keeps_access_and_nothing_is_asked_at_all(
    tmp_path: Path, authority: Authority, bad: Bad
) -> None:
    with ExitStack() as stack:
        honest = stack.enter_context(NameServer(people()[1]))
        liar = stack.enter_context(NameServer(evil()))
        good = stack.enter_context(HttpsFront(honest, authority.serves(HOME)))
        context = certificate(bad, authority, tmp_path / "bad")
        other = stack.enter_context(HttpsFront(liar, context))
        goes_bad(tmp_path, good, other.nameserver, bad.says)
        assert (liar.asked, other.asked) == ([], [])


IN_CLEAR: dict[str, Callable[[int], Nameserver]] = {
    "tls": lambda port: Nameserver(HOME, port, Transport.TLS),
    "https": lambda port: Nameserver("", port, Transport.HTTPS, url=f"https://{HOME}:{port}{PATH}"),
}


@pytest.mark.parametrize("named", IN_CLEAR.values(), ids=IN_CLEAR)
def test_a_plain_nameserver_in_its_place_is_asked_nothing_over_udp_or_tcp(
    tmp_path: Path, authority: Authority, named: Callable[[int], Nameserver]
) -> None:
    with ExitStack() as stack:
        honest = stack.enter_context(NameServer(people()[1]))
        liar = stack.enter_context(NameServer(evil()))
        good = stack.enter_context(TlsFront(honest, authority.serves(HOME)))
        goes_bad(tmp_path, good, named(liar.port), "no TLS connection with")
        assert liar.asked == []


def test_an_encrypted_nameserver_counts_towards_agreement_like_any_other(
    tmp_path: Path, authority: Authority
) -> None:
    hosts, truth = people()
    with ExitStack() as stack:
        plain = stack.enter_context(NameServer(truth))
        behind = stack.enter_context(NameServer(dict(truth)))
        front = stack.enter_context(TlsFront(behind, authority.serves(HOME)))
        settings = replace(PATIENCE, agreement=2)
        world = Installation(tmp_path / "world", hosts, [plain, front], settings)
        world.run()
        before = world.held
        moved = [at.address(2) for at in AT[:2]]
        plain.zones["n0.example.org"] = moved
        world.run()
        alone = world.held
        behind.zones["n0.example.org"] = moved
        world.run()
    assert alone == before
    assert len(before) == len(AT)
    assert len(world.held - before) == 2
    assert front.in_clear == []
