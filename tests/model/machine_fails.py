"""What befalls the model's machine: its firewalls, its state, and its clock."""

from __future__ import annotations

import shutil
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.model.holding import Backup
from tests.model.installation import FIREWALLS
from tests.model.life import LABELS, NUMBERS, SILENT, THEN, Life, home


class MachineFails(Life):
    """Firewalls are emptied or refuse changes, the state is lost or older, the clock is wrong."""

    @rule(then=THEN)
    def is_flushed(self, then: int) -> None:
        self.at.flush()
        self.account.flushed()
        self._runs(then)

    @rule(names=st.sets(st.sampled_from(FIREWALLS), min_size=1), then=THEN)
    def are_flushed(self, names: set[str], then: int) -> None:
        self.at.flush(names)
        self.account.flushed(names)
        self._runs(then)

    @rule(name=st.sampled_from(FIREWALLS), then=THEN)
    def cannot_be_changed(self, name: str, then: int) -> None:
        """A firewall is as it was, until others rule again."""
        self.at.stores[name].fail_apply = "no access"
        self._runs(then)

    @rule(then=THEN)
    def can_be_changed(self, then: int) -> None:
        for store in self.at.stores.values():
            store.fail_apply = ""
        self._runs(then)

    @rule(offline=st.booleans())
    def starts_anew(self, offline: bool) -> None:
        self.at.reboot()
        self.account.rebooted()
        self._run(1, offline=offline)

    @rule(whole=st.booleans(), then=THEN)
    def loses_its_state(self, whole: bool, then: int) -> None:
        if whole:
            shutil.rmtree(self.at.folder / "lib", ignore_errors=True)
        else:
            self.at.state.unlink(missing_ok=True)
        self.account.lost(self.at, whole=whole)
        self._runs(then)

    @rule()
    def keeps_a_backup(self) -> None:
        if self.at.state.exists():
            self.backup = self.at.state.read_bytes()
            known, unknown = frozenset(self.account.ever), frozenset(self.account.unknown)
            names = frozenset(self.at.labels)
            self.in_backup = Backup(known, unknown, self.account.latest, names)

    @rule(then=THEN)
    def puts_the_backup_back(self, then: int) -> None:
        """What was learnt since is known to firewalls alone, as after a lost state."""
        present = self.at.state.read_bytes() if self.at.state.exists() else b""
        if self.backup not in (b"", present):
            self.at.state.parent.mkdir(exist_ok=True)
            self.at.state.write_bytes(self.backup)
            self.account.lost(self.at)
            self.account.put_back(self.at, self.in_backup)
        self._runs(then)

    @rule(days=st.sampled_from([-30, -3, 0, 0, 0, 10]), then=THEN)
    def sets_its_clock(self, days: int, then: int) -> None:
        self.at.ahead = timedelta(days=days)
        self._runs(then)

    @rule(label=LABELS, number=NUMBERS, then=THEN)
    def has_the_state_before_a_move(self, label: str, number: int, then: int) -> None:
        """The older state knows nothing of the home that firewalls let in."""
        self._run(5)
        self.keeps_a_backup()
        self.at.says(self.name(label), home(label, number))
        self._run(5)
        self.all_are_silent(records=SILENT[0], then=0)
        self.puts_the_backup_back(then=then)

    @rule(names=st.sets(st.sampled_from(FIREWALLS), min_size=1), force=st.booleans())
    def is_emptied_after_silent_days(self, names: set[str], force: bool) -> None:
        """What is put up again lets in who was in last, with or without limits."""
        self.all_are_silent_for_days(records=SILENT[0])
        self.are_flushed(names=names, then=0)
        self._run(5, force=force)

    @rule(names=st.sets(st.sampled_from(FIREWALLS), min_size=1), whole=st.booleans(), then=THEN)
    def is_emptied_without_a_state(self, names: set[str], whole: bool, then: int) -> None:
        self.all_are_silent(records=SILENT[0], then=0)
        self.loses_its_state(whole=whole, then=0)
        self.are_flushed(names=names, then=then)

    @rule(minutes=st.sampled_from([5, 16, 23 * 60]))
    def runs_with_force(self, minutes: int) -> None:
        """No limit holds, and every promise but that of limits does."""
        self._run(minutes, force=True)
