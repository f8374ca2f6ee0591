"""What guards and clocks remember between runs, as rows of the database and back."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from allowsync.model.clock import Chronology, Gap, Pulse
from allowsync.model.memory import Sighting
from allowsync.model.networks import cidr, recalled
from allowsync.policy.sightings import Ledger
from allowsync.state.codec import MICROSECOND, instant, maybe, number, number_or_none, truth

if TYPE_CHECKING:
    import sqlite3

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


def read_ledger(connection: sqlite3.Connection) -> Ledger:
    """Every sighting on record."""
    rows = connection.execute(
        "SELECT name, network, decoy, first, last, runs, missed, refuted, approved FROM sightings"
    )
    return Ledger(
        tuple(
            Sighting(
                name, recalled(network), truth(decoy), instant(first), instant(last), int(runs),
                int(missed), truth(refuted), truth(approved),
            )
            for name, network, decoy, first, last, runs, missed, refuted, approved in rows
        )
    )  # fmt: skip


def write_ledger(connection: sqlite3.Connection, ledger: Ledger) -> None:
    """Replace the sightings on record."""
    if not ledger.sightings and not connection.execute("SELECT 1 FROM sightings").fetchone():
        return
    connection.execute("DELETE FROM sightings")
    connection.executemany(
        "INSERT INTO sightings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                one.name, cidr(one.network), one.decoy, number(one.first), number(one.last),
                one.runs, one.missed, one.refuted, one.approved,
            )
            for one in ledger.sightings
        ],
    )  # fmt: skip


def approve_networks(connection: sqlite3.Connection, hostname: str) -> None:
    """Let the networks be believed that guards refuse of a name."""
    connection.execute(
        "UPDATE sightings SET approved = 1, refuted = 0 WHERE name = ? AND decoy = 0", (hostname,)
    )


def read_chronology(connection: sqlite3.Connection) -> Chronology:
    """What is remembered of the clocks; of an older state, its last run."""
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
    """Replace what is remembered of the clocks."""
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
