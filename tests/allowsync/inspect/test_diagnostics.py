"""What `check` finds out about the resolver and about what guards remember."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from allowsync.config.settings import Config
from allowsync.inspect.diagnostics import (
    about_entries,
    about_memory,
    about_names,
    about_nameservers,
    about_resolver,
    heard,
)
from allowsync.inspect.explain import about_network
from allowsync.inspect.status import AccessStatus, TargetStatus
from allowsync.model.answer import Absent, Answer, Found, Unavailable
from allowsync.model.memory import HostMemory, RetentionState
from allowsync.model.nameserver import Dnssec, Nameserver, ResolverSettings, Transport
from allowsync.model.target import Severity
from allowsync.model.types import Family, Policy
from allowsync.model.value import replace
from allowsync.policy.clock import Now
from tests.support.values import T0, A, entry, host

LOCAL = Nameserver("127.0.0.53")
LOCAL6 = Nameserver("::1", 5353)
FAR = Nameserver("192.0.2.53")
SECRET = Nameserver("192.0.2.53", 853, Transport.TLS, "dns.example.net")
STRICT = ResolverSettings(dnssec=Dnssec.REQUIRE)


@pytest.mark.parametrize(
    ("settings", "nameservers", "where"),
    [
        (ResolverSettings(), [FAR], []),
        (STRICT, [LOCAL, LOCAL6, SECRET], []),
        (STRICT, [LOCAL, FAR], ["192.0.2.53"]),
        (ResolverSettings(agreement=2), [LOCAL, FAR], []),
        (ResolverSettings(agreement=2), [LOCAL], ["resolver.agreement"]),
        (ResolverSettings(), [LOCAL, FAR, SECRET], ["resolver.nameservers"]),
    ],
)
def test_demands_that_cannot_be_met_or_can_be_faked_are_found(
    settings: ResolverSettings, nameservers: list[Nameserver], where: list[str]
) -> None:
    assert [one.where for one in about_resolver(settings, nameservers)] == where


def test_two_nameservers_at_one_address_are_one_machine() -> None:
    (found,) = about_resolver(ResolverSettings(agreement=2), [FAR, LOCAL, SECRET])
    assert found.finding.severity is Severity.WARNING
    assert found.finding.what == (
        "192.0.2.53, tls://192.0.2.53#dns.example.net are one machine (192.0.2.53), and count "
        "as 2: it alone can add and remove an address"
    )


@pytest.mark.parametrize(
    ("answer", "where", "advice"),
    [
        (Unavailable("refused"), ["hosts"], "runs keep the last known addresses meanwhile"),
        (Absent("NXDOMAIN"), ["alice", "bob"], "check the name, and that its dynamic DNS client"),
    ],
)
def test_names_are_not_blamed_for_nameservers_that_answer_nothing(
    answer: Answer, where: list[str], advice: str
) -> None:
    hosts = [host("alice"), host("bob")]
    queries = [query for one in hosts for query in one.queries]
    said = list(heard(hosts, {one: {"192.0.2.53": answer} for one in queries}))
    found = list(about_names(said))
    assert [one.where for one in found] == where
    assert all(one.finding.advice.startswith(advice) for one in found)


@pytest.mark.parametrize(
    ("address", "accepted"),
    [
        ("192.168.1.7", True),
        ("fd00::7", True),
        ("127.0.0.1", False),
        ("104.16.1.1", False),  # an edge of Cloudflare's
        ("2606:4700:10::1", False),
        ("64:ff9b::cb00:7107", False),  # NAT64
        ("64:ff9b:1::7", False),
    ],
)
def test_where_strangers_come_from_as_well_is_never_advised_to_be_accepted(
    address: str, accepted: bool
) -> None:
    given = ip_address(address)
    alice = host("alice", families=(Family.of(given),))
    said = list(heard([alice], {alice.queries[0]: {"192.0.2.53": Found((given,), 60)}}))
    *_, last = about_names(said)
    assert last.finding.what.startswith(f"{address} is rejected: ")
    assert ("policy.accept" in last.finding.advice) is accepted
    reason, *_ = about_network(ip_network(address), {}, None, Policy())
    assert ("policy.accept" in reason) is accepted


def test_of_a_nameserver_that_answers_nothing_it_is_said_where_it_is_set() -> None:
    hosts = [host("alice"), host("bob")]
    queries = [query for one in hosts for query in one.queries]
    said = list(heard(hosts, {one: {"192.0.2.53": Unavailable("refused")} for one in queries}))
    (server,), (names,) = about_nameservers(said), about_names(said)
    assert str(server.finding.what) == "gave no usable answer: refused"
    assert "resolver.nameservers, or without these of /etc/resolv.conf" in server.finding.advice
    assert names.finding.what == "no nameserver gave a usable answer for any of alice, bob"


def test_a_latched_name_and_what_was_held_back_are_found_with_what_to_do() -> None:
    since = T0 - timedelta(days=8)
    track = RetentionState((), since, since, 9, summary="absent NXDOMAIN", reason="NXDOMAIN")
    held_back = RetentionState(summary="found", held_back=("81.2.69.9 rejected: too new",))
    hosts = {"alice": host(), "bob": host("bob")}
    memory = {
        "alice": HostMemory({A: track}),
        "bob": HostMemory({hosts["bob"].queries[0]: held_back}),
    }
    config = Config(Path("config.yaml"), hosts, {}, Path("state.db"))
    assert [str(one) for one in about_memory(config, memory, Now(T0))] == [
        (
            "alice: alice.example.org was gone from DNS for longer than latch_absent; "
            "if it returns and still belongs to the host: allowsync approve alice"
        ),
        "bob: bob.example.org: 81.2.69.9 rejected: too new",
    ]


def test_what_a_target_holds_is_compared_once_something_was_applied() -> None:
    lacking = tuple(entry(f"81.2.69.{number}") for number in range(5))
    one = TargetStatus("x/y", in_step=False, entries=(), lacking=lacking)
    assert not list(about_entries(AccessStatus(T0, None, {}, (one,), ())))
    (found,) = about_entries(AccessStatus(T0, T0, {}, (one,), ()))
    assert "81.2.69.0, 81.2.69.1, 81.2.69.2 and 2 more" in str(found)
    assert "locked out" in str(found)
    one = replace(one, flaws=("table inet x does not exist",))
    (found,) = about_entries(AccessStatus(T0, T0, {}, (one,), ()))
    assert "locked out" not in str(found)  # by a gate that is not there
