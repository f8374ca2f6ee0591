"""What a source of networks says: when it is asked, what is plausible, what a host gets of it."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network

import pytest

from allowsync.model.memory import HostMemory
from allowsync.model.special_purpose import CLOUDFLARE
from allowsync.model.target import Current
from allowsync.model.types import Basis, Entry, Host
from allowsync.plan.planner import Situation, make_plan
from allowsync.policy.clock import Now
from allowsync.policy.decision import decide
from allowsync.policy.published import (
    FRESH,
    ODD,
    OLD,
    RETRY,
    SourceRecord,
    filled,
    implausible,
    is_due,
    said_of,
    worth_saying,
)
from tests.support.values import T0, V4, allowed, net

PUBLISHED = tuple(map(ip_network, CLOUDFLARE))
URL = "https://api.example.net"
GOOD = SourceRecord(PUBLISHED, T0, T0, URL)
SILENT = SourceRecord(PUBLISHED, T0, T0 + FRESH, URL, "no reply")
NOTHING = SourceRecord((), None, T0, URL, "no reply")
SECOND = timedelta(seconds=1)


def test_what_cloudflare_publishes_is_plausible() -> None:
    assert implausible(PUBLISHED, ()) == ""
    assert implausible(PUBLISHED, PUBLISHED) == ""
    assert implausible(reversed(PUBLISHED), PUBLISHED) == ""


REFUSED = {
    "nothing": ([], "it is empty"),
    "everything": (["0.0.0.0/0"], "0.0.0.0/0 contains"),
    "all of IPv6": (["::/0"], "the unspecified address"),
    "half of what is global": (["2000::/4"], "2000::/4 contains"),
    "a private network": (["81.2.69.0/24", "192.168.0.0/24"], "192.168.0.0/24 contains"),
    "one that holds a private network": (["192.0.0.0/8"], "192.0.0.0/8 contains"),
    "one that ends in one": (["100.0.0.0/9"], "100.0.0.0/9 contains"),
    "loopback": (["127.0.0.1/32"], "loopback"),
    "a unique local network": (["fd00::/16"], "unique local"),
    "documentation": (["2001:db8::/32"], "documentation"),
    "an unallocated part of IPv6": (["4000::/16"], "2000::/3"),
    "too large a network": (["80.0.0.0/8"], "IPv4 networks are larger than a /9 together"),
    "too large in pieces": (
        ["80.0.0.0/10", "81.0.0.0/10", "82.0.0.0/16"],
        "IPv4 networks are larger than a /9 together",
    ),
    "too large an IPv6 network": (["2a00::/23"], "IPv6 networks are larger than a /24 together"),
    "very many": ([f"81.{n // 250}.{n % 250}.0/32" for n in range(1001)], "more than 1000"),
}


@pytest.mark.parametrize(("texts", "said"), REFUSED.values(), ids=REFUSED)
def test_what_nobody_should_get_access_by_is_not_plausible(texts: list[str], said: str) -> None:
    assert said in implausible(map(net, texts), ())


def test_as_much_as_is_allowed_is_plausible() -> None:
    most = [net("80.0.0.0/10"), net("81.0.0.0/10"), net("80.1.0.0/16"), net("2a00::/24")]
    assert implausible(most, ()) == ""


SHRUNK = {
    "fewer than half of IPv4": [net("104.16.0.0/13"), *PUBLISHED[15:]],
    "no IPv6 any more": PUBLISHED[:15],
    "others instead": [net("81.2.0.0/16"), *PUBLISHED[15:]],
}


@pytest.mark.parametrize("left", SHRUNK.values(), ids=SHRUNK)
def test_losing_more_than_half_at_once_is_not_plausible(left: list) -> None:  # type: ignore[type-arg]
    assert "less than half of the IPv" in implausible(left, PUBLISHED)
    assert implausible(left, ()) == "", "it is as a first answer"


def test_losing_one_of_many_and_being_split_up_is_plausible() -> None:
    assert implausible(PUBLISHED[1:], PUBLISHED) == ""
    halves = [half for one in PUBLISHED for half in one.subnets()]
    assert implausible(halves, PUBLISHED) == ""
    assert implausible([net("81.2.0.0/17")], [net("81.2.0.0/16")]) == "", "just half"


DUE = {
    "never asked": (None, T0, True),
    "fresh": (GOOD, T0 + FRESH - SECOND, False),
    "a day old": (GOOD, T0 + FRESH, True),
    "silent for less than an hour": (SILENT, T0 + FRESH + RETRY - SECOND, False),
    "silent for an hour": (SILENT, T0 + FRESH + RETRY, True),
    "never heard": (NOTHING, T0, True),
    "a clock that went backwards": (GOOD, T0 - SECOND, True),
}


@pytest.mark.parametrize(("kept", "now", "due"), DUE.values(), ids=DUE)
def test_a_source_is_asked_once_a_day_and_again_after_an_hour(
    kept: SourceRecord | None,
    now: object,
    due: bool,
) -> None:
    assert is_due(kept, URL, now) is due  # type: ignore[arg-type]


def test_a_source_is_asked_at_once_where_it_was_not_asked_before() -> None:
    assert is_due(GOOD, "https://elsewhere.example.net", T0 + SECOND)


def test_silence_is_worth_a_word_only_after_days_and_an_odd_answer_at_once() -> None:
    assert not worth_saying(GOOD, T0 + 2 * OLD)
    assert not worth_saying(SILENT, T0 + OLD)
    assert worth_saying(SILENT, T0 + OLD + SECOND)
    assert worth_saying(NOTHING, T0)
    assert worth_saying(SourceRecord(PUBLISHED, T0, T0, URL, f"{ODD}it is empty"), T0)


def test_what_is_known_of_a_source_reads_well() -> None:
    assert said_of(GOOD) == "22 networks of 2026-11-20 15:00 UTC"
    assert said_of(SILENT) == "22 networks of 2026-11-20 15:00 UTC, which stay: no reply"
    assert said_of(NOTHING) == "its networks are unknown: no reply"


def edge(**fields: object) -> Host:
    return Host("edge", sources=("cloudflare",), **fields)  # type: ignore[arg-type]


def test_a_host_is_granted_what_its_source_publishes_beside_its_own() -> None:
    who = filled(edge(networks=(net("81.2.69.0/24"),)), {"cloudflare": GOOD})
    decision = decide(who, {}, HostMemory(), Now(T0))
    assert allowed(decision) == {"81.2.69.0/24", *CLOUDFLARE}
    assert {one.basis for one in decision.grants} == {Basis.FIXED}
    assert {one.why for one in decision.grants} == {"", "published by cloudflare"}
    assert not decision.undecided
    assert not decision.rests_on_old_knowledge


def test_of_one_family_only_that_is_granted() -> None:
    who = filled(edge(families=(V4,)), {"cloudflare": GOOD})
    assert allowed(decide(who, {}, HostMemory(), Now(T0))) == set(CLOUDFLARE[:15])


@pytest.mark.parametrize("kept", [{}, {"cloudflare": NOTHING}], ids=["not asked", "no answer"])
def test_a_source_of_which_nothing_is_known_leaves_its_host_undecided(
    kept: dict[str, SourceRecord],
) -> None:
    decision = decide(filled(edge(), kept), {}, HostMemory(), Now(T0))
    assert decision.undecided
    assert decision.unheard
    there = Current(frozenset({Entry(PUBLISHED[0])}))
    labels = {PUBLISHED[0]: ("edge",)}
    plan = make_plan(Situation("web/file", there, {}, labels, undecided=frozenset({"edge"})))
    assert plan.remove == ()


def test_a_host_with_networks_of_its_own_too_rests_on_what_is_not_known() -> None:
    decision = decide(edge(networks=(net("81.2.69.0/24"),)), {}, HostMemory(), Now(T0))
    assert not decision.undecided
    assert decision.rests_on_old_knowledge


def test_a_published_network_is_not_one_that_somebody_held() -> None:
    """Else a name that is parked at a CDN would pass for somebody's home (`max_sharing`)."""
    assert filled(edge(), {"cloudflare": GOOD}).networks == ()
