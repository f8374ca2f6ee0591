"""The promises of every backend for changes by others, and for what it declares, as tests."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from allowsync.backend.api import BackendError, OutcomeUnknown
from allowsync.model.plan import Plan
from allowsync.model.types import by_network
from allowsync.testing.contract_target import ContractTarget
from allowsync.testing.example_networks import entries, lowest_address, networks
from allowsync.testing.io_faults import io_pause, io_watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from allowsync.model.types import Network


class ChangeContract(ContractTarget):
    """The part of `allowsync.testing.contract.BackendContract` with changes by others."""

    def test_a_target_that_vanished_is_not_read_as_an_empty_one(self) -> None:
        self.put(self.some())
        if not self.vanish():
            assert networks(self.make().read()) == self.some()
            return
        try:
            current = self.make().read()
        except BackendError:
            assert self.make().check(), "check() reports nothing"
        else:
            assert networks(current) != self.some(), "vanish() removed no entry"
            assert current.flaws, "read() reports neither an error nor a flaw"

    def test_the_rest_of_a_temporary_entry_expires_when_all_of_it_would_have(self) -> None:
        planted = self.plant_temporary()
        if planted is None or not self.capabilities.holds(ours := lowest_address(planted)):
            return
        before = list(self.times_left())
        assert before, "times_left() does not see what plant_temporary() added"
        self.put([ours])
        self.put([ours, *(one for one in self.some() if one.version != ours.version)])
        for left in self.times_left():
            assert left <= max(before), "the rest of it stays longer"
            assert left >= min(before) / 2, "the rest of it expires too early"

    @pytest.mark.parametrize("steps", [1, 2])
    def test_a_change_by_others_during_an_apply_is_no_error_or_asks_for_a_retry(
        self, steps: int
    ) -> None:
        """They change something before the last steps of an apply that do more than read."""
        before, wanted = self.some(2), self.some(3)[1:]
        with io_watch() as watch:
            self._replace(before, wanted)()
        apply = self._replace(before, wanted)
        taken = [number for number, one in enumerate(watch.steps, 1) if not one.reads]
        if len(taken) < steps:
            return
        with io_watch(taken[-steps], self._plant_aside):
            try:
                apply()
            except BackendError as error:
                if not (error.again or isinstance(error, OutcomeUnknown)):
                    pytest.fail(f"a retry may help, so `again` has to be True: {error}")
        assert networks(self.put(wanted)) == sorted(wanted, key=by_network)

    def _replace(self, before: list[Network], wanted: list[Network]) -> Callable[[], None]:
        """An apply that replaces some networks by others."""
        with io_pause():
            self.put(before)
            backend = self.make()
            plan = self.plan(backend.read(), wanted)
        return lambda: backend.apply(plan)

    def _plant_aside(self) -> None:
        with io_pause():
            self.plant()

    def test_the_files_it_writes_are_among_its_needs(self) -> None:
        """Under systemd it may write to no others, but to temporary files."""
        if self.type is None:
            return
        with _temporary_files() as aside, io_watch() as watch:
            backend = self.make()
            backend.apply(Plan("contract", add=entries(self.some())))
            backend.check()
            backend.clear()
        needs = self._type.needs(self.options())
        allowed = (aside, "/dev", "/proc", *needs.writes)
        outside = {one for one in watch.written if not any(map(Path(one).is_relative_to, allowed))}
        assert outside == set(), "missing in `Needs.writes` of the type's `needs`"


@contextmanager
def _temporary_files() -> Iterator[str]:
    """Keep temporary files in a folder of their own."""
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory() as folder:
        tempfile.tempdir = folder
        try:
            yield folder
        finally:
            tempfile.tempdir = before
