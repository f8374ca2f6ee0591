"""The log of hosts' access, their packets, and the outcomes of targets.

Each records changes only. A friend who stays at home for a year is one row.
"""

from __future__ import annotations

import re
from datetime import timedelta

from allowsync.model.networks import cidr, parsed
from allowsync.state.codec import MICROSECOND, instant, maybe, number
from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from allowsync.model.target import Traffic
    from allowsync.model.types import Entry, Network
    from allowsync.state.records import AccessEnd, AccessStart, TargetTransition

    # By host, the start of counting its packets and the last packet; and by network, the number of
    # packets by the last run.
    Uses = tuple[dict[str, tuple[datetime, datetime | None]], dict[Network, int]]

RECOVERED = "recovered"
REPAIRED = "repaired"
CHANGED = "changed"  # the networks that a denylist's target blocks
_NUMBERS = r"[0-9]+"
# Ages come in whole seconds, so that the time of one packet seems to vary.
_JITTER = timedelta(seconds=5)
_SUBNET = 64  # the narrowest network of IPv6 whose packets are counted separately

# The start of counting the packets of a host's networks at a target, the last packet, and the
# number of packets of each network by the last run.
USES: Final = """
    CREATE TABLE uses (
        target TEXT NOT NULL, host TEXT NOT NULL, since INTEGER NOT NULL, at INTEGER,
        PRIMARY KEY (target, host)) WITHOUT ROWID;
    CREATE TABLE packets (
        target TEXT NOT NULL, network TEXT NOT NULL, count INTEGER NOT NULL,
        PRIMARY KEY (target, network)) WITHOUT ROWID;
"""


def open_stays(connection: sqlite3.Connection) -> dict[str, set[str]]:
    """The networks each host is allowed from according to the log, in CIDR form."""
    found: dict[str, set[str]] = {}
    for host, network in connection.execute("SELECT host, network FROM stays WHERE ended IS NULL"):
        found.setdefault(host, set()).add(network)
    return found


def write_stays(
    connection: sqlite3.Connection,
    began: Iterable[AccessStart],
    ended: Iterable[AccessEnd],
    at: datetime,
) -> None:
    """Record the access that began and ended at an instant."""
    _expire_grants(connection, number(at))
    connection.executemany(
        "UPDATE stays SET ended = ?, why = ? WHERE host = ? AND network = ? AND ended IS NULL",
        [(number(at), one.why, one.host, cidr(one.network)) for one in ended],
    )
    connection.executemany(
        "INSERT INTO stays (host, network, hostname, began) VALUES (?, ?, ?, ?)",
        [(one.host, cidr(one.network), one.hostname, number(at)) for one in began],
    )


def _expire_grants(connection: sqlite3.Connection, now: int) -> None:
    """End temporary grants for good: those over for a day, and those given by a later clock."""
    day = timedelta(days=1) // MICROSECOND
    connection.execute(
        "UPDATE orders SET over = ends WHERE action = 'grant' AND over IS NULL "
        "AND (ends < ? OR at > ?)",
        (now - day, now + day),
    )


def write_turns(connection: sqlite3.Connection, turns: Iterable[TargetTransition]) -> None:
    """Record the outcomes of targets in a run, where they changed.

    A failure that differs in numbers only (3 entries missing, 4 entries missing) is the same one. A
    repair is always recorded, and so is a change of blocked networks.
    """
    for one in turns:
        row = connection.execute(
            "SELECT outcome, what FROM turns WHERE target = ? AND outcome NOT IN (?, ?) "
            "ORDER BY id DESC LIMIT 1",
            (one.target, REPAIRED, CHANGED),
        ).fetchone()
        if _is_new(one, row or (RECOVERED, "")):
            connection.execute(
                "INSERT INTO turns (at, target, outcome, what) VALUES (?, ?, ?, ?)",
                (number(one.at), one.target, one.outcome, one.what),
            )


def _is_new(turn: TargetTransition, last: tuple[str, str]) -> bool:
    if turn.outcome in (REPAIRED, CHANGED):
        return True
    if turn.outcome == RECOVERED:
        return last[0] != RECOVERED
    outcome, what = last
    alike = re.sub(_NUMBERS, "", turn.what) == re.sub(_NUMBERS, "", what)
    return turn.outcome != outcome or not alike


def rename_uses(connection: sqlite3.Connection, labels: Mapping[str, str]) -> None:
    """Keep the packet times of hosts under their present labels."""
    connection.executemany(
        "UPDATE OR REPLACE uses SET host = ? WHERE host = ?",
        [(now, before) for before, now in labels.items()],
    )


def write_uses(
    connection: sqlite3.Connection,
    target: str,
    entries: Iterable[Entry],
    traffic: Traffic | None,
    at: datetime,
) -> None:
    """Record the last packets from the networks of hosts, as a target counts them at a run.

    A host without a packet while a target counted starts anew when counting resumes. Where counting
    began anew, packets between the run before and that are lost.
    """
    if traffic is None:
        connection.execute("DELETE FROM uses WHERE target = ? AND at IS NULL", (target,))
        return
    kept, held = _packets(connection, target), tuple(entries)
    if began_anew(held, traffic, kept) or forgot(traffic, _run_before(connection, at), at):
        connection.execute("UPDATE uses SET since = ? WHERE target = ?", (number(at), target))
    rows = connection.execute("SELECT host, at FROM uses WHERE target = ?", (target,))
    known: dict[str, int | None] = dict(rows.fetchall())
    new = {host for entry in held for host in entry.hosts} - known.keys()
    connection.executemany(
        "INSERT INTO uses (target, host, since) VALUES (?, ?, ?)",
        [(target, host, number(at)) for host in sorted(new)],
    )
    connection.executemany(
        "UPDATE uses SET at = ? WHERE target = ? AND host = ?",
        [
            (number(came), target, host)
            for host, came in used(held, traffic, kept, at).items()
            if number(came - _JITTER) > (known.get(host) or 0)
        ],
    )
    _write_packets(connection, target, kept, traffic.counts)


def read_uses(connection: sqlite3.Connection, target: str) -> Uses:
    """The recorded packets that a target counts."""
    statement = "SELECT host, since, at FROM uses WHERE target = ?"
    rows = connection.execute(statement, (target,))
    known = {host: (instant(since), maybe(at)) for host, since, at in rows}
    return known, _packets(connection, target)


def _packets(connection: sqlite3.Connection, target: str) -> dict[Network, int]:
    """The number of packets of each network that a target had counted by the last run."""
    rows = connection.execute("SELECT network, count FROM packets WHERE target = ?", (target,))
    return {parsed(network): int(count) for network, count in rows}


def _write_packets(
    connection: sqlite3.Connection,
    target: str,
    kept: Mapping[Network, int],
    counts: Mapping[Network, int],
) -> None:
    connection.executemany(
        "DELETE FROM packets WHERE target = ? AND network = ?",
        [(target, cidr(network)) for network in kept if not counts.get(network)],
    )
    connection.executemany(
        "INSERT OR REPLACE INTO packets VALUES (?, ?, ?)",
        [
            (target, cidr(network), count)
            for network, count in counts.items()
            if count and count != kept.get(network)
        ],
    )


def began_anew(entries: Iterable[Entry], traffic: Traffic, kept: Mapping[Network, int]) -> bool:
    """Whether packets since the run before may be lost: a counter is gone, or decreased.

    Args:
        entries: The entries of the target.
        traffic: The counters of the target.
        kept: The recorded counts of the run before.
    """
    counts = traffic.counts
    less = {network for network, count in kept.items() if counts.get(network, 0) < count}
    return traffic.anew or not less.isdisjoint(one.network for one in entries)


def forgot(traffic: Traffic, before: datetime | None, now: datetime) -> bool:
    """Whether the firewall may have forgotten a packet since the run before, as that is too old."""
    if traffic.remembers is None or before is None:
        return False
    return now - before > timedelta(seconds=traffic.remembers)


def _run_before(connection: sqlite3.Connection, at: datetime) -> datetime | None:
    statement = "SELECT started FROM runs WHERE started < ? ORDER BY id DESC LIMIT 1"
    row = connection.execute(statement, (number(at),)).fetchone()
    return row and instant(row[0])


def used(
    entries: Iterable[Entry], traffic: Traffic, kept: Mapping[Network, int], now: datetime
) -> dict[str, datetime]:
    """The last packet from the networks of hosts, for hosts with one.

    Args:
        entries: The entries of the target, with the hosts of each.
        traffic: The counters of the target.
        kept: The recorded counts of the run before. A lower count began anew: if it is not 0, a
            packet came since.
        now: The instant of the reading.
    """
    came = {source: now - timedelta(seconds=age) for source, age in traffic.ages.items()}
    for network, count in traffic.counts.items():
        if count and count != kept.get(network):
            came[network] = now
    if not came:
        return {}
    found: dict[str, datetime] = {}
    whose = holders(entries)
    for source, when in came.items():
        for host in whose(source):
            found[host] = max(found.get(host, when), when)
    return found


def holders(entries: Iterable[Entry]) -> Callable[[Network], set[str]]:
    """A lookup of the hosts whose networks contain a packet's source, or lie within a wide one."""
    hosts: dict[Network, set[str]] = {}
    for entry in entries:
        hosts.setdefault(_unit(entry.network), set()).update(entry.hosts)
    lengths = {(one.version, one.prefixlen) for one in hosts}

    def find(source: Network) -> set[str]:
        unit = _unit(source)
        fit = [bits for version, bits in lengths if version == unit.version]
        wider = (unit.supernet(new_prefix=bits) for bits in fit if bits <= unit.prefixlen)
        return {host for one in wider for host in hosts.get(one, ())}

    return find


def _unit(network: Network) -> Network:
    narrow = network.version == 6 and network.prefixlen > _SUBNET
    return network.supernet(new_prefix=_SUBNET) if narrow else network
