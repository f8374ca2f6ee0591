"""State files that were damaged or tampered with: nobody is locked out, and nothing falls over."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from datetime import timedelta
from itertools import product
from typing import TYPE_CHECKING

import pytest

from allowsync.model.access_order import Revocation, TemporaryGrant
from allowsync.model.outcome import Outcome
from allowsync.state import StateDamaged, Store
from allowsync.state.codec import EPOCH
from tests.support.memory import tmp_path as tmp_path
from tests.support.sampling import sample, share
from tests.support.scoreboard import record
from tests.support.values import GONE, SERVFAIL, T0, net
from tests.support.world import World, only_target

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.model.answer import Answer
    from allowsync.plan.result import RunReport

ALL = {"81.2.69.1", "81.2.69.2", "81.2.69.3", "81.2.69.4"}
IN_STEP = (Outcome.APPLIED, Outcome.UNCHANGED)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> World:
    """What there is after a few runs."""
    world = World(tmp_path_factory.mktemp("good"))
    world.runs(3)
    return world


@pytest.fixture
def world(before: World, tmp_path: Path) -> World:
    """The same for each test anew."""
    return before.copy(tmp_path)


@pytest.fixture
def good(world: World) -> bytes:
    """The state as it is."""
    return world.state.read_bytes()


def run_with(world: World, state: bytes, *, silent: bool) -> RunReport:
    """One run over a firewall in sync, with this state."""
    world.state.write_bytes(state)
    if silent:
        world.everybody(SERVFAIL)
    report = world.run()
    record("hostile_inputs", where="damaged states", count=1, tracebacks=0)
    return report


PIECES = 24
SILENT = {"heard": False, "silent": True}
FILLERS = {"zeros": b"\0", "ones": b"\xff", "escapes": b"\x1b[2J"}
ENDS = [
    pytest.param(piece, silent, id=f"{piece}-{name}")
    for turn, (name, silent) in enumerate(SILENT.items())
    for piece in sample(range(PIECES), 8, turn)
]
HOLES = [
    pytest.param(piece, filler, silent, id=f"{piece}-{what}-{name}")
    for turn, ((what, filler), (name, silent)) in enumerate(
        product(FILLERS.items(), SILENT.items())
    )
    for piece in sample(range(PIECES), 8, turn)
]


@pytest.mark.parametrize(("piece", "silent"), ENDS)
def test_a_state_that_ends_early_removes_nobody(
    world: World, good: bytes, piece: int, silent: bool
) -> None:
    report = run_with(world, good[: len(good) * piece // PIECES], silent=silent)
    assert only_target(report).outcome in IN_STEP
    assert world.held == ALL


@pytest.mark.parametrize(("piece", "filler", "silent"), HOLES)
def test_a_state_with_a_hole_removes_nobody(
    world: World, good: bytes, piece: int, filler: bytes, silent: bool
) -> None:
    size = len(good) // PIECES
    hole = (filler * size)[:size]
    holed = good[: piece * size] + hole + good[(piece + 1) * size :]
    report = run_with(world, holed, silent=silent)
    assert only_target(report).outcome in IN_STEP
    assert world.held == ALL


def test_a_state_with_any_byte_turned_over_removes_nobody_who_is_heard(
    world: World, good: bytes
) -> None:
    places = range(0, len(good), max(1, len(good) // share(150, 50)))
    for place in places:
        world.state.write_bytes(good[:place] + bytes((good[place] ^ 0xFF,)) + good[place + 1 :])
        report = world.run()
        assert only_target(report).outcome in IN_STEP, place
        assert world.held >= ALL, place
        world.store.networks = {one for one in world.store.networks if str(one)[:-3] in ALL}
    record("hostile_inputs", where="damaged states", count=len(places), tracebacks=0)
    record("lockouts", where="damaged states", count=0)


COLUMNS = {
    "runs": ("started", "seconds", "exit_code", "offline", "problems"),
    "tracks": ("host", "hostname", "family", "last_found", "absent_since", "absent_runs",
               "unavailable_runs", "summary", "reason"),
    "held": ("host", "hostname", "family", "since", "confirmed", "replaced", "replaced_runs"),
    "targets": ("allowlist", "backend", "written", "claims"),
    "entries": ("network",),
}  # fmt: skip
POISON = {
    "a word": "evil",
    "an escape": "\x1b[2J\nroot",
    "bytes": b"\xff\x00\xfe",
    "a huge number": (1 << 63) - 1,
    "the lowest number": -(1 << 63),
    "a fraction": 1e300,
    "nothing": "",
    "a document": '{"a": [1, {"b": null}]}',
}


POISONED = [
    pytest.param(table, column, POISON[kind], id=f"{table}-{column}-{kind}")
    for turn, (table, column) in enumerate((t, c) for t, cs in COLUMNS.items() for c in cs)
    for kind in sample(POISON, 3, turn)
]


@pytest.mark.parametrize(("table", "column", "poison"), POISONED)
def test_a_value_of_the_wrong_kind_removes_nobody_who_is_heard(
    world: World, table: str, column: str, poison: object
) -> None:
    with closing(sqlite3.connect(world.state)) as connection, suppress(sqlite3.IntegrityError):
        connection.execute(f"UPDATE {table} SET {column} = ?", (poison,))
        connection.commit()
    report = world.run()
    assert only_target(report).outcome in IN_STEP
    assert world.held == ALL
    assert world.look().targets
    record("hostile_inputs", where="impossible values in states", count=1, tracebacks=0)


@pytest.mark.parametrize("poison", [b"7", "7x", 0.5, 9e999], ids=repr)
@pytest.mark.parametrize("column", ["absent_runs", "unavailable_runs", "summary", "reason"])
@pytest.mark.parametrize("answer", [GONE, SERVFAIL], ids=["absent", "silent"])
def test_a_count_of_the_wrong_kind_removes_nobody_who_is_absent(
    world: World, answer: Answer, column: str, poison: object
) -> None:
    world.everybody(answer)
    world.runs(2)
    with closing(sqlite3.connect(world.state)) as connection:
        connection.execute(f"UPDATE tracks SET {column} = ?", (poison,))
        connection.commit()
    assert only_target(world.run()).outcome in IN_STEP
    assert world.held == ALL


NAMED = [(table, column) for table in ("tracks", "held") for column in COLUMNS["held"][:3]]


@pytest.mark.parametrize("answer", [GONE, SERVFAIL], ids=["absent", "silent"])
@pytest.mark.parametrize("poison", ["evil", b"\xff"], ids=repr)
@pytest.mark.parametrize(("table", "column"), NAMED)
def test_addresses_that_belong_to_no_known_name_remove_nobody(
    world: World, answer: Answer, table: str, column: str, poison: object
) -> None:
    world.everybody(answer)
    world.runs(2)
    with closing(sqlite3.connect(world.state)) as connection, suppress(sqlite3.IntegrityError):
        connection.execute(f"UPDATE {table} SET {column} = ?", (poison,))
        connection.commit()
    assert only_target(world.run()).outcome in IN_STEP
    assert world.held == ALL


GRANT = TemporaryGrant("guest", net("81.2.69.9"), ("web",), T0, T0 + timedelta(hours=4))


@pytest.mark.parametrize("damage", ["words = ''", "ends = -1", "over = x'ff'", "action = 'x'"])
def test_a_damaged_grant_ends_no_access(world: World, damage: str) -> None:
    with Store.writing(world.state) as store:
        store.give(GRANT)
    world.run()
    assert world.held == {*ALL, "81.2.69.9"}
    with closing(sqlite3.connect(world.state)) as connection:
        connection.execute(f"UPDATE orders SET {damage}")
        connection.commit()
    assert only_target(world.run()).outcome in IN_STEP
    assert world.held == {*ALL, "81.2.69.9"}


RECORDS = {
    "stays": ("host", "hostname", "why"),
    "changes": ("target", "action", "hosts", "why"),
    "answers": ("host", "hostname", "summary"),
    "turns": ("target", "outcome", "what"),
    "orders": ("subject", "action", "words", "boot"),
}


@pytest.mark.parametrize(("table", "column"), [(t, c) for t, cs in RECORDS.items() for c in cs])
def test_records_of_the_wrong_kind_are_damage(world: World, table: str, column: str) -> None:
    with Store.writing(world.state) as store:
        store.give(Revocation("alice", T0, None, ("alice.example.org",)))
    with closing(sqlite3.connect(world.state)) as connection:
        connection.execute("INSERT INTO turns VALUES (1, 1, 'web/memory', 'failed', 'gone')")
        turned = f"UPDATE {table} SET {column} = CAST({column} || 'x' AS BLOB)"
        assert connection.execute(turned).rowcount
        connection.commit()
    with pytest.raises(StateDamaged, match="impossible value"), Store.reading(world.state) as store:
        store.past(EPOCH)


@pytest.mark.parametrize("version", [0, 2, 99, -1])
@pytest.mark.parametrize("owner", [0, 1, 0x616C6C77])
def test_a_state_of_another_kind_removes_nobody(world: World, version: int, owner: int) -> None:
    with closing(sqlite3.connect(world.state)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute(f"PRAGMA application_id = {owner}")
    world.everybody(SERVFAIL)
    report = world.run()
    assert only_target(report).outcome in IN_STEP
    assert world.held == ALL


TRIGGERS = {
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON runs BEGIN DELETE FROM held; END",
    "a trigger that fails": "CREATE TRIGGER t BEFORE INSERT ON runs "
    "BEGIN SELECT RAISE(ABORT, 'no'); END",
    "a view in place of a table": "DROP TABLE held; CREATE VIEW held AS SELECT 1",
    "a view that never ends": "DROP TABLE runs; CREATE VIEW runs AS WITH RECURSIVE c(id, started) "
    "AS (SELECT 1, 1 UNION ALL SELECT id + 1, 1 FROM c) SELECT * FROM c",
    "a table less": "DROP TABLE entries",
    "a column less": "ALTER TABLE tracks DROP COLUMN reason",
    "a column more": "ALTER TABLE tracks ADD COLUMN evil TEXT",
}


@pytest.mark.parametrize("script", TRIGGERS.values(), ids=TRIGGERS)
def test_a_state_with_another_schema_removes_nobody(world: World, script: str) -> None:
    with closing(sqlite3.connect(world.state)) as connection:
        connection.executescript(script)
    world.everybody(SERVFAIL)
    for _ in range(3):
        world.run()
        assert world.held == ALL
