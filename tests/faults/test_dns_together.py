"""Lies beside the truth: about one family, from one name server, too late, or about everybody."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest

from allowsync.model.answer import Found, Unavailable
from allowsync.model.special_purpose import IPV4_BLOCKS, IPV6_BLOCKS, IPV6_OUTSIDE
from allowsync.model.types import Family, Host
from allowsync.policy.screening import network_of
from testkit.fake_dns.behaviours import ByType, Delay
from testkit.fake_dns.nameserver import NameServer
from tests.faults.lies import broken, found, negative
from tests.faults.lies.case import At, Says
from tests.faults.lies.telling import PATIENCE, Installation
from tests.support.scoreboard import record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.faults.lies.case import Case

LIES = {**found.CASES, **found.UDP_ONLY, **negative.CASES, **broken.CASES}
MUTE = {name: case for name, case in LIES.items() if case.says is Says.NOTHING}
HEARD = {name: case for name, case in LIES.items() if name not in MUTE}
FAMILIES = pytest.mark.parametrize("family", list(Family), ids=lambda family: family.value)


def other_than(family: Family) -> Family:
    return next(one for one in Family if one is not family)


# Only where something is waited for in vain does it matter for how long.
@pytest.mark.slow
@pytest.mark.parametrize(("lies", "seconds"), [(MUTE, 3), (HEARD, 30)], ids=["mute", "heard"])
@FAMILIES
def test_a_lie_about_one_family_leaves_the_other_alone(
    tmp_path: Path, family: Family, lies: Mapping[str, Case], seconds: int
) -> None:
    lying = {name: At(number, family) for number, name in enumerate(lies)}
    honest = {name: At(number, other_than(family)) for number, name in enumerate(lies)}
    truth = {name: [*lying[name].good, *honest[name].good] for name in lies}
    zones: dict[str, object] = {at.name: truth[name] for name, at in lying.items()}
    hosts = [Host(f"n{at.number}", (at.name,)) for at in lying.values()]
    with NameServer(zones) as server:
        world = Installation(tmp_path, hosts, [server])
        world.run()
        before = world.held
        world.settings = replace(PATIENCE, timeout=timedelta(seconds=seconds))
        for name, case in lies.items():
            turns = {family: case.value(lying[name]), other_than(family): honest[name].good}
            zones[lying[name].name] = ByType(turns[Family.IPV4], turns[Family.IPV6])
        decisions = world.run().decisions
    assert len(before) == 2 * len(lies)
    assert before <= world.held
    for name, at in honest.items():
        said = {one.query.family: one.answer for one in decisions[f"n{at.number}"].judged}
        assert said[at.family] == Found((at.home,), 60), name


@FAMILIES
def test_the_next_nameserver_makes_good_what_says_nothing(tmp_path: Path, family: Family) -> None:
    places = {name: At(number, family) for number, name in enumerate(MUTE)}
    truth: dict[str, object] = {at.name: at.good for at in places.values()}
    lies = {places[name].name: case.value(places[name]) for name, case in MUTE.items()}
    hosts = [Host(f"n{at.number}", (at.name,), families=(family,)) for at in places.values()]
    twice = replace(PATIENCE, attempts=2)
    with NameServer(lies) as liar, NameServer(truth) as honest:
        world = Installation(tmp_path, hosts, [liar, honest], twice)
        decisions = world.run().decisions
    for name, at in places.items():
        (judged,) = decisions[f"n{at.number}"].judged
        assert judged.answer == Found((at.home,), 60), name
    assert world.held == {network_of(at.home, hosts[0]) for at in places.values()}


@FAMILIES
def test_an_answer_after_the_deadline_says_nothing(tmp_path: Path, family: Family) -> None:
    at = At(0, family)
    zones: dict[str, object] = {at.name: at.good}
    hosts = [Host("n0", (at.name,), families=(family,))]
    with NameServer(zones) as server:
        world = Installation(tmp_path, hosts, [server])
        world.run()
        before = world.held
        zones[at.name] = Delay(0.4, at.evil)
        world.settings = replace(PATIENCE, deadline=timedelta(seconds=0.2))
        (judged,) = world.run().decisions["n0"].judged
    assert judged.answer == Unavailable("no answer before the deadline of 0.2 s")
    assert world.held == before != frozenset()


def ends_of(family: Family) -> list[str]:
    """The first and the last address of every block nobody lives in."""
    outside = [("::/3", ""), ("4000::/2", ""), ("8000::/1", "")]
    of = {Family.IPV4: IPV4_BLOCKS, Family.IPV6: (*IPV6_BLOCKS, *IPV6_OUTSIDE, *outside)}
    networks = [ip_network(block) for block, _ in of[family]]
    return [str(one) for net in networks for one in (net[0], net[-1])]


@FAMILIES
def test_the_first_and_the_last_address_of_each_rejected_block_is_refused(
    tmp_path: Path, family: Family
) -> None:
    places = {address: At(number, family) for number, address in enumerate(ends_of(family))}
    zones: dict[str, object] = {at.name: at.good for at in places.values()}
    hosts = [Host(f"n{at.number}", (at.name,), families=(family,)) for at in places.values()]
    with NameServer(zones) as server:
        world = Installation(tmp_path, hosts, [server])
        world.run()
        before = world.held
        zones |= {at.name: [address] for address, at in places.items()}
        alone = world.run().decisions
        zones |= {at.name: [address, *at.good] for address, at in places.items()}
        beside = world.run().decisions
    for address, at in places.items():
        (refused,), (partly,) = alone[f"n{at.number}"].judged, beside[f"n{at.number}"].judged
        assert isinstance(refused.answer, Unavailable), address
        assert refused.answer.suspicious
        assert partly.answer == Found((at.home,), 60)
        assert [one.address for one in partly.rejected] == [ip_address(address)]
    assert world.held == before
    record(f"dns_faults_{family.value}", rejected=len(places), lost=0, strangers=0)


PARKED = {
    "a block page on loopback": ["127.0.0.1", "::1"],
    "a captive portal": ["10.255.255.1", "fd00::1"],
    "nowhere": ["0.0.0.0", "::"],
    "a page on many servers": [
        *(f"45.9.1.{n}" for n in range(1, 9)),
        *(f"2600:9::{n}" for n in range(1, 9)),
    ],
}


@pytest.mark.parametrize("page", PARKED.values(), ids=PARKED)
def test_a_wildcard_that_answers_for_everybody_changes_nothing(
    tmp_path: Path, page: list[str]
) -> None:
    homes = [At(number, family) for number in range(8) for family in Family]
    zones: dict[str, object] = {}
    for at in homes:
        zones[at.name] = [*zones.get(at.name, []), *at.good]  # type: ignore[misc]
    hosts = [Host(f"n{number}", (f"n{number}.example.org",)) for number in range(8)]
    with NameServer(zones) as server:
        world = Installation(tmp_path, hosts, [server])
        world.run()
        before = world.held
        zones.clear()
        zones["*"] = page
        for _ in range(8):
            decisions = world.run().decisions
    assert world.held == before
    assert len(before) == 16
    answers = [one.answer for each in decisions.values() for one in each.judged]
    assert all(isinstance(one, Unavailable) and one.suspicious for one in answers)


LEFT = {
    "every name is sold to one page": ["45.9.1.1", "2600:9:0:1::1"],
    "the page has two servers": ["45.9.1.1", "45.9.1.2", "2600:9:0:1::1", "2600:9:0:2::1"],
}


@pytest.mark.parametrize("page", LEFT.values(), ids=LEFT)
@pytest.mark.parametrize("friends", [1, 8])
def test_a_page_that_a_whole_zone_was_parked_on_is_let_in_nowhere(
    tmp_path: Path, page: list[str], friends: int
) -> None:
    hosts = [Host(f"n{number}", (f"n{number}.example.org",)) for number in range(friends)]
    homes = {host: [At(number, family) for family in Family] for number, host in enumerate(hosts)}
    zones: dict[str, object] = {
        host.hostnames[0]: [at.address() for at in both] for host, both in homes.items()
    }
    with NameServer(zones) as server:
        world = Installation(tmp_path, hosts, [server])
        world.run()
        before = world.held
        zones.clear()
        zones["*"] = page
        for _ in range(3):
            world.run()
    assert len(before) == 2 * friends
    assert world.held == before
