"""Reading and writing the memory, in the nouns of the core: the transactions of a run.

The SQL of a table is in the module for its contents (`host_memory`, `changes`, `history`…). No
other package uses SQLite.

A run writes twice: before anything is applied (`intend`), so that the intended changes survive a
crash in between; and afterwards (`confirm`). One that applies nothing writes once, at its end.
"""

from __future__ import annotations

import os

from allowsync.model.clock import Chronology
from allowsync.model.networks import parsed
from allowsync.policy.sightings import Ledger
from allowsync.state.access_log import open_stays, read_uses, write_turns
from allowsync.state.changes import (
    KEEP_HISTORY,
    Known,
    forget_cleared,
    forget_meant,
    forget_unconfirmed,
    prune,
    write_changes,
    write_end,
    write_learnt,
    write_unconfirmed,
)
from allowsync.state.codec import (
    MICROSECOND,
    instant,
    number,
    read_ends,
    read_target,
    read_targets,
    text,
    write_entries,
    write_target,
)
from allowsync.state.evidence import read_chronology, read_ledger
from allowsync.state.files import (
    as_owner,
    cut_short,
    forget_runs,
    note_run,
    noted_runs,
)
from allowsync.state.host_memory import approve_names, read_hosts
from allowsync.state.schema import Database, guarded, open_for_writing, transaction
from allowsync.typed import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from datetime import datetime, timedelta
    from pathlib import Path

    from allowsync.model.access_order import Order, StandingOrders
    from allowsync.model.memory import HostMemory, TargetMemory
    from allowsync.model.notification import QueuedNotification, ReportedCondition
    from allowsync.model.types import Network
    from allowsync.policy.published import SourceRecord
    from allowsync.state.access_log import Uses
    from allowsync.state.history import Past
    from allowsync.state.records import (
        EntryChange,
        RecordedRun,
        RunRecord,
        TargetRecord,
        TargetTransition,
    )


class Store(Database):
    """The state database of one installation.

    Every method raises `StateUnwritable` when the database cannot be written (or read) and
    `StateDamaged` when its contents are invalid. A store without a file (`Store.reading` where
    there is none) is empty.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection | None, user: int | None = None
    ) -> None:
        super().__init__(path, connection, user)
        self._run = self._started = 0
        # Memory as read and unchanged in the database: most of it need not be written then.
        self._hosts: dict[str, HostMemory] | None = None
        self._ledger: Ledger | None = None
        self._targets: dict[str, TargetMemory] = {}

    @classmethod
    def writing(cls, path: Path) -> Self:
        """Open for a run that writes; the caller holds the lock."""
        emptied = cut_short(path)
        with as_owner(path) as acting:
            store = cls(path, open_for_writing(path), acting.user)
        store.lost = emptied
        if store.user != os.geteuid():
            # Late imports of methods: an installation below /root is closed to other users.
            import hashlib  # noqa: F401

            from allowsync.state import (  # noqa: F401
                access_orders,
                history,
                notifications,
                published_networks,
            )
        return store

    @classmethod
    def reading(cls, path: Path) -> Self:
        """Open for a dry run or a report: nothing is written, not even a missing file."""
        from allowsync.state.private_copy import open_for_reading

        emptied, store = cut_short(path), cls(path, open_for_reading(path))
        store.lost = emptied
        return store

    @guarded
    def last_run(self) -> RecordedRun | None:
        """The latest recorded run."""
        from allowsync.state.history import latest_run

        return None if self._connection is None else latest_run(self._connection)

    @guarded
    def hosts(self) -> dict[str, HostMemory]:
        """The memory of every host."""
        if self._connection is None:
            return {}
        self._hosts = read_hosts(self._connection)
        return self._hosts

    @guarded
    def targets(self) -> dict[str, TargetRecord]:
        """Every target that was ever applied to and not cleared since."""
        return {} if self._connection is None else read_targets(self._connection)

    @guarded
    def orphaned(self) -> frozenset[str]:
        """The targets among these that were not configured at the last complete run."""
        return frozenset(text(name) for (name,) in self._rows("SELECT target FROM orphaned"))

    @guarded
    def unsettled(self) -> frozenset[str]:
        """Targets whose last change has an unknown outcome."""
        return frozenset(text(name) for (name,) in self._rows("SELECT DISTINCT target FROM meant"))

    @guarded
    def ends(self) -> dict[str, datetime]:
        """The end of hosts' access by the configuration of the last run, and by command."""
        return {} if self._connection is None else read_ends(self._connection)

    @guarded
    def target(self, name: str) -> TargetMemory | None:
        """The memory of a target; None when nothing was ever applied there."""
        known = None if self._connection is None else read_target(self._connection, name)
        if known is not None:
            self._targets[name] = known
        return known

    @guarded
    def ledger(self) -> Ledger:
        """The sightings."""
        if self._connection is None:
            return Ledger()
        self._ledger = read_ledger(self._connection)
        return self._ledger

    @guarded
    def chronology(self) -> Chronology:
        """The remembered clock readings."""
        return Chronology() if self._connection is None else read_chronology(self._connection)

    @guarded
    def published(self) -> dict[str, SourceRecord]:
        """The last records of network sources."""
        rows = self._rows("SELECT source, networks, fetched, tried, url, trouble FROM published")
        if rows:
            from allowsync.state.published_networks import published_of
        return published_of(rows) if rows else {}

    @guarded
    def open_stays(self) -> dict[str, set[str]]:
        """The networks each host is allowed from by the history, in CIDR form."""
        return {} if self._connection is None else open_stays(self._connection)

    @guarded
    def open_networks(self) -> dict[str, set[Network]]:
        """The same, as networks."""
        stays = self.open_stays().items()
        return {text(host): set(map(parsed, networks)) for host, networks in stays}

    @guarded
    def uses(self, target: str) -> Uses:
        """The start of a target's counting for each host, the last packets, and the counts."""
        return ({}, {}) if self._connection is None else read_uses(self._connection, target)

    @guarded
    def past(self, since: datetime) -> Past:
        """The history since an instant."""
        from allowsync.state.history import Past, read_past

        return Past() if self._connection is None else read_past(self._connection, since)

    @guarded
    def hosts_on_record(self) -> set[str]:
        """Every host in the history."""
        from allowsync.state.history import hosts_on_record

        return set() if self._connection is None else hosts_on_record(self._connection)

    @guarded
    def run_before(self, at: datetime) -> datetime | None:
        """The last run that had started at an instant; None when none is recorded."""
        from allowsync.state.history import run_before

        return None if self._connection is None else run_before(self._connection, at)

    @guarded
    def intend(self, record: RunRecord, *, hold: bool = False) -> None:
        """Record a run's knowledge and intended changes. Durable when it returns.

        With `hold` it is durable only once `finish` returns: for a run that applies nothing.
        """
        with transaction(connection := self._writable(), hold=hold):
            known = Known(self._hosts, self._ledger, self._targets)
            self._hosts, self._ledger, self._targets = None, None, {}
            self._started = number(record.started)
            self._run = write_learnt(connection, record, known)

    @guarded
    def forgotten_run(self) -> datetime | None:
        """The latest instant of a run that is marked but not recorded: the state is older, or new.

        None where every marked run is recorded.
        """
        known = "SELECT 1 FROM runs WHERE started = ?"
        noted = noted_runs(self.path)
        forgotten = [latest for started, latest in noted if not self._rows(known, started)]
        return instant(max(forgotten)) if forgotten else None

    def note_run(self, latest: datetime, *, recorded: bool = True) -> None:
        """Mark outside the database that this run is recorded; else that one before it is not.

        Args:
            latest: The latest instant that the clock ever showed.
            recorded: False where this state took another one's place.
        """
        at = self._started - (not recorded)
        note_run(self.path, self.user, at, max(number(latest), at))

    def forget_runs(self) -> None:
        """Delete the marks of runs outside the database."""
        forget_runs(self.path, self.user)

    def note_kept_run(self, since: datetime) -> None:
        """Mark the last run, which was confirmed, if it is no older than an instant.

        Raises:
            StateError: The last run cannot be read.
        """
        if (last := self.last_run()) is not None and last.started >= since:
            self._started = number(last.started)
            self.note_run(self.chronology().latest or last.started)

    @guarded
    def confirm(
        self,
        targets: Iterable[tuple[str, TargetMemory]],
        changes: Iterable[EntryChange],
        at: datetime,
        told: Iterable[str] = (),
    ) -> None:
        """Record the present entries of the targets, and the changes.

        For a target that is not among those `told`, the next run that reads it determines the
        outcome of its intended changes.
        """
        self._targets = {}
        with transaction(connection := self._writable()):
            for name, memory in targets:
                write_entries(connection, name, memory)
            write_changes(connection, changes, at)
            forget_meant(connection, told)

    @guarded
    def finish(
        self,
        seconds: float,
        exit_code: int,
        problems: Iterable[str],
        turns: Iterable[TargetTransition] = (),
        keep: timedelta = KEEP_HISTORY,
    ) -> None:
        """Close the record of the run.

        Args:
            seconds: Its duration.
            exit_code: Its exit code.
            problems: Its problems, as text.
            turns: The outcomes of its targets.
            keep: The retention of the history.
        """
        with transaction(connection := self._writable()):
            write_end(connection, self._run, seconds, exit_code, problems)
            write_turns(connection, turns)
            prune(connection, self._started - keep // MICROSECOND)

    @guarded
    def approve(self, host: str, hostnames: Iterable[str], at: datetime) -> None:
        """Approve names that were absent for long; their absence starts anew."""
        with transaction(connection := self._writable()):
            self._hosts = self._ledger = None
            approve_names(connection, host, hostnames, at)

    @guarded
    def orders(self) -> StandingOrders | None:
        """The access orders in force; None where there are none."""
        rows = self._rows("SELECT * FROM orders WHERE typeof(over) IS NOT 'integer' ORDER BY id")
        if rows:
            from allowsync.state.access_orders import orders_of
        return orders_of(rows) if rows else None

    @guarded
    def give(self, order: Order) -> None:
        """Record an order. Durable."""
        from allowsync.state.access_orders import write_order

        with transaction(connection := self._writable()):
            write_order(connection, order)

    @guarded
    def unconfirmed(self) -> dict[str, datetime]:
        """Targets whose last change was not confirmed, with the time of the change."""
        rows = self._rows("SELECT target, at FROM unconfirmed")
        return {one: instant(at) for one, at in rows}

    @guarded
    def set_unconfirmed(self, targets: Iterable[str], at: datetime) -> None:
        """Mark the change of targets as pending confirmation. Durable."""
        with transaction(connection := self._writable()):
            write_unconfirmed(connection, targets, at)

    @guarded
    def set_confirmed(self, targets: Iterable[str]) -> None:
        """Remove the mark of a pending confirmation from targets."""
        with transaction(connection := self._writable()):
            forget_unconfirmed(connection, targets)

    @guarded
    def keep_target(self, target: TargetRecord, memory: TargetMemory) -> None:
        """Record a target and its entries. Durable."""
        with transaction(connection := self._writable()):
            write_target(connection, target, memory)

    @guarded
    def forget_target(self, name: str, at: datetime) -> None:
        """Delete a target that was cleared at an instant; the history records what it held."""
        with transaction(connection := self._writable()):
            forget_cleared(connection, name, at)

    @guarded
    def told(self) -> tuple[ReportedCondition, ...]:
        """The reported conditions."""
        if self._connection is None:
            return ()
        from allowsync.state.notifications import read_told

        return read_told(self._connection)

    @guarded
    def outbox(self) -> tuple[QueuedNotification, ...]:
        """The notifications pending delivery."""
        if self._connection is None:
            return ()
        from allowsync.state.notifications import read_outbox

        return read_outbox(self._connection)

    @guarded
    def keep_post(
        self, all_told: Iterable[ReportedCondition] | None, letters: Iterable[QueuedNotification]
    ) -> None:
        """Record the reported conditions (None: unchanged) and the pending notifications."""
        from allowsync.state.notifications import write_outbox, write_told

        with transaction(connection := self._writable()):
            if all_told is not None:
                write_told(connection, all_told)
            write_outbox(connection, letters)

    @guarded
    def last_good_run(self) -> datetime | None:
        """The start of the latest run that left every target in sync."""
        rows = self._rows("SELECT max(started) FROM runs WHERE exit_code IN (0, 3)")
        return None if not rows or rows[0][0] is None else instant(rows[0][0])
