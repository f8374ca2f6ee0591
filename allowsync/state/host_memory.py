"""What is remembered of hosts, as rows of the database and back."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

from allowsync.model.memory import HeldAddress, HostMemory, RetentionState
from allowsync.model.networks import cidr, recalled, recalled_address
from allowsync.model.types import Family, Query
from allowsync.state.codec import instant, maybe, number, number_or_none, truth

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping
    from datetime import datetime

    from allowsync.model.types import Network
    from allowsync.state.records import RunRecord

# `value` of an enumeration is looked up by Python code, and there are four for each host.
_WORDS = {one: one.value for one in Family}
_FAMILIES = {word: one for one, word in _WORDS.items()}
HOST_TABLES = ("tracks", "held", "fixed", "arrivals")


def read_hosts(connection: sqlite3.Connection) -> dict[str, HostMemory]:
    """What is remembered of every host."""
    tracks = _tracks(connection)
    fixed = _networks(connection, "SELECT host, network, since FROM fixed")
    arrivals = _networks(connection, "SELECT host, network, at FROM arrivals ORDER BY at, network")
    return {
        host: HostMemory(tracks.get(host, {}), fixed.get(host, {}), arrivals.get(host, {}))
        for host in tracks.keys() | fixed.keys()
    }


def _tracks(connection: sqlite3.Connection) -> dict[str, dict[Query, RetentionState]]:
    held, past = _held(connection)
    tracks: dict[str, dict[Query, RetentionState]] = {}
    rows = connection.execute(
        "SELECT host, hostname, family, last_found, absent_since, absent_runs, "
        "unavailable_runs, summary, reason, latched, held_back FROM tracks"
    )
    for host, name, family, found, absent, absents, unavailables, summary, why, shut, back in rows:
        key = (host, name, family)
        tracks.setdefault(host, {})[Query(name, _FAMILIES[family])] = RetentionState(
            tuple(held.get(key, ())), maybe(found), maybe(absent), absents, unavailables, summary,
            why, truth(shut), _lines(back), tuple(past.get(key, ())),
        )  # fmt: skip
    return tracks


def _lines(text: object) -> tuple[str, ...]:
    if not isinstance(text, str):
        raise TypeError(f"text expected, got {text!r}")
    return tuple(text.splitlines()) if text else ()


Addresses = dict[tuple[str, str, str], list[HeldAddress]]


def _held(connection: sqlite3.Connection) -> tuple[Addresses, Addresses]:
    """The addresses that are held, and those that were replaced lately."""
    held: Addresses = {}
    left: Addresses = {}
    for host, name, family, address, since, confirmed, replaced, runs, past in connection.execute(
        "SELECT host, hostname, family, address, since, confirmed, replaced, replaced_runs, past "
        "FROM held"
    ):
        one = HeldAddress(
            recalled_address(address),
            instant(since),
            instant(confirmed),
            maybe(replaced),
            int(runs),
        )
        (left if past else held).setdefault((host, name, family), []).append(one)
    return held, left


def _networks(connection: sqlite3.Connection, statement: str) -> dict[str, dict[Network, datetime]]:
    found: dict[str, dict[Network, datetime]] = {}
    for host, network, at in connection.execute(statement):
        found.setdefault(host, {})[recalled(network)] = instant(at)
    return found


def write_answers(connection: sqlite3.Connection, record: RunRecord) -> None:
    """Add to the history each answer that differs from the one before it."""
    known = {
        (host, hostname, family): summary
        for host, hostname, family, summary in connection.execute(
            "SELECT host, hostname, family, summary FROM tracks"
        )
    }
    at = number(record.started)
    rows = [
        (at, host, query.hostname, query.family.value, track.summary)
        for host, memory in record.hosts.items()
        for query, track in memory.tracks.items()
        if track.summary != known.get((host, query.hostname, _WORDS[query.family]), "")
    ]
    connection.executemany(
        "INSERT INTO answers (at, host, hostname, family, summary) VALUES (?, ?, ?, ?, ?)", rows
    )


def forget_hosts(connection: sqlite3.Connection, configured: frozenset[str]) -> None:
    """Forget every host that is configured no more."""
    known = connection.execute("SELECT host FROM tracks UNION SELECT host FROM fixed").fetchall()
    gone = [(host,) for (host,) in known if host not in configured]
    for table in HOST_TABLES:
        connection.executemany(f"DELETE FROM {table} WHERE host = ?", gone)  # noqa: S608


def write_hosts(connection: sqlite3.Connection, hosts: Mapping[str, HostMemory]) -> None:
    """Replace what is remembered of hosts."""
    _replace(
        connection,
        "tracks",
        hosts,
        [
            (
                host,
                query.hostname,
                _WORDS[query.family],
                number_or_none(track.last_found),
                number_or_none(track.absent_since),
                track.absent_runs,
                track.unavailable_runs,
                track.summary,
                track.reason,
                track.latched,
                "\n".join(track.held_back),
            )
            for host, memory in hosts.items()
            for query, track in (*memory.former.items(), *memory.tracks.items())
        ],
    )
    _replace(
        connection,
        "held",
        hosts,
        [
            (
                host,
                query.hostname,
                _WORDS[query.family],
                str(one.address),
                number(one.since),
                number(one.confirmed),
                number_or_none(one.replaced),
                one.replaced_runs,
                past,
            )
            for host, memory in hosts.items()
            for query, track in (*memory.former.items(), *memory.tracks.items())
            for past, addresses in ((False, track.held), (True, track.past))
            for one in addresses
        ],
    )
    for table, values in (
        ("fixed", {host: memory.fixed for host, memory in hosts.items()}),
        ("arrivals", {host: memory.arrivals for host, memory in hosts.items()}),
    ):
        _write_networks(connection, table, values)


def _replace(
    connection: sqlite3.Connection,
    table: str,
    hosts: Mapping[str, HostMemory],
    rows: list[tuple[Any, ...]],
) -> None:
    """Replace the rows of hosts in one table, which are those of all hosts in nearly every run."""
    known = connection.execute(f"SELECT DISTINCT host FROM {table}").fetchall()  # noqa: S608
    if all(host in hosts for (host,) in known):
        connection.execute(f"DELETE FROM {table}")  # noqa: S608 - frees pages and visits no row
    else:
        names = [(host,) for host in hosts]
        connection.executemany(f"DELETE FROM {table} WHERE host = ?", names)  # noqa: S608
    if rows:
        places = ", ".join("?" * len(rows[0]))
        rows.sort(key=itemgetter(0, 1, 2))  # in the order of the key, which takes half the time
        connection.executemany(f"INSERT INTO {table} VALUES ({places})", rows)  # noqa: S608


def _write_networks(
    connection: sqlite3.Connection,
    table: str,
    values: Mapping[str, Mapping[Network, datetime]],
) -> None:
    """Replace the networks of hosts in one table, as far as they differ from what is there."""
    wanted = {
        (host, cidr(network), number(at))
        for host, networks in values.items()
        for network, at in networks.items()
    }
    known = {row for row in connection.execute(f"SELECT * FROM {table}") if row[0] in values}  # noqa: S608
    connection.executemany(
        f"DELETE FROM {table} WHERE host = ? AND network = ?",  # noqa: S608
        [row[:2] for row in known - wanted],
    )
    connection.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", wanted - known)  # noqa: S608


def approve_name(connection: sqlite3.Connection, host: str, hostname: str, at: datetime) -> None:
    """Take the latch off a name. The history says so."""
    where = (host, hostname)
    connection.execute(
        "UPDATE tracks SET latched = 0, held_back = '', absent_since = ? "
        "WHERE host = ? AND hostname = ? AND absent_since IS NOT NULL",
        (number(at), *where),
    )
    connection.execute(
        "INSERT INTO answers (at, host, hostname, family, summary) "
        "SELECT ?, host, hostname, family, 'approved' FROM tracks WHERE host = ? AND hostname = ?",
        (number(at), *where),
    )
