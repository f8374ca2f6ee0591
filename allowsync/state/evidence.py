"""The memory of guards and clocks, as rows of the database and back."""

from __future__ import annotations

from datetime import timedelta

from allowsync.model.clock import Chronology, Gap, Pulse
from allowsync.model.memory import Sighting
from allowsync.model.networks import cidr, recalled
from allowsync.policy.sightings import Ledger
from allowsync.state.codec import MICROSECOND, instant, maybe, number, number_or_none, truth
from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

# The migration that makes these tables.
SCHEMA: Final = """
    CREATE TABLE sightings (
        name TEXT NOT NULL, network TEXT NOT NULL, decoy INTEGER NOT NULL, first INTEGER NOT NULL,
        last INTEGER NOT NULL, runs INTEGER NOT NULL, missed INTEGER NOT NULL,
        refuted INTEGER NOT NULL, approved INTEGER NOT NULL,
        PRIMARY KEY (name, network, decoy)) WITHOUT ROWID;
    CREATE TABLE clock (
        wall INTEGER NOT NULL, boot TEXT NOT NULL, uptime INTEGER NOT NULL, latest INTEGER);
    CREATE TABLE gaps (at INTEGER NOT NULL, by INTEGER NOT NULL);
    ALTER TABLE held ADD COLUMN past INTEGER NOT NULL DEFAULT 0;
"""
# The migration that lets unchanged rows of sightings stay: each row with a `base` has been given in
# every run since `base` runs were counted in `given`, the last one `at`.
AGAIN: Final = """
    CREATE TABLE given (at INTEGER NOT NULL, runs INTEGER NOT NULL);
    ALTER TABLE sightings ADD COLUMN base INTEGER;
"""
# The migration that marks arrivals with unanswered probes.
UNPROVEN: Final = "ALTER TABLE sightings ADD COLUMN unproven INTEGER NOT NULL DEFAULT 0;"


def read_ledger(connection: sqlite3.Connection) -> Ledger:
    """Every recorded sighting."""
    rows = connection.execute(
        "SELECT name, network, decoy, first, iif(base IS NULL, last, (SELECT at FROM given)), "
        "iif(base IS NULL, runs, runs - base + (SELECT runs FROM given)), missed, refuted, "
        "approved, unproven FROM sightings"
    )
    return Ledger(
        tuple(
            Sighting(
                name, recalled(network), truth(decoy), instant(first), instant(last), int(runs),
                int(missed), truth(refuted), truth(approved), truth(unproven),
            )
            for name, network, decoy, first, last, runs, missed, refuted, approved, unproven in rows
        )
    )  # fmt: skip


def write_ledger(
    connection: sqlite3.Connection, ledger: Ledger, known: Ledger, at: datetime
) -> None:
    """Replace the recorded sightings.

    Args:
        connection: The database, in a transaction.
        ledger: The new sightings.
        known: The sightings in the database, as read.
        at: The instant of the run.
    """
    if ledger is known or not (ledger.sightings or known.sightings):
        return
    if _given_again(known, ledger, at):
        counted = connection.execute("SELECT runs FROM given").fetchone()
        runs = 0 if counted is None else counted[0]
        connection.execute("UPDATE sightings SET base = ?, missed = 0 WHERE base IS NULL", (runs,))
        connection.execute("DELETE FROM given")
        connection.execute("INSERT INTO given VALUES (?, ?)", (number(at), runs + 1))
        return
    connection.execute("DELETE FROM sightings")
    connection.executemany(
        "INSERT INTO sightings (name, network, decoy, first, last, runs, missed, refuted, "
        "approved, unproven) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                one.name, cidr(one.network), one.decoy, number(one.first), number(one.last),
                one.runs, one.missed, one.refuted, one.approved, one.unproven,
            )
            for one in ledger.sightings
        ],
    )  # fmt: skip


def _given_again(before: Ledger, after: Ledger, at: datetime) -> bool:
    """Whether each sighting came once more in a run, and nothing else is new."""
    if after.again == at and after.before == before.sightings:
        return True
    if len(before.sightings) != len(after.sightings):
        return False
    return all(
        new == (*old[:4], at, old.runs + 1, 0, *old[7:])
        for old, new in zip(before.sightings, after.sightings, strict=True)
    )


def approve_networks(connection: sqlite3.Connection, hostname: str) -> None:
    """Approve the networks that guards reject of a name."""
    connection.execute(
        "UPDATE sightings SET approved = 1, refuted = 0 WHERE name = ? AND decoy = 0", (hostname,)
    )


def read_chronology(connection: sqlite3.Connection) -> Chronology:
    """The remembered clock readings; of an older state, its last run."""
    row = connection.execute("SELECT wall, boot, uptime, latest FROM clock").fetchone()
    if row is None:
        last = connection.execute("SELECT max(started) FROM runs").fetchone()[0]
        return Chronology() if last is None else Chronology(Pulse(instant(last)), instant(last))
    wall, boot, uptime, latest = row
    gaps = connection.execute("SELECT at, by FROM gaps ORDER BY at")
    return Chronology(
        Pulse(instant(wall), boot, timedelta(microseconds=uptime)),
        maybe(latest),
        tuple(Gap(instant(at), timedelta(microseconds=by)) for at, by in gaps),
    )


def write_chronology(connection: sqlite3.Connection, known: Chronology) -> None:
    """Replace the remembered clock readings."""
    connection.execute("DELETE FROM clock")
    if known.last is not None:
        last, span = known.last, known.last.uptime // MICROSECOND
        connection.execute(
            "INSERT INTO clock VALUES (?, ?, ?, ?)",
            (number(last.wall), last.boot, span, number_or_none(known.latest)),
        )
    connection.execute("DELETE FROM gaps")
    connection.executemany(
        "INSERT INTO gaps VALUES (?, ?)",
        [(number(gap.at), gap.by // MICROSECOND) for gap in known.gaps],
    )
