"""The glance itself: one question after the other whether anything differs from the last run.

Plain tuples and few imports on purpose; every millisecond here is spent 288 times a day.
"""

import fcntl
import os
import sqlite3
import stat
import sys
import time

from allowsync import __version__
from allowsync.fastpath.command_probe import Child
from allowsync.fastpath.dns_probe import Asking
from allowsync.fastpath.socket_probe import answered
from allowsync.system.fingerprint import numbers

MICROSECONDS = 1_000_000
LONGEST_GAP = 86_400 * MICROSECONDS
SYSTEM_CONFIGURATION = "/etc/allowsync/config.yaml"
SYSTEM_STATE = "/var/lib/allowsync/state.db"
LARGEST_CONFIGURATION = 1 << 20  # bytes; a larger one has more names than a glance is for
PLAIN = ("-q", "--quiet", "--no-color")

# What is started has to be one of these, followed by plain words: a state somebody tampered with
# must not name a command of its own.
LISTINGS = (
    ("nft", "-s", "-j", "list"),
    ("ipset", "list"),
    ("ipset", "-n", "list"),
    ("iptables", "-w", "10", "-S"),
    ("ip6tables", "-w", "10", "-S"),
    *(
        (f"{program}{variant}", "-w", "10", "-t", "mangle", "-S")
        for program in ("iptables", "ip6tables")
        for variant in ("", "-nft", "-legacy")
    ),
)

PROGRAM = f"{__version__} {sys.version} {__file__}"

CONFIRM = (
    "INSERT INTO runs (started, seconds, exit_code, offline, glance) VALUES (?1, ?2, 0, 0, 1)",
    "UPDATE tracks SET last_found = ?1 WHERE reason = '' AND host IN seen",
    """UPDATE tracks SET absent_runs = absent_runs + 1
       WHERE summary LIKE 'absent %' AND host IN seen""",
    """UPDATE tracks SET unavailable_runs = unavailable_runs + 1
       WHERE summary LIKE 'unavailable %' AND host IN seen""",
    "UPDATE held SET confirmed = ?1 WHERE host IN seen",
    "UPDATE idle SET run = (SELECT max(id) FROM runs)",
)


def nothing_to_do(arguments: list[str]) -> bool:
    """Whether this is an `apply` that finds everything as the last one left it.

    If so, that is remembered, those who watch are told, and there is nothing else to do. If not, or
    if that is not certain, nothing was changed. If somebody could not be told, that is for a whole
    run to say; what was remembered is true all the same.
    """
    places = places_of(arguments)
    if places is None:
        return False
    configuration, state = places
    now, began = time.time_ns() // 1000, time.monotonic()
    try:
        with _Held(state + ".lock"):
            watching = _same_again(configuration, state, now, began)
        return watching is not None and _told(watching, now, began)
    except (OSError, sqlite3.Error, ValueError, IndexError, TypeError):
        return False


def _told(watching: "list[tuple[str, str, str]]", now: int, began: float) -> bool:
    if not watching:
        return True
    from allowsync.fastpath.export import told

    return told(watching, now / MICROSECONDS, time.monotonic() - began)


def places_of(arguments: list[str]) -> tuple[str, str] | None:
    """Where configuration and state are, for a plain `apply`; None for any other command line."""
    if arguments[:1] != ["apply"]:
        return None
    given = {"--config": os.environ.get("ALLOWSYNC_CONFIG") or SYSTEM_CONFIGURATION, "--state": ""}
    rest = iter(arguments[1:])
    for word in rest:
        name, equals, value = word.partition("=")
        if name in given:
            given[name] = value if equals else next(rest, "")
        elif word not in PLAIN:
            return None
    configuration = os.path.abspath(given["--config"])
    state = given["--state"] or _state_named_in(configuration)
    return (configuration, os.path.abspath(state)) if state else None


def _state_named_in(configuration: str) -> str:
    """Where the configuration seems to say the state is; empty when that is not plain.

    Only a hint: what is found there knows which configuration it belongs to.
    """
    try:
        with open(configuration, "rb") as file:
            text = file.read(LARGEST_CONFIGURATION + 1)
    except OSError:
        return ""
    if len(text) > LARGEST_CONFIGURATION:
        return ""
    for line in text.decode(errors="replace").splitlines():
        key, colon, value = line.partition(":")
        if colon and key.strip("\"' ,") == "state":
            named = value.partition(" #")[0].strip(" \"',")
            return os.path.join(os.path.dirname(configuration), named) if named else ""
    return SYSTEM_STATE if os.geteuid() == 0 else ""


class _Held:
    """The run lock, if nobody holds it and there has been a run before."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)

    def __enter__(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _same_again(
    configuration: str, state: str, now: int, began: float
) -> "list[tuple[str, str, str]] | None":
    """Remember that everything is the same; what to leave for those who watch. None: it is not."""
    found = os.lstat(state)
    others = stat.S_IWGRP | stat.S_IWOTH
    if not stat.S_ISREG(found.st_mode) or found.st_mode & others or found.st_uid != os.geteuid():
        return None
    connection = sqlite3.connect(state, isolation_level=None)
    try:
        if not _timely(connection, configuration, now) or not _as_seen(connection):
            return None
        watching = connection.execute("SELECT kind, name, value FROM watching").fetchall()
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        for statement in CONFIRM:
            wanted = (now, time.monotonic() - began)[: statement.count("?")]
            connection.execute(statement, wanted if "?1" in statement else ())
        connection.execute("COMMIT")
        return watching
    finally:
        connection.close()


def _timely(connection: sqlite3.Connection, configuration: str, now: int) -> bool:
    """Whether the last run was an idle one of this program and configuration, not long ago."""
    row = connection.execute(
        "SELECT idle.program, idle.config, idle.until, runs.started FROM idle JOIN runs "
        "ON runs.id = idle.run WHERE idle.run = (SELECT max(id) FROM runs)"
    ).fetchone()
    if row is None or row[:2] != (PROGRAM, configuration):
        return False
    until, started = row[2], row[3]
    return 0 < now - started <= LONGEST_GAP and (until is None or now < until)


def _as_seen(connection: sqlite3.Connection) -> bool:
    """Whether files, listings and answers are what they were."""
    sights = connection.execute("SELECT kind, name, value FROM sights").fetchall()
    if not all(_numbers(name) == value for kind, name, value in sights if kind == "file"):
        return False
    replies = connection.execute(
        "SELECT address, port, section, mixes, reply, offsets FROM replies"
    ).fetchall()
    asking = Asking([(*row[:5], tuple(int(one) for one in row[5].split())) for row in replies])
    try:
        listings = [
            (Child(_listing(name)), output) for kind, name, output in sights if kind == "command"
        ]
        same = [child.output() == output.encode() for child, output in listings]
        same += [
            answered(name) == value.encode() for kind, name, value in sights if kind == "socket"
        ]
        return all(same) and asking.all_the_same()
    finally:
        asking.close()


def _listing(name: str) -> list[str]:
    """The words of a command that only lists.

    Raises:
        ValueError: It may be something else.
    """
    words = name.split("\0")
    for start in LISTINGS:
        rest = words[len(start) :]
        if tuple(words[: len(start)]) == start and not any(one.startswith("-") for one in rest):
            return words
    raise ValueError(name)


def _numbers(path: str) -> str:
    """A file's numbers as they are written down (see `allowsync.system.fingerprint`)."""
    try:
        found = os.lstat(path)
    except OSError:
        return ""
    return " ".join(map(str, numbers(found)))
