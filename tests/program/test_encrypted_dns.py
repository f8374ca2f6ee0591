"""The whole program over TLS and HTTPS: what it does, what it says, and what it writes down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from testkit.fake_dns.behaviours import Authenticated
from testkit.fake_dns.https import HttpsFront
from testkit.fake_dns.tls import Authority, TlsFront

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.program import Installation, ProgramResult

EVERYBODY = ["2a01:4f8:1:2::/64", "2a01:4f8:9::/56", "81.2.69.1/32", "81.2.69.2/32"]


@dataclass
class Encrypted:
    """An installation whose name servers are encrypted ones."""

    here: Installation
    authority: Authority

    def ask(self, *fronts: TlsFront | HttpsFront, **resolver: object) -> None:
        self.here.resolver = {"nameservers": list(map(str, fronts)), **resolver}

    def __call__(self, command: str) -> ProgramResult:
        environ = {"SSL_CERT_FILE": str(self.authority.certificate)}
        return self.here(command, environ=environ)

    @property
    def allowed(self) -> list[str]:
        return sorted(self.here.allowed)


@pytest.fixture
def over(here: Installation, tmp_path: Path) -> Encrypted:
    (tmp_path / "certificates").mkdir()
    return Encrypted(here, Authority(tmp_path / "certificates"))


@pytest.fixture
def tls(over: Encrypted) -> Iterator[TlsFront]:
    with TlsFront(over.here.server, over.authority.serves("127.0.0.1")) as front:
        yield front
    assert front.in_clear == []


@pytest.fixture
def https(over: Encrypted) -> Iterator[HttpsFront]:
    with HttpsFront(over.here.server, over.authority.serves("127.0.0.1")) as front:
        yield front


@pytest.fixture
def impostor(over: Encrypted) -> Iterator[TlsFront]:
    with TlsFront(over.here.server, over.authority.serves("dns.example.net")) as front:
        yield front
    assert front.in_clear == []


@pytest.mark.parametrize("kind", ["tls", "https"])
def test_everybody_is_let_in_and_stays_so_in_unchanged_runs(
    over: Encrypted, kind: str, request: pytest.FixtureRequest
) -> None:
    over.ask(request.getfixturevalue(kind))
    over.here.write()
    over.here.freeze = True
    assert over("apply").code == 0
    assert over.allowed == EVERYBODY
    for _ in range(3):
        done = over("apply")
        assert (done.code, done.out, done.err) == (0, "", "")
    assert {one.transport for one in over.here.server.asked} == {"tcp"}


def test_an_impostor_takes_nobody_away_and_is_named(
    over: Encrypted, tls: TlsFront, impostor: TlsFront
) -> None:
    over.ask(tls)
    over("apply")
    asked = len(over.here.server.asked)
    over.ask(impostor)
    done = over("apply --output json")
    assert done.code == 3
    reasons = {query["reason"] for host in done.document["hosts"] for query in host["queries"]}
    assert reasons == {f"the certificate of {impostor} is not good for 127.0.0.1: check the name"}
    assert over.allowed == EVERYBODY
    assert len(over.here.server.asked) == asked


def test_resolve_tells_nameservers_of_every_transport_apart(
    over: Encrypted, tls: TlsFront, https: HttpsFront, impostor: TlsFront
) -> None:
    over.ask(tls, https, impostor)
    done = over("resolve alice")
    lines = {line.split()[0]: line for line in done.out.splitlines() if line.startswith("    ")}
    assert list(lines) == [str(tls), str(https), str(impostor)]
    assert lines[str(tls)].endswith("2a01:4f8:1:2::7 (TTL 60 s)")
    assert lines[str(https)].endswith("2a01:4f8:1:2::7 (TTL 60 s)")
    assert "is not good for 127.0.0.1" in lines[str(impostor)]
    said = {one["nameserver"] for one in over("resolve alice --output json").document["answers"]}
    assert said == set(lines)


def test_check_finds_nothing_wrong_with_good_ones_and_names_bad_ones(
    over: Encrypted, tls: TlsFront, https: HttpsFront, impostor: TlsFront
) -> None:
    over("apply")
    over.ask(tls, https)
    done = over("check")
    assert done.code == 0, done.out
    assert "nameserver" not in done.out
    over.ask(tls, impostor)
    done = over("check")
    assert done.code == 1
    assert f"error: {impostor}: gave no usable answer: the certificate of" in done.out


def test_dnssec_is_believed_from_encrypted_nameservers(
    over: Encrypted, tls: TlsFront, zones: dict[str, object]
) -> None:
    over.ask(tls, dnssec="require")
    assert "not validated by DNSSEC" in over("check").out
    for name, value in list(zones.items()):
        zones[name] = Authenticated(value)
    done = over("check")
    assert "is queried without encryption" not in done.out
    assert "not validated" not in done.out
    over("apply")
    assert over.allowed == EVERYBODY
