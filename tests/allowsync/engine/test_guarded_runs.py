"""Guards in whole runs: what is asked besides, what is remembered, who gets in."""

from __future__ import annotations

from datetime import timedelta
from shutil import rmtree
from typing import TYPE_CHECKING

import pytest

from allowsync.model.nameserver import ResolverSettings
from allowsync.testing.memory import MemoryStore, memory_type
from tests.support.values import GONE, SERVFAIL, V6, found, host, net
from tests.support.world import FRIENDS, World, allowlist

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.model.answer import Answer

DAY = timedelta(days=1)
STRANGER = "45.9.9.9"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_siblings_are_asked_only_about_what_is_new(world: World) -> None:
    world.run()
    assert len(world.beside) == 3 * len(FRIENDS)
    assert all(one.hostname.endswith(".example.org") for one in world.beside)
    world.beside.clear()
    world.run()
    assert world.beside == []
    world.says["alice.example.org"] = found("81.2.69.77")
    world.run()
    assert len(world.beside) == 3


def test_an_offline_run_asks_nothing_beside(world: World) -> None:
    world.run()
    world.beside.clear()
    world.run(offline=True)
    assert world.beside == []


def test_who_is_in_stays_in_while_a_wildcard_answers_for_everybody(world: World) -> None:
    world.run()
    before = set(world.held)
    world.everybody(found(STRANGER))
    world.says["*.example.org"] = found(STRANGER)
    report = world.runs(50)
    assert (report.exit_code, world.held) == (3, before)


def test_a_host_that_comes_home_under_a_new_name_is_not_another_one(world: World) -> None:
    """What its former name gave within the window counts as its own."""
    world.run()
    world.change("alice", hostnames=("alice.example.com",))
    world.says["alice.example.com"] = found("81.2.69.77")
    world.runs(4)
    world.says["alice.example.com"] = found("81.2.69.1")
    report = world.run()
    assert report.decisions["alice"].held_back == ()
    assert "81.2.69.1" in world.held
    world.says["bob.example.org"] = found("81.2.69.1")
    assert "81.2.69.1 rejected: alice, bob resolved to it" in str(
        world.run().decisions["bob"].held_back
    )


def test_a_former_name_that_another_host_has_now_is_that_ones(world: World) -> None:
    world.run()
    world.change("alice", hostnames=("alice.example.com",))
    world.says["alice.example.com"] = found("81.2.69.77")
    world.hosts["dave"] = host("dave", hostnames=("alice.example.org",))
    world.runs(4)
    world.says["alice.example.com"] = found("81.2.69.1")
    report = world.run()
    assert "alice, dave resolved to it" in str(report.decisions["alice"].held_back)


def test_a_clock_that_comes_up_days_ahead_makes_no_page_a_home(world: World) -> None:
    """One name was parked before it did, and all others after: that is still one day."""
    world.run()
    before = set(world.held)
    world.says["alice.example.org"] = found(STRANGER)
    world.run()
    world.run(after=10 * DAY)
    world.everybody(found(STRANGER))
    world.runs(8)
    assert STRANGER not in world.held
    assert world.held == before


@pytest.mark.parametrize("offline", [False, True])
@pytest.mark.parametrize("asleep", [timedelta(hours=25), timedelta(hours=47)])
def test_a_page_that_came_before_a_machine_slept_is_no_home_when_it_wakes(
    world: World, asleep: timedelta, offline: bool
) -> None:
    """One name was parked in the last run before it, and all others meanwhile."""
    world.run()
    before = set(world.held)
    world.says["alice.example.org"] = found(STRANGER)
    world.run()
    world.everybody(found(STRANGER))
    if offline:
        world.run(after=asleep, offline=True)
        asleep = timedelta(minutes=1)
    world.run(after=asleep)
    world.runs(8)
    assert world.held == before


def test_a_visitor_is_let_in_by_whom_runs_saw_at_home_for_longer_than_the_window(
    world: World,
) -> None:
    world.run()
    world.says["alice.example.org"] = found(STRANGER)
    world.runs(25, after=timedelta(hours=1))
    world.says["bob.example.org"] = found(STRANGER)
    world.run()
    assert "81.2.69.2" in world.held
    world.runs(5)
    assert "81.2.69.2" not in world.held


def test_with_agreement_every_nameserver_is_asked_about_what_is_new(world: World) -> None:
    world.resolver = ResolverSettings(agreement=2)
    liar: dict[str, Answer] = {"alice.example.org": found(STRANGER)}
    honest: dict[str, Answer] = {"alice.example.org": found("81.2.69.1")}
    world.nameservers = {"192.0.2.53": liar, "192.0.2.54": honest}
    world.says["alice.example.org"] = found(STRANGER)
    world.run()
    assert world.held == {"81.2.69.2", "81.2.69.3", "81.2.69.4"}
    assert not world.beside
    world.surveyed.clear()
    world.run()
    assert {one.hostname for one in world.surveyed} >= {"alice.example.org"}
    assert not {one.hostname for one in world.surveyed} & {"bob.example.org", "carol.example.org"}


def test_after_a_lost_state_no_single_nameserver_takes_a_home(world: World) -> None:
    """One of three gives it for made-up names as well, which keeps out what is new."""
    world.resolver = ResolverSettings(agreement=2)
    world.nameservers = {"192.0.2.53": {}, "192.0.2.54": {}, "192.0.2.55": {}}
    world.run()
    rmtree(world.state.parent)
    wild: dict[str, Answer] = {"*.example.org": found("81.2.69.1")}
    world.nameservers["192.0.2.53"] = wild
    world.runs(9, after=DAY)
    assert world.held == {f"81.2.69.{number}" for number in range(1, 5)}
    world.nameservers["192.0.2.54"] = wild
    world.runs(2, after=DAY)
    assert "81.2.69.1" in world.held
    world.runs(3, after=DAY)
    assert "81.2.69.1" not in world.held


@pytest.mark.parametrize("others", [SERVFAIL, found("81.2.70.1")])
def test_with_agreement_one_nameserver_that_lags_retires_no_address(
    world: World, others: Answer
) -> None:
    """It repeats the address before the last one, which nobody has to agree on again."""
    world.resolver = ResolverSettings(agreement=2)
    world.nameservers = {"192.0.2.53": {}, "192.0.2.54": {}, "192.0.2.55": {}}
    world.run()
    world.says["alice.example.org"] = found("81.2.70.1")
    world.run()
    assert {"81.2.69.1", "81.2.70.1"} <= world.held
    late: Answer = found("81.2.69.1")
    world.says["alice.example.org"] = late
    world.nameservers |= {
        "192.0.2.54": {"alice.example.org": others},
        "192.0.2.55": {"alice.example.org": others},
    }
    world.runs(12)
    assert "81.2.70.1" in world.held
    world.nameservers["192.0.2.54"] = {"alice.example.org": late}
    world.runs(12)
    assert "81.2.70.1" not in world.held


def test_an_address_that_a_host_outside_the_run_holds_is_no_alarm(world: World) -> None:
    world.members = ("alice", "bob")
    world.extra = (allowlist("other", ("carol",), memory_type(MemoryStore())),)
    world.runs(4, after=timedelta(hours=12))
    world.says["alice.example.org"] = world.says["bob.example.org"] = found("81.2.69.3")
    report = world.run("web")
    assert "81.2.69.3" in world.held
    assert not [one for decision in report.decisions.values() for one in decision.held_back]


@pytest.mark.parametrize("later", [found("81.2.69.1"), SERVFAIL])
def test_a_page_that_is_found_out_is_lost_where_it_is_given_no_more_but_held(
    world: World, later: Answer
) -> None:
    world.run()
    world.says["alice.example.org"] = found(STRANGER)
    world.run()
    assert STRANGER in world.held
    world.says["alice.example.org"] = later
    world.says["bob.example.org"] = world.says["carol.example.org"] = found(STRANGER)
    world.run()
    assert STRANGER not in world.held
    assert world.held >= {"81.2.69.1", "81.2.69.2", "81.2.69.3"}


def test_a_page_that_is_found_out_is_lost_where_nothing_else_was_ever_given(world: World) -> None:
    """Its answers are the same in every run, so that nothing of it seems to move."""
    world.says["alice.example.org"] = found(STRANGER)
    world.runs(3)
    assert STRANGER in world.held
    world.says["bob.example.org"] = world.says["carol.example.org"] = found(STRANGER)
    world.run()
    assert STRANGER not in world.held
    assert world.held == {"81.2.69.2", "81.2.69.3", "81.2.69.4"}
    world.says["bob.example.org"] = world.says["carol.example.org"] = SERVFAIL
    world.run()
    assert STRANGER not in world.held


def test_a_network_speaks_against_itself_for_as_long_as_it_is_held(world: World) -> None:
    """Absent answers between two that give it do not wipe out that it came lately."""
    world.run()
    world.says["alice.example.org"] = found(STRANGER)
    world.run()
    world.says["alice.example.org"] = GONE
    world.runs(4)
    world.says["alice.example.org"] = found(STRANGER)
    world.run()
    world.says["bob.example.org"] = found(STRANGER)
    report = world.run()
    assert [one[1].partition(" resolved")[0] for one in report.decisions["bob"].held_back] == [
        f"{STRANGER} rejected: alice, bob"
    ]
    world.says["carol.example.org"] = found(STRANGER)
    world.run()
    assert STRANGER not in world.held


def test_a_host_whose_access_ended_vouches_for_nobody(world: World) -> None:
    world.says["carol.example.org"] = found(STRANGER)
    world.run()
    world.change("carol", until=world.instant)
    world.says["alice.example.org"] = world.says["bob.example.org"] = found(STRANGER)
    world.runs(2)
    assert STRANGER not in world.held


def test_a_name_gone_for_long_is_let_back_by_nobody_but_an_approval(world: World) -> None:
    world.run()
    world.says["alice.example.org"] = GONE
    world.runs(9, after=DAY)
    world.says["alice.example.org"] = SERVFAIL
    world.runs(3)
    world.says["alice.example.org"] = found(STRANGER)
    report = world.runs(5)
    assert (STRANGER in world.held, report.exit_code) == (False, 3)
    assert world.look().decisions["alice"].latched == ("alice.example.org",)


def test_no_other_name_of_a_host_opens_the_latch_of_one(world: World) -> None:
    """A stranger registers the lapsed name, gives what the other one has, and moves from there."""
    names = ("alice.example.org", "alice.example.net")
    world.hosts["alice"] = host("alice", hostnames=names)
    world.says["alice.example.net"] = found("81.2.69.1")
    world.run()
    world.says["alice.example.net"] = GONE
    world.runs(9, after=DAY)
    for address in ("81.2.69.1", STRANGER):
        world.says["alice.example.net"] = found(address)
        report = world.runs(3)
        assert report.decisions["alice"].latched == ("alice.example.net",)
        assert world.held == {f"81.2.69.{number}" for number in range(1, 5)}


@pytest.mark.parametrize("between", [SERVFAIL, found("81.2.70.1")])
def test_an_edit_of_a_name_and_its_undoing_open_no_latch(world: World, between: Answer) -> None:
    world.run()
    world.says["alice.example.org"] = GONE
    world.runs(9, after=DAY)
    world.says["alice.example.net"] = between
    world.change("alice", hostnames=("alice.example.net",))
    world.runs(3)
    world.says["alice.example.org"] = found(STRANGER)
    world.change("alice", hostnames=("alice.example.org",))
    report = world.runs(3)
    assert STRANGER not in world.held
    assert report.decisions["alice"].latched == ("alice.example.org",)


@pytest.mark.parametrize("network", ["81.2.69.0/24", STRANGER])
def test_no_fixed_network_opens_a_latch(world: World, network: str) -> None:
    world.run()
    world.says["alice.example.org"] = GONE
    world.runs(9, after=DAY)
    world.change("alice", networks=(net(network),))
    world.says["alice.example.org"] = found(str(net(network)[1 % net(network).num_addresses]))
    world.run()
    world.change("alice", networks=())
    world.says["alice.example.org"] = found(STRANGER)
    world.runs(5)
    assert STRANGER not in world.held


def test_what_moves_too_often_is_let_in_when_its_day_is_over(world: World) -> None:
    world.change("alice", policy=host(max_moves=2).policy)
    for number in (1, 2, 3):
        world.says["alice.example.org"] = found(f"81.2.70.{number}")
        report = world.run()
    assert "81.2.70.3" not in world.held
    (refused,) = report.decisions["alice"].held_back
    assert "max_moves" in refused[1]
    world.run(after=DAY)
    assert "81.2.70.3" in world.held


def test_a_host_shares_nothing_with_the_name_that_it_had_before(world: World) -> None:
    """Within a day of her first run, Alice goes to another provider of dynamic DNS."""
    world.run()
    world.hosts["alice"] = host("alice", hostnames=("alice.example.net",))
    world.says["alice.example.net"] = found("81.2.69.1")
    report = world.runs(3)
    assert (report.exit_code, world.held) == (0, {f"81.2.69.{number}" for number in range(1, 5)})
    assert not report.decisions["alice"].held_back


def test_a_parked_name_is_not_let_in_by_another_name_of_its_host(world: World) -> None:
    """One of Alice's two names is parked first, and is alone with that; then all of them are."""
    names = ("alice.example.org", "alice.example.net")
    world.hosts["alice"] = host("alice", hostnames=names)
    world.says["alice.example.net"] = found("81.2.69.1")
    world.run()
    world.says["alice.example.org"] = found(STRANGER)
    world.run()
    assert STRANGER in world.held
    for name in ("alice.example.net", "bob.example.org", "carol.example.org"):
        world.says[name] = found(STRANGER)
    world.run()
    assert STRANGER not in world.held
    world.runs(5)
    assert world.held == {f"81.2.69.{number}" for number in range(1, 5)}


def test_a_second_nameserver_that_does_dns64_is_found_out(world: World) -> None:
    """The first one may not have answered about the host."""
    prefix = "2001:67c:2b0:db32::"
    world.change("alice", families=(V6,))
    world.says["alice.example.org"] = found(f"{prefix}5102:4501")
    world.nameservers = {
        "192.0.2.53": {},
        "192.0.2.54": {"ipv4only.arpa": found(f"{prefix}c000:aa")},
    }
    world.run()
    assert world.held == {"81.2.69.2", "81.2.69.3", "81.2.69.4"}


def test_what_came_while_made_up_names_were_silent_goes_once_one_of_them_gives_it(
    world: World,
) -> None:
    """Even where the home was replaced by then."""
    world.run()
    before = set(world.held)
    world.says["alice.example.org"] = found(STRANGER)
    world.says["*.example.org"] = SERVFAIL
    world.runs(8)
    assert world.held == {*before, STRANGER} - {"81.2.69.1"}
    world.says["*.example.org"] = found(STRANGER)
    world.runs(2)
    assert world.held == before


def test_made_up_names_are_asked_until_one_of_the_domain_is_answered(world: World) -> None:
    world.run()
    world.says["alice.example.org"] = found("81.2.69.77")
    world.says["*.example.org"] = SERVFAIL
    world.runs(2)
    world.beside.clear()
    world.run()
    assert len(world.beside) == 3
    del world.says["*.example.org"]
    world.run()
    world.beside.clear()
    world.runs(2)
    assert world.beside == []
    assert "81.2.69.77" in world.held


def test_what_came_while_no_nameserver_told_of_dns64_goes_once_one_does(world: World) -> None:
    """Alice's IPv4 address is not known, so nothing shows that this one is made of it."""
    prefix = "2001:67c:2b0:db32::"
    world.run()
    world.change("alice", families=(V6,))
    world.says["alice.example.org"] = found(f"{prefix}5102:4563")
    world.says["ipv4only.arpa"] = SERVFAIL
    world.runs(8)
    assert f"{prefix}/64" in world.held
    world.says["ipv4only.arpa"] = found(f"{prefix}c000:aa")
    world.run()
    assert f"{prefix}/64" not in world.held


def test_an_address_that_dns64_cannot_have_made_is_asked_about_once(world: World) -> None:
    world.run()
    world.change("alice", families=(V6,))
    world.says["alice.example.org"] = found("2a01:4f8:1:5:1234:56ff:fe78:9abc")
    world.says["ipv4only.arpa"] = SERVFAIL
    world.run()
    world.surveyed.clear()
    world.run()
    assert world.surveyed == []


@pytest.mark.parametrize("width", [30, 32])
def test_another_width_makes_no_page_a_home(world: World, width: int) -> None:
    """What came within the window is looked at again, however wide it is granted by now."""
    world.says["alice.example.org"] = found("81.2.70.1")
    world.change("alice", ipv4_prefix=62 - width)
    world.run()
    world.says["alice.example.org"] = found(STRANGER)
    world.run()
    world.change("alice", ipv4_prefix=width)
    world.run()
    world.everybody(found(STRANGER))
    world.runs(2)
    alice = {30: "81.2.70.0/30", 32: "81.2.70.1"}[width]
    assert world.held == {alice, *(f"81.2.69.{number}" for number in (2, 3, 4))}


def test_another_name_and_width_make_no_page_a_home(world: World) -> None:
    """What came within the window by a name that was edited away is looked at again, too."""
    world.run()
    world.says["alice.example.org"] = found(STRANGER)
    world.run()
    world.says["new.example.org"] = SERVFAIL
    world.change("alice", hostnames=("new.example.org",), ipv4_prefix=30)
    world.runs(2)
    assert "45.9.9.8/30" in world.held
    for name in ("bob", "carol", "dave"):
        world.says[f"{name}.example.org"] = found(STRANGER)
    world.runs(2)
    assert not any(one.startswith("45.9.9.") for one in world.held)


def test_another_width_answers_no_question(world: World) -> None:
    world.run()
    world.says["alice.example.org"] = found(STRANGER)
    world.says["*.example.org"] = SERVFAIL
    world.run()
    world.change("alice", ipv4_prefix=30)
    world.run()
    world.says["*.example.org"] = found(STRANGER)
    world.runs(2)
    assert not any(one.startswith("45.9.9.") for one in world.held)
