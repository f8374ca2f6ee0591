"""Several owners in one list: nobody's friend is shut out, whoever lets go first."""

from __future__ import annotations

from ipaddress import ip_network
from itertools import product
from typing import TYPE_CHECKING

import pytest

from allowsync.backend.api import BackendError
from allowsync.model.plan import Plan
from allowsync.model.types import Entry
from testkit.fake_cloudflare import CutConnection, Meanwhile
from tests.support.cloudflare_targets import held, keep, target
from tests.support.scoreboard import record

if TYPE_CHECKING:
    from pathlib import Path

    from testkit.fake_cloudflare import FakeCloudflare

ALICE, BOB = "81.2.69.1", "81.2.69.2"
HERE, THERE = "allowsync:jellyfin::alice", "allowsync:jellyfin:attic:alice"


@pytest.fixture(autouse=True)
def _locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))


def test_an_address_of_two_owners_stays_until_both_let_go(fake: FakeCloudflare) -> None:
    here, attic = target(fake), target(fake, owner="attic")
    keep(here, ALICE, BOB)
    assert held(keep(attic, ALICE)) == {ALICE}
    assert fake.items("friends")[ALICE] == f"{HERE} {THERE}"
    was = fake.lists["friends"].items[ALICE].id
    assert held(keep(here, BOB)) == {BOB}
    assert fake.items("friends")[ALICE] == THERE
    assert fake.lists["friends"].items[ALICE].id == was, "it was taken out in between"
    keep(attic)
    assert fake.items("friends") == {BOB: HERE}


def test_two_owners_over_many_runs_lose_nobody(fake: FakeCloudflare) -> None:
    owners = target(fake), target(fake, owner="attic")
    fake.add_list("friends", {"203.0.113.9": "by hand"})
    wants: list[set[str]] = [set(), set()]
    turns = list(product(({ALICE}, {ALICE, BOB}, {BOB}), repeat=2))
    lost = strangers = 0
    for turn in turns:
        for number, wanted in enumerate(turn):
            wants[number] = set(wanted)
            keep(owners[number], *sorted(wanted))
            there = set(fake.items("friends"))
            lost += len((wants[0] | wants[1]) - there)
            strangers += len(there - wants[0] - wants[1] - {"203.0.113.9"})
    record("interference", cases=2 * len(turns), lock_outs=lost, strangers=strangers)
    assert (lost, strangers) == (0, 0)
    assert fake.items("friends")["203.0.113.9"] == "by hand"


def test_the_allowlists_of_one_machine_share_an_address(fake: FakeCloudflare) -> None:
    one, two = target(fake, "jellyfin"), target(fake, "ssh")
    keep(one, ALICE)
    keep(two, ALICE)
    one.clear()
    assert fake.items("friends") == {ALICE: "allowsync:ssh::alice"}
    assert held(two.read()) == {ALICE}


def test_who_marked_an_address_between_our_writes_keeps_it(fake: FakeCloudflare) -> None:
    here = target(fake)
    keep(here, ALICE)
    marking = Meanwhile(lambda: fake.plant("friends", ALICE, f"{HERE} {THERE}"), after=True)
    fake.faults.add(marking, on="items.create")
    keep(here, BOB)
    record("interference", cases=1, lock_outs=int(ALICE not in fake.items("friends")), strangers=0)
    assert fake.items("friends") == {ALICE: THERE, BOB: HERE}


def test_a_mark_that_somebody_writes_again_does_not_cost_them_theirs(fake: FakeCloudflare) -> None:
    here = target(fake)
    fake.add_list("friends", {ALICE: f"{HERE} {THERE}"})
    again = Meanwhile(lambda: fake.plant("friends", ALICE, f"{HERE} {THERE}"))
    # Reads: one to plan, one to write by, and one before anything is removed.
    fake.faults.add(again, on="items.list", skip=2)
    keep(here)
    assert fake.items("friends") == {ALICE: f"{HERE} {THERE}"}
    keep(here)
    assert fake.items("friends") == {ALICE: THERE}


def test_a_mark_that_was_lost_in_a_race_is_put_in_by_the_next_run(fake: FakeCloudflare) -> None:
    here, attic = target(fake), target(fake, owner="attic")
    fake.add_list("friends")
    here.apply(Plan("x", add=(Entry(ip_network(ALICE), ("alice",)),)))
    # The other one had read before we wrote: the last to write has the whole comment.
    fake.plant("friends", ALICE, THERE)
    assert held(here.read()) == set()
    assert held(keep(here, ALICE)) == {ALICE}
    assert held(keep(attic)) == set()
    assert fake.items("friends") == {ALICE: HERE}


def test_an_item_that_somebody_took_out_meanwhile_is_looked_at_anew(fake: FakeCloudflare) -> None:
    here = target(fake)
    keep(here, ALICE, BOB)
    taking = Meanwhile(lambda: fake.pull("friends", ALICE))
    fake.faults.add(taking, on="items.delete")
    with pytest.raises(BackendError, match="another client removed items") as caught:
        keep(here)
    assert caught.value.again
    assert held(keep(here, BOB)) == {BOB}


def test_an_item_without_room_for_a_mark_is_left_to_those_who_keep_it(
    fake: FakeCloudflare,
) -> None:
    full = " ".join(f"allowsync:somebodys:{'x' * 30}{one:02}:" for one in range(9))
    fake.add_list("friends", {ALICE: full})
    here = target(fake)
    assert held(keep(here, ALICE, BOB)) == {BOB}
    assert fake.items("friends") == {ALICE: full, BOB: HERE}
    assert "1 item of the list friends have no room for another owner's mark" in [
        one.what for one in here.check()
    ]


def test_an_unmarked_item_is_never_written_over(fake: FakeCloudflare) -> None:
    fake.add_list("friends", {ALICE: "by hand", "2a02:8109:9a40::5": None})
    here = target(fake)
    assert held(keep(here, ALICE, "2a02:8109:9a40::/64")) == {"2a02:8109:9a40::/64"}
    here.clear()
    record("interference", cases=2, lock_outs=0, strangers=0)
    assert fake.items("friends") == {ALICE: "by hand", "2a02:8109:9a40::5": None}


def test_clearing_leaves_a_list_that_others_came_to_use_meanwhile(fake: FakeCloudflare) -> None:
    here = target(fake)
    keep(here, ALICE)
    coming = Meanwhile(lambda: fake.plant("friends", BOB, THERE), after=True)
    fake.faults.add(coming, on="items.delete")
    here.clear()
    assert fake.items("friends") == {BOB: THERE}


def test_all_of_an_exclusive_list_is_ours(fake: FakeCloudflare) -> None:
    fake.add_list("friends", {ALICE: "by hand", BOB: None, "81.2.69.3": f"{HERE} {THERE}"})
    alone = target(fake, exclusive=True)
    assert alone.read().others == frozenset()
    fake.forget()
    assert held(keep(alone, ALICE, "81.2.69.4")) == {ALICE, "81.2.69.4"}
    assert [one.name for one in fake.writes] == ["items.create", "items.delete"]
    assert fake.items("friends") == {ALICE: "by hand", "81.2.69.4": HERE}
    fake.forget()
    keep(alone, ALICE, "81.2.69.4")
    assert fake.writes == []
    keep(alone)
    assert fake.items("friends") == {}


def test_a_mark_that_goes_is_looked_for_where_the_reply_was_lost(fake: FakeCloudflare) -> None:
    here, attic = target(fake), target(fake, owner="attic")
    keep(here, ALICE)
    keep(attic, ALICE)
    fake.faults.add(CutConnection(applied=True), on="items.create")
    assert held(keep(here)) == set()
    assert fake.items("friends") == {ALICE: THERE}
