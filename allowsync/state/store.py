"""Reading and writing what is remembered, in the nouns of the core: the transactions of a run.

The SQL of a table is in the module of what the table holds (`host_memory`, `changes`, `history`…).
No other package sees SQLite.

A run writes twice: before anything is applied (`intend`), so that a crash in between is remembered
as what was meant; and afterwards (`confirm`). One that applies nothing writes once, at its end.
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
    `StateDamaged` when what it holds makes no sense. A store without a file (`Store.reading` where
    there is none) knows nothing.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection | None, user: int | None = None
    ) -> None:
        super().__init__(path, connection, user)
        self._run = self._started = 0
        # What was read and is in the database unchanged: most of it need not be written then.
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
            # What methods import late: an installation below /root is closed to other users.
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

        emptied = cut_short(path)
        store = cls(path, open_for_reading(path))
        store.lost = emptied
        return store

    @guarded
    def last_run(self) -> RecordedRun | None:
        """The latest recorded run."""
        from allowsync.state.history import latest_run

        return None if self._connection is None else latest_run(self._connection)

    @guarded
    def hosts(self) -> dict[str, HostMemory]:
        """What is remembered of every host."""
        if self._connection is None:
            return {}
        self._hosts = read_hosts(self._connection)
        return self._hosts

    @guarded
    def targets(self) -> dict[str, TargetRecord]:
        """Every target something was ever put into and that was not cleared since."""
        return {} if self._connection is None else read_targets(self._connection)

    @guarded
    def orphaned(self) -> frozenset[str]:
        """Those of them that were not configured any more at the last run for all."""
        return frozenset(text(name) for (name,) in self._rows("SELECT target FROM orphaned"))

    @guarded
    def unsettled(self) -> frozenset[str]:
        """Targets of which it is not known what came of their last change."""
        return frozenset(text(name) for (name,) in self._rows("SELECT DISTINCT target FROM meant"))

    @guarded
    def ends(self) -> dict[str, datetime]:
        """When the access of hosts ends by the configuration of the last run, and by command."""
        return {} if self._connection is None else read_ends(self._connection)

    @guarded
    def target(self, name: str) -> TargetMemory | None:
        """What is remembered of a target; None when nothing was ever put there."""
        known = None if self._connection is None else read_target(self._connection, name)
        if known is not None:
            self._targets[name] = known
        return known

    @guarded
    def ledger(self) -> Ledger:
        """What guards have on record."""
        if self._connection is None:
            return Ledger()
        self._ledger = read_ledger(self._connection)
        return self._ledger

    @guarded
    def chronology(self) -> Chronology:
        """What is remembered of the clocks."""
        return Chronology() if self._connection is None else read_chronology(self._connection)

    @guarded
    def published(self) -> dict[str, SourceRecord]:
        """What sources of networks said last."""
        rows = self._rows("SELECT source, networks, fetched, tried, url, trouble FROM published")
        if rows:
            from allowsync.state.published_networks import published_of
        return published_of(rows) if rows else {}

    @guarded
    def open_stays(self) -> dict[str, set[str]]:
        """Which networks each host may come from by the history, in CIDR form."""
        return {} if self._connection is None else open_stays(self._connection)

    @guarded
    def open_networks(self) -> dict[str, set[Network]]:
        """The same as networks."""
        stays = self.open_stays().items()
        return {text(host): set(map(parsed, networks)) for host, networks in stays}

    @guarded
    def uses(self, target: str) -> Uses:
        """Since when a target counts the packets of each host, and what it had counted."""
        return ({}, {}) if self._connection is None else read_uses(self._connection, target)

    @guarded
    def past(self, since: datetime) -> Past:
        """Everything on record since an instant."""
        from allowsync.state.history import Past, read_past

        return Past() if self._connection is None else read_past(self._connection, since)

    @guarded
    def hosts_on_record(self) -> set[str]:
        """Every host that anything is on record of."""
        from allowsync.state.history import hosts_on_record

        return set() if self._connection is None else hosts_on_record(self._connection)

    @guarded
    def run_before(self, at: datetime) -> datetime | None:
        """The last run that had started at an instant; None when none is on record."""
        from allowsync.state.history import run_before

        return None if self._connection is None else run_before(self._connection, at)

    @guarded
    def intend(self, record: RunRecord, *, hold: bool = False) -> None:
        """Remember what was learnt and what is about to be applied. Durable when it returns.

        With `hold` it is durable only once `finish` returns: for a run that applies nothing.
        """
        with transaction(connection := self._writable(), hold=hold):
            known = Known(self._hosts, self._ledger, self._targets)
            self._hosts, self._ledger, self._targets = None, None, {}
            self._started = number(record.started)
            self._run = write_learnt(connection, record, known)

    @guarded
    def forgotten_run(self) -> datetime | None:
        """The latest instant that a recorded run saw which it does not know: it is older, or anew.

        None where it knows each run that left a mark.
        """
        known = "SELECT 1 FROM runs WHERE started = ?"
        noted = noted_runs(self.path)
        forgotten = [latest for started, latest in noted if not self._rows(known, started)]
        return instant(max(forgotten)) if forgotten else None

    def note_run(self, latest: datetime) -> None:
        """Note outside the database that this run is on record there.

        Args:
            latest: The latest instant that the clock ever showed.
        """
        note_run(self.path, self.user, self._started, max(number(latest), self._started))

    def forget_runs(self) -> None:
        """Take away what tells of runs outside the database."""
        forget_runs(self.path, self.user)

    def note_kept_run(self, since: datetime) -> None:
        """Note the same of the last run, which was confirmed, if it is no older than an instant.

        Raises:
            StateError: The last run cannot be read.
        """
        last = self.last_run()
        if last is not None and last.started >= since:
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
        """Remember what the targets hold now, and what changed.

        Of a target that is not among those `told` about, the next run that looks at it finds out
        what came of what was meant for it.
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
            seconds: How long it took.
            exit_code: How it ended.
            problems: What was wrong, in words.
            turns: How its targets came out.
            keep: How long history is kept.
        """
        with transaction(connection := self._writable()):
            write_end(connection, self._run, seconds, exit_code, problems)
            write_turns(connection, turns)
            prune(connection, self._started - keep // MICROSECOND)

    @guarded
    def approve(self, host: str, hostnames: Iterable[str], at: datetime) -> None:
        """Let names be believed again that were absent for long; their absence begins anew."""
        with transaction(connection := self._writable()):
            self._hosts = self._ledger = None
            approve_names(connection, host, hostnames, at)

    @guarded
    def orders(self) -> StandingOrders | None:
        """What was ordered by command and is not over; None where nothing was."""
        rows = self._rows("SELECT * FROM orders WHERE typeof(over) IS NOT 'integer' ORDER BY id")
        if rows:
            from allowsync.state.access_orders import orders_of
        return orders_of(rows) if rows else None

    @guarded
    def give(self, order: Order) -> None:
        """Remember an order. Durable."""
        from allowsync.state.access_orders import write_order

        with transaction(connection := self._writable()):
            write_order(connection, order)

    @guarded
    def unconfirmed(self) -> dict[str, datetime]:
        """Targets whose last change was not confirmed, and when that was."""
        rows = self._rows("SELECT target, at FROM unconfirmed")
        return {one: instant(at) for one, at in rows}

    @guarded
    def set_unconfirmed(self, targets: Iterable[str], at: datetime) -> None:
        """Remember of targets that their change waits for a confirmation. Durable."""
        with transaction(connection := self._writable()):
            write_unconfirmed(connection, targets, at)

    @guarded
    def set_confirmed(self, targets: Iterable[str]) -> None:
        """Forget that the change of targets was not confirmed."""
        with transaction(connection := self._writable()):
            forget_unconfirmed(connection, targets)

    @guarded
    def keep_target(self, target: TargetRecord, memory: TargetMemory) -> None:
        """Remember a target and what it holds. Durable."""
        with transaction(connection := self._writable()):
            write_target(connection, target, memory)

    @guarded
    def forget_target(self, name: str, at: datetime) -> None:
        """Forget a target that was cleared at an instant; the history tells what it held."""
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
        """What is still to be told."""
        if self._connection is None:
            return ()
        from allowsync.state.notifications import read_outbox

        return read_outbox(self._connection)

    @guarded
    def keep_post(
        self, all_told: Iterable[ReportedCondition] | None, letters: Iterable[QueuedNotification]
    ) -> None:
        """Remember what was told (None: what is remembered stays) and what is still to be told."""
        from allowsync.state.notifications import write_outbox, write_told

        with transaction(connection := self._writable()):
            if all_told is not None:
                write_told(connection, all_told)
            write_outbox(connection, letters)

    @guarded
    def last_good_run(self) -> datetime | None:
        """When the latest run started that left every target in sync."""
        rows = self._rows("SELECT max(started) FROM runs WHERE exit_code IN (0, 3)")
        return None if not rows or rows[0][0] is None else instant(rows[0][0])
