"""The promises of every backend for failing files, connections and programs, as tests."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError, OutcomeUnknown
from allowsync.model.types import by_network
from allowsync.testing.contract_target import ContractTarget, spread
from allowsync.testing.example_networks import networks
from allowsync.testing.io_faults import (
    failing_programs,
    io_pause,
    io_watch,
    killed_programs,
    unreadable_programs,
)

if TYPE_CHECKING:
    from allowsync.model.types import Network


class FaultContract(ContractTarget):
    """The part of `allowsync.testing.contract.BackendContract` with faults."""

    def test_a_reading_that_fails_is_an_error_and_not_empty(self) -> None:
        self.put(self.some())
        for _ in self._faults(lambda: self.make().read()):
            with suppress(BackendError):
                assert networks(self.make().read()) == self.some()

    def test_output_that_is_not_understood_is_an_error_and_not_empty(self) -> None:
        self.put(self.some())
        with io_watch() as watch:
            self.make().read()
        for name in sorted(watch.programs):
            with unreadable_programs([name]), suppress(BackendError):
                assert networks(self.make().read()) == self.some(), f"of {name}"

    def test_a_check_that_fails_raises_nothing(self) -> None:
        self.put(self.some())
        for _ in self._faults(lambda: self.make().check()):
            self.make().check()

    def test_a_check_says_that_a_target_cannot_be_read(self) -> None:
        self.put(self.some())
        with io_watch() as watch:
            self.make().read()
        for name in sorted(watch.programs):
            with failing_programs([name]):
                try:
                    self.make().read()
                except BackendError:
                    assert self.make().check(), f"no word of {name}"

    def test_an_apply_that_fails_says_so_and_never_leaves_less(self) -> None:
        before, wanted = self.some(2), [one for one in self.some(3) if one not in self.some(1)]
        atomic = self.capabilities.atomic

        def change() -> None:
            with io_pause():
                self.put(before)
                backend = self.make()
                plan = self.plan(backend.read(), wanted)
            backend.apply(plan)

        for _ in self._faults(change):
            done = False
            with suppress(BackendError):
                change()
                done = True
            with io_pause():
                held = set(networks(self.make().read()))
                assert not done or held == set(wanted), "it says that it was done"
                assert held >= set(before) or held >= set(wanted), "removed before added"
                assert not atomic or held in (set(before), set(wanted)), "done in part, but atomic"
                assert networks(self.put(wanted)) == wanted, "it does not heal"

    def test_an_apply_that_was_killed_once_done_does_not_say_that_it_was_not(self) -> None:
        before, wanted = self.some(2), [one for one in self.some(3) if one not in self.some(1)]
        self.put(before)
        with io_watch() as watch:
            self._apply(wanted)
        for number in spread(len(watch.starts), self.faults):
            self.put(before)
            failed = False
            with killed_programs(watch.programs, number), suppress(OutcomeUnknown):
                try:
                    self._apply(wanted)
                except OutcomeUnknown:
                    raise
                except BackendError:
                    failed = True
            held = networks(self.make().read())
            assert not failed or held != sorted(wanted, key=by_network), "it was done"

    def _apply(self, wanted: list[Network]) -> None:
        backend = self.make()
        with io_pause():
            plan = self.plan(backend.read(), wanted)
        backend.apply(plan)

    def test_a_clear_that_fails_says_so_and_leaves_what_is_foreign(self) -> None:
        self.plant()
        self.put(self.some())
        before = self.foreign()
        for _ in self._faults(self.make().clear, again=lambda: self.put(self.some())):
            with io_pause():
                self.put(self.some())
                backend = self.make()
            cleared = False
            with suppress(BackendError):
                backend.clear()
                cleared = True
            with io_pause():
                assert not cleared or self.make().read().entries == frozenset()
                self.make().clear()
                assert self.make().read().entries == frozenset(), "it does not heal"
                assert self.foreign() == before
