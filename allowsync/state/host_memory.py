"""The memory of hosts, as rows of the database and back.

A query with the same answer as in the run before is the usual case, and then only the time of its
last answer changes. That is the same for all of them: `answered` holds it, and their rows are
marked `again` and stay unchanged. A row gets its own time when it is not given again.
"""

from __future__ import annotations

from operator import attrgetter, itemgetter

from allowsync.model.memory import HeldAddress, HostMemory, RetentionState
from allowsync.model.networks import cidr, recalled, recalled_address
from allowsync.model.types import Family, Query
from allowsync.state.codec import instant, maybe, number, number_or_none, text, truth, whole
from allowsync.state.evidence import approve_networks
from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterable, Mapping
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from allowsync.model.types import Network

# Python code looks up `value` of an enumeration, and there are four for each host.
_WORDS = {one: one.value for one in Family}
_FAMILIES = {word: one for one, word in _WORDS.items()}
HOST_TABLES = ("tracks", "held", "fixed", "arrivals", "uses")
Key = tuple[str, str, str]  # host, hostname and family

# The migration that lets unchanged rows stay.
AGAIN: Final = """
    CREATE TABLE answered (at INTEGER NOT NULL);
    ALTER TABLE tracks ADD COLUMN again INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE held ADD COLUMN again INTEGER NOT NULL DEFAULT 0;
"""
_LATEST: Final = "CASE again WHEN 0 THEN {} WHEN 1 THEN (SELECT at FROM answered) ELSE 'odd' END"
_OF_KEY: Final = "WHERE (host, hostname, family) = (?, ?, ?)"


def read_hosts(connection: sqlite3.Connection) -> dict[str, HostMemory]:
    """The memory of every host."""
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
        f"SELECT host, hostname, family, {_LATEST.format('last_found')}, "  # noqa: S608
        "absent_since, absent_runs, unavailable_runs, summary, reason, latched, held_back "
        "FROM tracks"
    )
    for host, name, family, found, absent, absents, unavailables, summary, why, shut, back in rows:
        key = (host, name, family)
        tracks.setdefault(host, {})[Query(text(name), _FAMILIES[family])] = RetentionState(
            tuple(held.pop(key, ())), maybe(found), maybe(absent), whole(absents),
            whole(unavailables), text(summary), text(why), truth(shut), _lines(back),
            tuple(past.pop(key, ())),
        )  # fmt: skip
    # Without their answers, retained access would end.
    if held or past:
        raise ValueError(f"addresses of {next(iter(held or past))} without what was answered")
    return tracks


def _lines(kept: object) -> tuple[str, ...]:
    return tuple(text(kept).splitlines()) if kept else ()


Addresses = dict[tuple[str, str, str], list[HeldAddress]]


def _held(connection: sqlite3.Connection) -> tuple[Addresses, Addresses]:
    """The held addresses, and the recently replaced ones."""
    held: Addresses = {}
    left: Addresses = {}
    for host, name, family, address, since, confirmed, replaced, runs, past in connection.execute(
        "SELECT host, hostname, family, address, since, "  # noqa: S608
        f"{_LATEST.format('confirmed')}, replaced, replaced_runs, past FROM held"
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


def write_answers(
    connection: sqlite3.Connection,
    hosts: Mapping[str, HostMemory],
    known: Mapping[str, HostMemory],
    started: datetime,
) -> None:
    """Add to the history each answer that differs from the one before it."""
    at, nothing = number(started), HostMemory()
    rows = []
    for host, memory in hosts.items():
        before = known.get(host, nothing).tracks
        for query, track in memory.tracks.items():
            former = before.get(query)
            if track.summary != ("" if former is None else former.summary):
                rows.append((at, host, query.hostname, query.family.value, track.summary))
    connection.executemany(
        "INSERT INTO answers (at, host, hostname, family, summary) VALUES (?, ?, ?, ?, ?)", rows
    )


def forget_hosts(
    connection: sqlite3.Connection, known: Mapping[str, HostMemory], configured: frozenset[str]
) -> None:
    """Delete every host that is not configured any more."""
    gone = [(host,) for host in known if host not in configured]
    for table in HOST_TABLES:
        connection.executemany(f"DELETE FROM {table} WHERE host = ?", gone)  # noqa: S608


def write_hosts(
    connection: sqlite3.Connection,
    hosts: Mapping[str, HostMemory],
    known: Mapping[str, HostMemory],
    at: datetime,
    again: AbstractSet[str] = frozenset(),
) -> None:
    """Replace the memory of hosts.

    Args:
        connection: The database, in a transaction.
        hosts: The new memory.
        known: The memory in the database, as read.
        at: The instant of the run.
        again: Further hosts, of which only the time of the last answer is new.
    """
    still: set[Key] = set()
    changed: dict[Key, RetentionState] = {}
    gone: list[Key] = []
    nothing = HostMemory()
    for host, memory in hosts.items():
        before, after = known.get(host, nothing).tracks, memory.tracks
        if memory.former:
            after = {**memory.former, **after}
        if before.keys() != after.keys():
            gone += [_key(host, query) for query in before.keys() - after.keys()]
        for query, track in after.items():
            if _moves_on(former := before.get(query), track, at):
                still.add(_key(host, query))
            elif track != former:
                changed[_key(host, query)] = track
    if still or again:
        _let_stay(connection, still, again, number(at))
    _replace(connection, (*gone, *changed), changed)
    for table, of in (("fixed", _fixed), ("arrivals", _arrivals)):
        _write_networks(connection, table, _differing(of, hosts, known))


def _differing(
    of: Callable[[HostMemory], Mapping[Network, datetime]],
    hosts: Mapping[str, HostMemory],
    known: Mapping[str, HostMemory],
) -> dict[str, Mapping[Network, datetime]]:
    """The networks of those hosts whose networks changed."""
    nothing, found = HostMemory(), {}
    for host, memory in hosts.items():
        before, after = of(known.get(host, nothing)), of(memory)
        if after is not before and after != before:
            found[host] = after
    return found


def _key(host: str, query: Query) -> Key:
    return host, query.hostname, _WORDS[query.family]


_fixed = attrgetter("fixed")
_arrivals = attrgetter("arrivals")


def _moves_on(before: RetentionState | None, after: RetentionState, at: datetime) -> bool:
    """Whether only the time of a state's last answer is new, and that time is now."""
    if before is None or len(before.held) != 1 or len(after.held) != 1:
        return False
    (old,), (new,) = before.held, after.held
    given = after.last_found == at == new.confirmed
    return given and _lasting(before, old) == _lasting(after, new)


def _lasting(track: RetentionState, held: HeldAddress) -> tuple[object, ...]:
    """The columns of a state with one address, without the time of its last answer."""
    return (
        held.address, held.since, held.replaced, held.replaced_runs, track.summary, track.reason,
        track.absent_since, track.absent_runs, track.unavailable_runs, track.latched,
        track.held_back, track.past,
    )  # fmt: skip


def _let_stay(
    connection: sqlite3.Connection, still: set[Key], again: AbstractSet[str], at: int
) -> None:
    """Mark unchanged rows, and give those that are marked no longer a time of their own.

    Rows of a host in `again` without an address have a reason, and no time.
    """
    one = "SELECT host, hostname, family FROM tracks WHERE"
    marked = connection.execute(f"{one} again").fetchall()
    others = connection.execute(f"{one} NOT again AND reason = ''").fetchall()
    over = [key for key in marked if key[0] not in again and key not in still]
    begun = [key for key in others if key[0] in again or key in still]
    for table, column in (("tracks", "last_found"), ("held", "confirmed")):
        connection.executemany(
            f"UPDATE {table} SET {column} = (SELECT at FROM answered), again = 0 "  # noqa: S608
            f"{_OF_KEY} AND again",
            over,
        )
    connection.executemany(f"UPDATE tracks SET again = 1 {_OF_KEY}", begun)  # noqa: S608
    connection.executemany(f"UPDATE held SET again = 1 {_OF_KEY} AND past = 0", begun)  # noqa: S608
    connection.execute("DELETE FROM answered")
    connection.execute("INSERT INTO answered VALUES (?)", (at,))


def _replace(
    connection: sqlite3.Connection, gone: Collection[Key], tracks: Mapping[Key, RetentionState]
) -> None:
    """Replace the rows of queries."""
    for table in ("tracks", "held"):
        connection.executemany(f"DELETE FROM {table} {_OF_KEY}", gone)  # noqa: S608
    ordered = sorted(tracks.items(), key=itemgetter(0))  # in key order, which halves the time
    connection.executemany(
        "INSERT OR REPLACE INTO tracks (host, hostname, family, last_found, absent_since, "
        "absent_runs, unavailable_runs, summary, reason, latched, held_back) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *key, number_or_none(track.last_found), number_or_none(track.absent_since),
                track.absent_runs, track.unavailable_runs, track.summary, track.reason,
                track.latched, "\n".join(track.held_back),
            )
            for key, track in ordered
        ],
    )  # fmt: skip
    connection.executemany(
        "INSERT OR REPLACE INTO held (host, hostname, family, address, since, confirmed, replaced, "
        "replaced_runs, past) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *key, str(one.address), number(one.since), number(one.confirmed),
                number_or_none(one.replaced), one.replaced_runs, past,
            )
            for key, track in ordered
            for past, addresses in ((False, track.held), (True, track.past))
            for one in addresses
        ],
    )  # fmt: skip


def _write_networks(
    connection: sqlite3.Connection,
    table: str,
    values: Mapping[str, Mapping[Network, datetime]],
) -> None:
    """Replace the networks of hosts in one table, where they differ from the stored ones."""
    if not values:
        return
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


def approve_names(
    connection: sqlite3.Connection, host: str, hostnames: Iterable[str], at: datetime
) -> None:
    """Approve names of a host, and the networks they gave recently. The history records it."""
    for hostname in hostnames:
        _approve_name(connection, host, hostname, at)
        approve_networks(connection, hostname)


def _approve_name(connection: sqlite3.Connection, host: str, hostname: str, at: datetime) -> None:
    where = (host, hostname)
    connection.execute(
        "UPDATE tracks SET latched = 0, held_back = '', absent_since = ? "
        "WHERE host = ? AND hostname = ? AND (absent_since IS NOT NULL OR latched)",
        (number(at), *where),
    )
    connection.execute(
        "INSERT INTO answers (at, host, hostname, family, summary) "
        "SELECT ?, host, hostname, family, 'approved' FROM tracks WHERE host = ? AND hostname = ?",
        (number(at), *where),
    )
