"""What is remembered comes back as it was, and what cannot be read is never overwritten."""

from __future__ import annotations

import gzip
import os
import random
import sqlite3
import stat
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from allowsync.model.memory import (
    HeldAddress,
    HostMemory,
    Inherited,
    RetentionState,
    Sighting,
    TargetMemory,
)
from allowsync.policy.sightings import Ledger
from allowsync.state import (
    EntryChange,
    RunRecord,
    StateDamaged,
    StateError,
    StateUnwritable,
    Store,
    TargetRecord,
)
from allowsync.state import schema as database
from allowsync.state.schema import VERSION
from tests.support.values import AAAA, T0, A, entry, net

if TYPE_CHECKING:
    from datetime import datetime

HOUR = timedelta(hours=1)
WEB = TargetRecord("web/memory", "web", "memory", {"ports": ["443/tcp"]})

ALICE = HostMemory(
    {
        A: RetentionState(
            (
                HeldAddress(ip_address("81.2.69.1"), T0, T0 + HOUR),
                HeldAddress(ip_address("81.2.69.2"), T0, T0, T0 + HOUR, 2),
            ),
            last_found=T0 + HOUR,
            summary="found 81.2.69.1",
        ),
        AAAA: RetentionState(
            (),
            None,
            T0,
            3,
            1,
            "absent NXDOMAIN",
            "NXDOMAIN",
            True,
            ("one", "another"),
        ),
    },
    {ip_network("203.0.113.0/24"): T0},
    {net("81.2.69.2"): T0, net("81.2.69.1"): T0 + HOUR},
)

HOLDING = TargetMemory(
    (entry("81.2.69.1", "alice", "bob"), entry("2a01::/64", "bob")),
    (Inherited(net("9.9.9.9"), T0, 4),),
)


def record(**fields: object) -> RunRecord:
    keep: dict[str, object] = {
        "started": T0,
        "offline": False,
        "hosts": {"alice": ALICE},
        "configured": frozenset({"alice"}),
        "targets": ((WEB, HOLDING),),
    }
    return RunRecord(**{**keep, **fields})  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lib" / "state.db"


def written(path: Path, *records: RunRecord) -> None:
    with Store.writing(path) as store:
        for one in records or (record(),):
            store.intend(one)


def test_what_was_intended_comes_back_as_it_was(path: Path) -> None:
    written(path)
    with Store.reading(path) as store:
        assert store.hosts() == {"alice": ALICE}
        assert store.targets() == {"web/memory": WEB}
        assert (last := store.last_run()) is not None
        assert (last.started, last.exit_code, last.offline) == (T0, None, False)
        known = store.target("web/memory")
    assert known is not None
    assert set(known.entries) == set(HOLDING.entries)
    assert known.inherited == HOLDING.inherited


def test_what_is_held_is_durable_once_the_run_is_finished(path: Path) -> None:
    def runs() -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(path)) as other:
            return other.execute("SELECT started, exit_code FROM runs").fetchall()

    with Store.writing(path) as store:
        store.intend(record(), hold=True)
        assert (store.holds, runs()) == (True, [])
        store.finish(0.1, 0, [])
        assert (store.holds, len(runs())) == (False, 1)
        store.intend(record(started=T0 + HOUR), hold=True)
    assert len(runs()) == 1, "a run that ended in between has left nothing"


def test_an_approval_takes_the_latch_off_and_is_remembered(path: Path) -> None:
    written(path)
    with Store.writing(path) as store:
        store.approve("alice", [AAAA.hostname], T0 + HOUR)
        tracks = store.hosts()["alice"].tracks
    assert tracks[A] == ALICE.tracks[A]
    waiting = ALICE.tracks[AAAA]
    assert tracks[AAAA] == replace(waiting, latched=False, held_back=(), absent_since=T0 + HOUR)
    with closing(sqlite3.connect(path)) as raw:
        said = raw.execute("SELECT family FROM answers WHERE summary = 'approved'").fetchall()
    assert said == [("ipv4",), ("ipv6",)]


def test_an_approval_takes_the_latch_off_a_name_that_gives_what_is_held(path: Path) -> None:
    back = replace(ALICE.tracks[A], latched=True, absent_since=None)
    known = replace(ALICE, tracks={**ALICE.tracks, A: back})
    written(path, record(hosts={"alice": known}))
    with Store.writing(path) as store:
        store.approve("alice", [A.hostname], T0 + HOUR)
        assert not store.hosts()["alice"].tracks[A].latched


def test_what_arrived_at_a_host_is_forgotten_with_it(path: Path) -> None:
    written(path, record(), record(hosts={}, configured=frozenset()))
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT * FROM arrivals").fetchall() == []


def test_a_second_run_replaces_what_the_first_remembered(path: Path) -> None:
    later = TargetMemory((entry("81.2.69.2", "alice"),))
    quiet = HostMemory({A: RetentionState(summary="unavailable SERVFAIL", reason="SERVFAIL")})
    written(path, record(), record(hosts={"alice": quiet}, targets=((WEB, later),)))
    with Store.reading(path) as store:
        assert store.hosts() == {"alice": quiet}
        assert store.target("web/memory") == later


def test_hosts_of_other_allowlists_are_left_as_they_are(path: Path) -> None:
    both = frozenset({"alice", "bob"})
    written(path, record(), record(hosts={"bob": ALICE}, configured=both))
    with Store.reading(path) as store:
        assert store.hosts() == {"alice": ALICE, "bob": ALICE}


def test_a_host_taken_out_of_the_configuration_is_forgotten(path: Path) -> None:
    written(path, record(), record(hosts={}, configured=frozenset()))
    with Store.reading(path) as store:
        assert store.hosts() == {}


def test_nothing_is_known_of_a_target_never_used(path: Path) -> None:
    written(path)
    with Store.reading(path) as store:
        assert store.target("web/other") is None


def test_what_was_confirmed_replaces_what_was_meant(path: Path) -> None:
    change = EntryChange(
        "web/memory", "remove", entry("81.2.69.9", "alice"), "gone", confirmed=True
    )
    with Store.writing(path) as store:
        store.intend(record())
        store.confirm([("web/memory", TargetMemory((entry("81.2.69.1", "alice"),)))], [change], T0)
        store.finish(0.25, 3, ["clock: odd"])
    with Store.reading(path) as store:
        assert store.target("web/memory") == TargetMemory((entry("81.2.69.1", "alice"),))
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT seconds, exit_code, problems FROM runs").fetchall() == [
            (0.25, 3, '["clock: odd"]')
        ]
        assert raw.execute("SELECT action, network, hosts, why FROM changes").fetchall() == [
            ("remove", "81.2.69.9/32", "alice", "gone")
        ]


def test_an_answer_is_written_into_history_only_when_it_differs(path: Path) -> None:
    moved = HostMemory({A: RetentionState(summary="found 9.9.9.9"), AAAA: ALICE.tracks[AAAA]})
    written(path, record(), record(), record(hosts={"alice": moved}))
    with closing(sqlite3.connect(path)) as raw:
        rows = raw.execute("SELECT family, summary FROM answers ORDER BY id").fetchall()
    assert rows == [
        ("ipv4", "found 81.2.69.1"), ("ipv6", "absent NXDOMAIN"), ("ipv4", "found 9.9.9.9"),
    ]  # fmt: skip


def test_a_cleared_target_is_forgotten(path: Path) -> None:
    with Store.writing(path) as store:
        store.intend(record())
        store.forget_target("web/memory", T0)
        assert store.targets() == {}
        assert store.target("web/memory") is None


def test_old_history_is_pruned_and_the_rest_kept(path: Path) -> None:
    old = T0 - timedelta(days=401)
    with Store.writing(path) as store:
        store.intend(record(started=old))
        store.intend(record())
        store.finish(0.1, 0, [])
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT count(*) FROM runs").fetchone() == (1,)
        assert raw.execute("SELECT count(*) FROM answers").fetchone() == (0,)
    with Store.reading(path) as store:
        assert store.hosts() == {"alice": ALICE}


def test_reading_where_nothing_is_makes_nothing(path: Path) -> None:
    with Store.reading(path) as store:
        assert store.hosts() == {}
        assert store.last_run() is None
        assert store.target("web/memory") is None
    assert not path.parent.exists()


def test_a_store_opened_for_reading_does_not_write(path: Path) -> None:
    written(path)
    before = path.read_bytes()
    with Store.reading(path) as store, pytest.raises(StateError, match=r"reading|readonly"):
        store.intend(record())
    with Store.nothing(path) as store, pytest.raises(StateError, match="reading"):
        store.intend(record())
    assert path.read_bytes() == before


def test_only_its_owner_can_read_the_state(path: Path) -> None:
    old = os.umask(0)
    try:
        written(path)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "content",
    [
        b"not a database at all, but long enough to be looked at" * 40,
        b"SQLite format 3\0" + b"\xff" * 4080,
    ],
)
def test_a_file_that_is_no_database_is_damaged_and_left_as_it_is(
    path: Path, content: bytes
) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StateDamaged):
        Store.writing(path)
    with pytest.raises(StateError):
        Store.reading(path)
    assert path.read_bytes() == content


def test_a_truncated_database_is_damaged(path: Path) -> None:
    written(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StateDamaged):
        written(path)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE held SET address = 'not an address' WHERE address = '81.2.69.1'",
        "UPDATE held SET since = 'yesterday'",
        "UPDATE held SET since = 9223372036854775807",
        "UPDATE tracks SET family = 'ipv5' WHERE family = 'ipv4'",
        "UPDATE fixed SET network = '203.0.113.7/24'",
        "DROP TABLE held",
    ],
)
def test_impossible_values_are_damage_and_not_a_traceback(path: Path, statement: str) -> None:
    written(path)
    with closing(sqlite3.connect(path)) as raw:
        raw.execute(statement)
        raw.commit()
    with Store.reading(path) as store, pytest.raises(StateDamaged):
        store.hosts()


@pytest.mark.parametrize(
    ("statement", "read"),
    [
        ("UPDATE targets SET written = '{'", "targets"),
        ("UPDATE entries SET network = 'x' WHERE hosts = 'bob'", "target"),
        ("UPDATE inherited SET runs = 'x'", "target"),
        ("UPDATE runs SET started = 'x'", "last_run"),
    ],
)
def test_impossible_values_elsewhere_are_damage_too(path: Path, statement: str, read: str) -> None:
    written(path)
    with closing(sqlite3.connect(path)) as raw:
        raw.execute(statement)
        raw.commit()
    with Store.reading(path) as store, pytest.raises(StateDamaged):
        store.target("web/memory") if read == "target" else getattr(store, read)()


def test_the_state_of_a_newer_version_is_not_touched(path: Path) -> None:
    written(path)
    with closing(sqlite3.connect(path)) as raw:
        raw.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(StateDamaged, match="newer allowsync"):
        Store.writing(path)
    with pytest.raises(StateDamaged, match="newer allowsync"):
        Store.reading(path)
    assert path.read_bytes() == before


def test_another_programs_database_is_not_touched(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("CREATE TABLE theirs (x)")
        raw.commit()
    before = path.read_bytes()
    with pytest.raises(StateDamaged, match="another program"):
        Store.writing(path)
    assert path.read_bytes() == before


def test_a_database_is_set_aside_under_a_new_name_with_its_journal(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"broken")
    path.with_name("state.db-journal").write_bytes(b"journal")
    aside = Store.nothing(path).set_aside(T0)
    assert aside.read_bytes() == b"broken"
    assert aside.with_name(aside.name + "-journal").read_bytes() == b"journal"
    assert not path.exists()


def test_an_empty_file_is_a_database_without_history(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    with Store.reading(path) as store:
        assert store.hosts() == {}
    written(path)


def test_a_link_in_the_way_is_not_followed(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    victim = tmp_path / "victim"
    victim.write_text("precious")
    path.symlink_to(victim)
    with pytest.raises(StateUnwritable, match="link"):
        Store.writing(path)
    with pytest.raises(StateUnwritable):
        Store.reading(path)
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("kind", ["folder", "fifo"])
def test_what_is_no_regular_file_is_refused_without_hanging(path: Path, kind: str) -> None:
    path.parent.mkdir()
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    with pytest.raises(StateUnwritable):
        Store.writing(path)
    with pytest.raises(StateUnwritable):
        Store.reading(path)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.touch()
    with pytest.raises(StateUnwritable):
        Store.writing(blocker / "state.db")


@pytest.mark.root
def test_a_folder_others_may_write_in_is_refused_by_root(path: Path, as_root: None) -> None:
    path.parent.mkdir()
    path.parent.chmod(0o777)
    with pytest.raises(StateUnwritable, match="others may write"):
        Store.writing(path)
    path.parent.chmod(0o1777)
    with pytest.raises(StateUnwritable, match="others may write"):
        Store.writing(path)
    path.parent.chmod(0o755)
    written(path)


def test_a_transaction_that_fails_leaves_what_was_there(path: Path) -> None:
    written(path)
    broken = TargetMemory((entry("81.2.69.7", "alice"), entry("81.2.69.7", "alice")))
    twice = (HostMemory({}, {}), TargetRecord("x/y", "x", "y", {"bad": object()}))
    with Store.writing(path) as store, pytest.raises(StateDamaged):
        store.intend(record(hosts={"alice": twice[0]}, targets=((twice[1], broken),)))
    with Store.reading(path) as store:
        assert store.hosts() == {"alice": ALICE}


def test_an_older_schema_is_brought_up_to_date_with_all_it_holds(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(path)
    later = (*database.MIGRATIONS, "ALTER TABLE runs ADD COLUMN later TEXT NOT NULL DEFAULT '-';")
    monkeypatch.setattr(database, "MIGRATIONS", later)
    monkeypatch.setattr(database, "VERSION", len(later))
    before = path.read_bytes()
    with Store.reading(path) as store:
        assert store.hosts() == {"alice": ALICE}
    assert path.read_bytes() == before
    with Store.writing(path) as store:
        assert store.hosts() == {"alice": ALICE}
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA user_version").fetchone() == (len(later),)
        assert raw.execute("SELECT later FROM runs").fetchall() == [("-",)]


def test_a_migration_that_fails_leaves_the_older_schema(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(path)
    broken = (*database.MIGRATIONS, "ALTER TABLE runs ADD COLUMN later TEXT; DROP TABLE none;")
    with monkeypatch.context() as patched:
        patched.setattr(database, "MIGRATIONS", broken)
        patched.setattr(database, "VERSION", len(broken))
        with pytest.raises(StateError):
            Store.writing(path)
    with Store.reading(path) as store:
        assert store.hosts() == {"alice": ALICE}


def test_the_state_of_the_first_version_keeps_its_history(path: Path) -> None:
    """The file is one that the first version wrote, with what it kept for unchanged runs."""
    path.parent.mkdir(mode=0o700)
    path.write_bytes(gzip.decompress(Path(__file__).with_name("version-1.db.gz").read_bytes()))
    path.chmod(0o600)
    Store.writing(path).close()
    with Store.reading(path) as store:
        assert store.hosts() == {"alice": ALICE}
        held = store.target(WEB.name)
        assert held is not None
        assert set(held.entries) == set(HOLDING.entries)
        assert held.inherited == HOLDING.inherited
        assert (last := store.last_run()) is not None
        assert last.started == T0 + timedelta(minutes=5)
        past = store.past(T0)
    assert [(one.target, str(one.entry.network)) for one in past.changes] == [
        ("web/memory", "81.2.69.1/32")
    ]
    with closing(sqlite3.connect(path)) as raw, closing(sqlite3.connect(":memory:")) as fresh:
        rows = raw.execute("SELECT id, seconds, exit_code, offline, problems FROM runs").fetchall()
        assert rows == [(1, 0.25, 3, 0, '["clock: odd"]'), (2, 0.25, 0, 0, "[]")]
        for script in database.MIGRATIONS:
            fresh.executescript(script)
        assert columns(raw) == columns(fresh)
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_state_with_merged_hosts_tells_apart_what_is_on_record_of_each(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    merged = {"81.2.69.0/24": "bob guests", "9.9.9.9/32": "alice", "8.8.8.0/24": "ann dan"}
    with closing(sqlite3.connect(path)) as raw:
        for script in database.MIGRATIONS[:3]:
            raw.executescript(script)
        raw.execute("INSERT INTO targets VALUES ('web/memory', 'web', 'memory', '{}', '[]')")
        raw.executemany("INSERT INTO entries VALUES ('web/memory', ?, ?)", merged.items())
        stays = [
            ("bob", "81.2.69.7/32", None), ("bob", "81.2.69.8/32", 5), ("dan", "8.8.8.8/32", None),
            ("guests", "81.2.69.0/24", None), ("alice", "9.9.9.9/32", None),
        ]  # fmt: skip
        columns = "host, network, ended, hostname, began"
        raw.executemany(f"INSERT INTO stays ({columns}) VALUES (?, ?, ?, '', 1)", stays)
        raw.execute(f"PRAGMA application_id = {database.APPLICATION_ID}")
        raw.execute("PRAGMA user_version = 3")
        raw.commit()
    path.chmod(0o600)
    Store.writing(path).close()
    with Store.reading(path) as store:
        held = store.target("web/memory")
    assert held is not None
    assert {str(one.network): " ".join(one.hosts) for one in held.entries} == merged
    assert set(held.claimed) == {
        entry("81.2.69.0/24", "guests"), entry("81.2.69.7", "bob"), entry("9.9.9.9", "alice"),
        entry("8.8.8.0/24", "ann"), entry("8.8.8.8", "dan"),
    }  # fmt: skip


WIDE = entry("81.2.68.0/23", "alice")


@pytest.mark.parametrize(
    "after",
    [
        HOLDING,
        replace(HOLDING, entries=HOLDING.entries[::-1]),
        replace(HOLDING, entries=HOLDING.entries[1:]),
        replace(HOLDING, entries=(*HOLDING.entries, WIDE)),
        replace(HOLDING, entries=(replace(HOLDING.entries[0], hosts=("carol",)),)),
        replace(HOLDING, inherited=()),
        replace(HOLDING, apart=(WIDE,)),
    ],
)
def test_what_a_target_holds_is_written_where_it_is_not_what_was_read(
    path: Path, after: TargetMemory
) -> None:
    written(path, record())
    with Store.writing(path) as store:
        assert store.target(WEB.name) is not None
        store.intend(record(started=T0 + HOUR, targets=((WEB, after),)))
    with Store.reading(path) as store:
        held = store.target(WEB.name)
    assert held is not None
    assert set(held.entries) == set(after.entries)
    assert (set(held.claimed), held.inherited) == (set(after.claimed), after.inherited)


def test_claims_that_are_no_entries_of_their_own_are_kept_apart(path: Path) -> None:
    wide = entry("81.2.69.0/24", "bob", "guests")
    pieces = (entry("9.9.9.0/31", "office"),)
    apart = (
        entry("81.2.69.0/24", "guests"),
        entry("81.2.69.7", "bob"),
        entry("9.9.9.0/30", "office"),
    )
    covering = TargetMemory((wide, *pieces), apart=apart)
    with Store.writing(path) as store:
        store.intend(record(targets=((WEB, covering),)))
        held = store.target(WEB.name)
        assert held is not None
        assert (set(held.entries), set(held.claimed)) == ({wide, *pieces}, set(apart))
        store.confirm([(WEB.name, TargetMemory((wide,)))], [], T0)
        assert store.target(WEB.name) == TargetMemory((wide,))
        store.confirm([(WEB.name, covering)], [], T0)
        store.forget_target(WEB.name, T0)
        cleared = {one.entry.network for one in store.past(T0).changes}
    assert cleared == {wide.network, pieces[0].network}


def test_when_access_ends_is_what_the_last_run_said(path: Path) -> None:
    for ends in ({}, {"guest": T0 + HOUR, "x": T0}, {"guest": T0}, {}):
        with Store.writing(path) as store:
            store.intend(record(ends=ends))
        with Store.reading(path) as store:
            assert store.ends() == ends
    with Store.reading(path.with_name("none.db")) as store:
        assert store.ends() == {}


def columns(connection: sqlite3.Connection) -> list[tuple[str, str, str, str]]:
    """The tables, views and indexes of a database, with their columns."""
    return connection.execute(
        "SELECT one.type, tbl_name, one.name, coalesce(other.name, '') FROM sqlite_schema AS one "
        "LEFT JOIN pragma_table_info(one.name) AS other ORDER BY 1, 2, 3, 4"
    ).fetchall()


NAMES = ("alice", "bob", "carol")
CHANCE = {
    "again": RetentionState(
        (HeldAddress(ip_address("81.2.69.1"), T0, T0),), T0, summary="found 81.2.69.1"
    ),
    "another": RetentionState(
        (HeldAddress(ip_address("81.2.69.2"), T0, T0),), T0, summary="found 81.2.69.2"
    ),
    "with a past": RetentionState(
        (HeldAddress(ip_address("81.2.69.1"), T0, T0),),
        T0,
        summary="found 81.2.69.1",
        past=(HeldAddress(ip_address("81.2.69.9"), T0, T0, T0, 3),),
    ),
    "leaving": RetentionState(
        (
            HeldAddress(ip_address("81.2.69.1"), T0, T0),
            HeldAddress(ip_address("81.2.69.2"), T0, T0, T0, 1),
        ),
        T0,
        summary="found 81.2.69.1",
    ),
    "silent": RetentionState(
        (HeldAddress(ip_address("81.2.69.1"), T0, T0),), T0, unavailable_runs=1, reason="SERVFAIL"
    ),
    "absent": RetentionState((), None, T0, 4, summary="absent NODATA", reason="NODATA"),
}


def given_at(at: datetime, track: RetentionState) -> RetentionState:
    """The same, as of a run: what an answer gave has its time."""
    if track.reason:
        return track
    held = tuple(one if one.replaced else replace(one, confirmed=at) for one in track.held)
    return replace(track, held=held, last_found=at)


def only_again(before: HostMemory, after: HostMemory) -> bool:
    """Whether each question gave its one address once more, or has none as ever."""
    plain = [CHANCE["again"], CHANCE["another"], CHANCE["absent"]]
    then, now = (
        {query: given_at(T0, track) for query, track in one.tracks.items()}
        for one in (before, after)
    )
    return then == now and all(one in plain for one in now.values())


@pytest.mark.parametrize("seed", range(8))
def test_rows_that_stay_as_they_are_tell_the_time_of_the_last_answer(path: Path, seed: int) -> None:
    """Runs over some of the hosts, most of which are given again what they were given."""
    draw, expected = random.Random(seed), dict[str, HostMemory]()
    wanted = {name: ["again", "again"] for name in NAMES}
    for number in range(8):
        at = T0 + number * HOUR
        asked = [name for name in NAMES if draw.random() < 0.8]
        offline = draw.random() < 0.2
        with Store.writing(path) as store:
            known = store.hosts() if draw.random() < 0.8 else expected
            assert known == expected
            for name in () if offline else asked:
                place = draw.randrange(4)
                if place < 2:
                    wanted[name][place] = draw.choice(list(CHANCE))
                kinds = dict(zip((A, AAAA), wanted[name], strict=True))
                tracks = {query: given_at(at, CHANCE[kind]) for query, kind in kinds.items()}
                if draw.random() < 0.1:
                    del tracks[AAAA]
                expected[name] = HostMemory(tracks, {}, {net("81.2.69.1"): T0})
            hosts = {name: expected[name] for name in asked if name in expected}
            again = {
                name: known[name]
                for name, one in hosts.items()
                if name in known and not offline and only_again(known[name], one)
            }
            run = record(started=at, offline=offline, hosts=hosts, configured=frozenset(NAMES))
            store.intend(replace(run, again=again))
            assert store.hosts() == expected
        with Store.reading(path) as store:
            assert store.hosts() == expected


@pytest.mark.parametrize("seed", range(4))
def test_sightings_that_come_in_every_run_are_counted_all_the_same(path: Path, seed: int) -> None:
    draw = random.Random(seed)
    ledger = Ledger(
        tuple(Sighting(f"{name}.example.org", net("81.2.69.1"), False, T0, T0) for name in NAMES)
    )
    for number in range(10):
        at, kind = T0 + number * HOUR, draw.choice(("again", "again", "again", "one", "offline"))
        with Store.writing(path) as store:
            known = store.ledger() if number and draw.random() < 0.8 else ledger
            assert set(known.sightings) == set(ledger.sightings)
            if kind != "offline":
                ledger = Ledger(
                    tuple(
                        one._replace(last=at, runs=one.runs + 1, missed=0)
                        if kind == "again" or place
                        else one._replace(runs=0, missed=one.missed + 1)
                        for place, one in enumerate(known.sightings)
                    )
                )
            store.intend(record(started=at, ledger=known if kind == "offline" else ledger))
            if draw.random() < 0.2:
                store.approve("alice", ["alice.example.org"], at)
                ledger = store.ledger()
                assert ledger.sightings[0].approved
        with Store.reading(path) as store:
            assert store.ledger().sightings == ledger.sightings


def test_a_run_that_is_given_what_the_last_was_given_rewrites_no_row(path: Path) -> None:
    def tables() -> list[list[tuple[object, ...]]]:
        with closing(sqlite3.connect(path)) as raw:
            names = ("tracks", "held", "arrivals", "sightings")
            return [raw.execute(f"SELECT * FROM {name}").fetchall() for name in names]

    def run(number: int) -> None:
        at = T0 + number * HOUR
        memory = HostMemory({A: given_at(at, CHANCE["again"])}, {}, {net("81.2.69.1"): T0})
        seen = Sighting(A.hostname, net("81.2.69.1"), False, T0, at, number)
        with Store.writing(path) as store:
            known = store.hosts() if number > 1 else {}
            store.ledger()
            run = record(started=at, hosts={"alice": memory}, ledger=Ledger((seen,)))
            store.intend(replace(run, again=known))
            assert store.hosts() == {"alice": memory}
            assert store.ledger() == Ledger((seen,))

    for number in range(1, 4):
        run(number)
    before = tables()
    run(4)
    assert tables() == before


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM answered",
        "UPDATE answered SET at = 'x'",
        "UPDATE held SET again = 2",
        "UPDATE tracks SET again = 'x'",
    ],
)
def test_a_mark_without_its_time_is_damage(path: Path, statement: str) -> None:
    for number in range(2):
        at = T0 + number * HOUR
        memory = HostMemory({A: given_at(at, CHANCE["again"])})
        written(path, record(started=at, hosts={"alice": memory}))
    with closing(sqlite3.connect(path)) as raw:
        raw.execute(statement)
        raw.commit()
    with Store.reading(path) as store, pytest.raises(StateDamaged):
        store.hosts()
