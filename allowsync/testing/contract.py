"""The promises of every backend, as tests.

Subclass `BackendContract` in a test module of your backend and set its type, the options of a
target, and the foreign entries around it:

    class TestMyBackend(BackendContract):
        type = TYPE

        def options(self) -> MyOptions:
            return MyOptions(self.target.name)

        def plant(self) -> Iterable[Network]:
            self.target.add("203.0.113.9", comment="by hand")
            return [ip_network("203.0.113.9")]

        def foreign(self) -> object:
            return [one for one in self.target.list() if one.comment == "by hand"]

pytest runs every test once for each subclass. Provide a fresh target for each test, in a fixture
with `autouse=True`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from allowsync.backend.api import API, BackendError, BackendType
from allowsync.backend.declared import proxies_of
from allowsync.backend.driver import Driver
from allowsync.engine.rollback.snapshot import kept
from allowsync.model.networks import overlap
from allowsync.model.plan import Plan
from allowsync.model.target import Placement
from allowsync.model.types import BOTH_FAMILIES, Entry, Family, by_network
from allowsync.testing.change_contract import ChangeContract
from allowsync.testing.example_networks import (
    NARROW,
    WIDE,
    entries,
    lowest_address,
    networks,
    nth,
    supernet,
)
from allowsync.testing.fault_contract import FaultContract
from allowsync.testing.io_faults import io_watch

if TYPE_CHECKING:
    from allowsync.backend.protocols import Backend
    from allowsync.model.target import Current


class BackendContract(ChangeContract, FaultContract):
    """The promises of `allowsync.backend.Backend`. Set `type`; override the hooks that apply."""

    # Not collected itself: its name does not begin with "Test", those of subclasses do.

    def test_what_was_applied_is_read_and_has_no_flaw(self) -> None:
        after = self.put(self.some())
        assert networks(after) == self.some()
        assert after.flaws == ()

    def test_a_new_target_holds_nothing(self) -> None:
        assert self.make().read().entries == frozenset()

    def test_an_entry_can_be_added_kept_and_removed(self) -> None:
        first, second, third = (self.some(3)[n] for n in (0, 1, 2))
        self.put([first, second])
        assert networks(self.put([second, third])) == [second, third]

    def test_an_allowlist_can_become_empty_and_be_filled_again(self) -> None:
        self.put(self.some())
        emptied = self.put([])
        assert (networks(emptied), emptied.flaws) == ([], ())
        assert networks(self.put(self.some())) == self.some()

    def test_withheld_entries_stay(self) -> None:
        first, second = self.some(2)[:2]
        self.put([first])
        plan = Plan("contract", add=entries([second]), withheld=entries([first]))
        self.make().apply(plan)
        assert networks(self.make().read()) == sorted([first, second], key=by_network)

    def test_applying_the_same_plan_twice_is_like_applying_it_once(self) -> None:
        self.put(self.some(3))
        wanted = self.some(3)[1:]
        gone = self.some(3)[:1]
        extra = nth(Family.of(gone[0]), 77, gone[0].prefixlen)
        plan = Plan("contract", add=entries([extra]), remove=entries(gone), keep=entries(wanted))
        for _ in range(2):
            self.make().apply(plan)
            assert networks(self.make().read()) == sorted([*wanted, extra], key=by_network)

    def test_what_was_applied_can_be_put_back(self) -> None:
        """`apply --confirm` does so when it is not confirmed."""
        before, wanted = kept("contract", _driver(self.make())), self.some(3)
        self.put(wanted)
        between = kept("contract", _driver(self.make()))
        assert not between.put_back(), "nothing differed"
        self.put(wanted[1:])
        assert between.put_back()
        assert networks(self.make().read()) == sorted(wanted, key=by_network)
        assert before.put_back()
        assert networks(self.make().read()) == []

    def test_an_idle_plan_changes_nothing(self) -> None:
        self.put(self.some())
        before = self.fingerprint()
        self.make().apply(Plan("contract", keep=entries(self.some())))
        assert self.fingerprint() == before

    def test_reading_and_checking_change_nothing(self) -> None:
        self.put(self.some())
        before = self.fingerprint()
        self.make().read()
        self.make().check()
        proxies_of(_driver(self.make()))
        assert self.fingerprint() == before

    def test_checking_a_target_that_was_never_applied_raises_nothing(self) -> None:
        for finding in self.make().check():
            assert finding.what

    def test_a_new_backend_knows_what_an_old_one_put_there(self) -> None:
        self.put(self.some())
        assert networks(self.make().read()) == self.some()
        assert networks(self.put(self.some()[:1])) == self.some()[:1]

    def test_every_look_is_a_fresh_one(self) -> None:
        """A run that reads again uses the same backend."""
        backend = self.make()
        assert networks(backend.read()) == []
        for wanted in (self.some(), self.some()[:1]):
            self.put(wanted)
            assert networks(backend.read()) == wanted

    def test_clear_removes_everything_and_can_be_repeated(self) -> None:
        self.put(self.some())
        self.make().clear()
        assert self.make().read().entries == frozenset()
        self.make().clear()
        assert self.make().read().entries == frozenset()

    def test_clearing_a_target_that_was_never_applied_is_no_error(self) -> None:
        self.make().clear()
        assert self.make().read().entries == frozenset()

    def test_a_cleared_target_can_be_applied_again(self) -> None:
        self.put(self.some())
        self.make().clear()
        assert networks(self.put(self.some())) == self.some()

    def test_what_is_foreign_is_never_touched(self) -> None:
        self.plant()
        before = self.foreign()
        self.put(self.some())
        assert self.foreign() == before
        self.put(self.some()[:1])
        assert self.foreign() == before
        self.make().clear()
        assert self.foreign() == before

    def test_what_is_foreign_is_never_read_as_ours(self) -> None:
        self.plant()
        assert self.make().read().entries == frozenset()

    def test_the_networks_of_strangers_at_the_same_place_are_named(self) -> None:
        planted = set(self.plant())
        assert planted <= self.make().read().others
        assert planted <= self.put(self.some()).others

    def test_a_strangers_entry_that_goes_by_itself_gives_way_to_ours_alone(self) -> None:
        planted = self.plant_temporary()
        if planted is None:
            assert self.make().read().temporary == frozenset()
            return
        for current in (self.make().read(), self.put(self.some()), self._cleared()):
            assert planted in current.temporary - current.others
        after = self.put([planted])
        assert networks(after) == [planted]
        assert planted not in after.temporary | after.others

    def test_the_rest_of_a_strangers_entry_that_goes_by_itself_stays(self) -> None:
        planted = self.plant_temporary()
        if planted is None or not self.capabilities.holds(ours := lowest_address(planted)):
            return
        after = self.put([ours])
        assert networks(after) == [ours]
        rest = [one for one in after.temporary - after.others if overlap(one, planted)]
        left = sum(one.num_addresses for one in rest)
        assert left == planted.num_addresses - 1, "the rest of it is gone, or goes no more"

    def _cleared(self) -> Current:
        self.make().clear()
        return self.make().read()

    def test_something_foreign_was_planted(self) -> None:
        before = self.foreign()
        self.plant()
        assert self.foreign() != before, "foreign() does not see what plant() put there"

    def test_an_allowlist_whose_name_begins_alike_is_another_one(self) -> None:
        ours, *theirs = self.some(3)
        other = self.neighbour()
        if other is None:
            return
        other.apply(self.plan(other.read(), theirs))
        assert self.make().read().entries == frozenset()
        assert networks(self.put([ours])) == [ours]
        self.make().clear()
        assert networks(other.read()) == theirs
        self.put([ours])
        other.clear()
        assert networks(self.make().read()) == [ours]

    def test_what_went_missing_of_the_final_entries_is_put_back(self) -> None:
        """Part of an earlier attempt, or a change since the target was read.

        Only for a plan that repairs: without a flaw, a backend may use `add` and `remove` alone,
        and the next run finds that a kept entry has vanished.
        """
        first, second, third = self.some(3)[:3]
        self.put([first])
        plan = Plan(
            "contract",
            add=entries([third]),
            keep=entries([first, second]),
            repair=("entries went missing",),
        )
        asked_for_a_fresh_look = False
        try:
            self.make().apply(plan)
        except BackendError as error:
            asked_for_a_fresh_look = error.again
        held = networks(self.make().read())
        assert asked_for_a_fresh_look or held == [first, second, third]

    @pytest.mark.parametrize("family", BOTH_FAMILIES, ids=lambda family: family.value)
    def test_the_widest_and_the_narrowest_networks_it_names_are_held(self, family: Family) -> None:
        capabilities = self.capabilities
        if family not in capabilities.families:
            assert not capabilities.holds(NARROW[family])
            return
        shortest, longest = capabilities.prefixes[family]
        narrow = nth(family, 5, longest)
        wide = supernet(nth(family, 0, longest), shortest)
        if wide != nth(family, 0, longest):
            assert networks(self.put([wide])) == [wide]
        assert networks(self.put([narrow])) == [narrow]

    @pytest.mark.parametrize("family", BOTH_FAMILIES, ids=lambda family: family.value)
    def test_a_wide_network_and_a_narrow_one_replace_each_other(self, family: Family) -> None:
        capabilities = self.capabilities
        if not (capabilities.holds(WIDE[family]) and capabilities.holds(NARROW[family])):
            assert family not in capabilities.families or (
                capabilities.prefixes[family][0] > WIDE[family].prefixlen
            )
            return
        aside = nth(family, 9, capabilities.prefixes[family][1])
        for wanted in (WIDE, NARROW, WIDE):
            after = self.put([wanted[family], aside])
            assert networks(after) == sorted([wanted[family], aside], key=by_network)
            assert after.flaws == ()

    @pytest.mark.parametrize("family", BOTH_FAMILIES, ids=lambda family: family.value)
    def test_entries_that_cover_each_other_are_held_where_it_says_so(self, family: Family) -> None:
        both = [one[family] for one in (WIDE, NARROW) if self.capabilities.holds(one[family])]
        if self.capabilities.overlaps:
            assert networks(self.put(both)) == both
            assert networks(self.put(both[1:])) == both[1:]

    def test_neighbours_stay_apart(self) -> None:
        capabilities = self.capabilities
        family = capabilities.families[0]
        row = [nth(family, number, capabilities.prefixes[family][1]) for number in range(8)]
        assert networks(self.put(row)) == row
        assert networks(self.put(row[::2])) == row[::2]

    def test_as_many_entries_as_it_says_are_held(self) -> None:
        """A thousand without a bound; with a bound, as many as `most` allows."""
        many = self.full()
        assert self.capabilities.excess(many) == ""
        assert networks(self.put(many)) == sorted(many, key=by_network)
        assert networks(self.put(many[:3])) == sorted(many[:3], key=by_network)

    def test_whose_an_entry_is_is_read_where_it_is_written(self) -> None:
        network, other = self.some()[:2]
        self.put([network, other])
        for hosts, replaced in ((("alice",), ()), (("alice", "bob"), ("bob",)), (("bob",), ())):
            told = replaced if self.capabilities.replaced else ()
            mine, theirs = Entry(network, hosts, told), Entry(other, ("carol",))
            self.make().apply(Plan("contract", keep=(mine, theirs), repair=("whose it is",)))
            after = self.make().read()
            assert networks(after) == sorted([network, other], key=by_network)
            assert {mine, theirs} <= after.entries or not self.capabilities.labels

    def test_more_hosts_than_a_label_has_room_for_are_no_error(self) -> None:
        network = self.some()[0]
        hosts = tuple(f"host-{number:02}-of-a-shared-connection" for number in range(40))
        self.put([network])
        self.make().apply(Plan("contract", keep=(Entry(network, hosts),), repair=("whose it is",)))
        assert networks(self.make().read()) == [network]

    def test_damage_is_noticed_and_repaired(self) -> None:
        self.put(self.some())
        if not self.damage():
            assert self.make().read().flaws == ()
            return
        assert self.make().read().flaws
        after = self.put(self.some())
        assert (networks(after), after.flaws) == (self.some(), ())

    def test_making_a_backend_touches_nothing(self) -> None:
        self.make()
        with io_watch() as watch:
            self.make()
        assert watch.touched == []


def _driver(backend: Backend) -> Driver:
    """A backend as the core uses it."""
    kind = BackendType("contract", "", object, lambda _placement, _options: backend, api=API)
    return Driver(kind, Placement("contract", "contract/tested"), None)
