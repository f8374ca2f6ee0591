"""Whatever happens, in whatever order, some things never do."""

from __future__ import annotations

import shutil
import tempfile
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from allowsync.model.answer import Absent, Answer, Unavailable
from allowsync.model.outcome import Outcome
from allowsync.model.types import Basis
from tests.properties.ledger import Ledger
from tests.support.sampling import share
from tests.support.scoreboard import record
from tests.support.values import found, host, net
from tests.support.world import FRIENDS, World, only_target

if TYPE_CHECKING:
    from allowsync.plan.result import RunReport

MINUTES = st.sampled_from([0, 5, 5, 5, 20, 61, 24 * 60 - 1, 26 * 60, -1, -180, -3 * 24 * 60])
LABELS = st.sampled_from(FRIENDS)
REJECTED = ("10.0.0.1", "100.64.0.1", "127.0.0.1", "203.0.113.1", "224.0.0.1")
SILENT: tuple[Answer, ...] = (
    Unavailable("SERVFAIL"),
    Unavailable("no answer in 3 s"),
    Unavailable("rejected", suspicious=True),
    found(*REJECTED[:2]),
    found(*(f"45.9.9.{n}" for n in range(1, 9))),
)


def home_of(label: str, number: int) -> str:
    return f"81.2.{FRIENDS.index(label)}.{number}"


class Life(RuleBasedStateMachine):
    """Four friends, a DNS, a firewall, a clock, an administrator, and somebody else."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="allowsync-life-"))
        self.world = World(self.folder)
        self.ledger = Ledger()
        self.numbers = count(1)
        for label in FRIENDS:
            self.world.says[f"{label}.example.org"] = found(home_of(label, 1))

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @initialize(stranger=st.booleans())
    def begin(self, stranger: bool) -> None:
        """The first run may find entries of unknown origin."""
        if stranger:
            self.plant()
        self.run(5)

    @rule(label=LABELS, numbers=st.sets(st.integers(1, 3), min_size=1, max_size=2))
    def is_at(self, label: str, numbers: set[int]) -> None:
        self.world.says[f"{label}.example.org"] = found(*(home_of(label, n) for n in numbers))

    @rule(label=LABELS, bad=st.sampled_from(REJECTED))
    def is_at_home_and_nowhere(self, label: str, bad: str) -> None:
        self.world.says[f"{label}.example.org"] = found(home_of(label, 1), bad)

    @rule(label=LABELS, answer=st.sampled_from(SILENT))
    def says_nothing(self, label: str, answer: Answer) -> None:
        self.world.says[f"{label}.example.org"] = answer

    @rule(answer=st.sampled_from(SILENT))
    def all_say_nothing(self, answer: Answer) -> None:
        self.world.everybody(answer)

    @rule(label=LABELS, reason=st.sampled_from(["NXDOMAIN", "NODATA"]))
    def is_gone(self, label: str, reason: str) -> None:
        self.world.says[f"{label}.example.org"] = Absent(reason)

    @rule(label=LABELS)
    def leave(self, label: str) -> None:
        self.world.hosts.pop(label, None)
        self.ledger.secure.pop(label, None)

    @rule(label=LABELS, days=st.sampled_from([None, -1, 1]))
    def join(self, label: str, days: int | None) -> None:
        until = None if days is None else self.world.instant + timedelta(days=days)
        self.world.hosts[label] = host(label, until=until)

    @rule(label=LABELS)
    def move_in_for_good(self, label: str) -> None:
        fixed = net(f"93.184.{FRIENDS.index(label)}.0/24")
        self.world.hosts[label] = host(label, networks=(fixed,))

    @rule()
    def plant(self) -> None:
        number = next(self.numbers)
        address = f"6.6.{number // 250}.{number % 250 + 1}"
        self.world.plant(address)
        self.ledger.strangers.add(net(address))

    @rule()
    def flush(self) -> None:
        self.world.store.networks.clear()
        self.ledger.flushed()

    @rule()
    def lose_the_state(self) -> None:
        shutil.rmtree(self.folder / "lib", ignore_errors=True)
        self.ledger.lost()
        present = self.world.store.networks
        for label, (at, networks) in tuple(self.ledger.secure.items()):
            self.ledger.secure[label] = (at, networks & present)

    @rule(reading=st.booleans(), writing=st.booleans())
    def fail(self, reading: bool, writing: bool) -> None:
        self.world.store.fail_read = "told to" if reading else ""
        self.world.store.fail_apply = "told to" if writing else ""

    @rule(minutes=MINUTES)
    def run(self, minutes: int) -> None:
        self._run(minutes, offline=False)

    @rule(minutes=MINUTES)
    def boot(self, minutes: int) -> None:
        self._run(minutes, offline=True)

    def _run(self, minutes: int, *, offline: bool) -> RunReport:
        held = set(self.world.store.networks)
        self.ledger.before(self.world)
        report = self.world.run(after=timedelta(minutes=minutes), offline=offline)
        self.ledger.after(self.world, report, held)
        return report

    @rule(minutes=MINUTES)
    def run_dry(self, minutes: int) -> None:
        held, instant = set(self.world.store.networks), self.world.instant
        state = self.world.state.read_bytes() if self.world.state.exists() else None
        self.world.run(after=timedelta(minutes=minutes), dry_run=True)
        self.world.instant = instant
        assert self.world.store.networks == held
        assert (self.world.state.read_bytes() if self.world.state.exists() else None) == state

    @rule()
    def run_twice(self) -> None:
        first = self._run(5, offline=False)
        held = set(self.world.store.networks)
        if only_target(first).outcome not in (Outcome.APPLIED, Outcome.UNCHANGED):
            return
        second = self._run(0, offline=False)
        now = self.world.store.networks
        firm = {
            grant.network
            for decision in first.decisions.values()
            for grant in decision.grants
            if grant.basis in (Basis.FRESH, Basis.FIXED)
        }
        assert now <= held, "the second of two equal runs added something"
        assert firm <= now, "the second of two equal runs removed what the first one stood for"
        if held == firm:
            assert only_target(second).outcome is Outcome.UNCHANGED

    @invariant()
    def nobody_unbelievable_is_in(self) -> None:
        unbelievable = {net(one) for one in REJECTED}
        assert not self.world.store.networks & unbelievable
        assert not any(str(one).startswith("45.9.9.") for one in self.world.store.networks)


@pytest.mark.slow
def test_no_sequence_of_events_locks_a_friend_out_or_lets_a_stranger_in() -> None:
    examples = settings(max_examples=share(40, 20), stateful_step_count=30)
    run_state_machine_as_test(Life, settings=examples)
    record("lockouts", where="any sequence of events", count=0)
    record("strangers", where="any sequence of events", count=0)
