"""A run with nothing to do says and changes nothing; whatever changes is noticed."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from allowsync.state import Lock, Store
from testkit.fake_dns.behaviours import SERVFAIL, Delay, NoSOA, Ttl
from tests.support.files import as_written

if TYPE_CHECKING:
    from tests.support.program import Installation


def rows(here: Installation, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(here.state)) as raw:
        found = raw.execute(statement, values).fetchall()
        raw.commit()
    return found


def settle(here: Installation) -> None:
    """Two runs, of which the second has nothing to do."""
    here.write()
    here.freeze = True
    here("apply")
    done = here("apply")
    assert (done.code, done.out, done.err) == (0, "", "")


@pytest.fixture
def idle(here: Installation) -> Installation:
    settle(here)
    return here


def test_an_idle_run_asks_every_name_and_says_nothing(idle: Installation) -> None:
    before = as_written(idle.file)
    for _ in range(3):
        idle.server.asked.clear()
        done = idle("apply")
        assert (done.code, done.out, done.err) == (0, "", "")
        assert len({(one.hostname, one.rdtype) for one in idle.server.asked}) == 6
    assert as_written(idle.file) == before
    assert len(rows(idle, "SELECT * FROM runs WHERE exit_code = 0")) == 5


def test_an_idle_run_remembers_that_everything_was_confirmed(idle: Installation) -> None:
    """Everything but the instants is the same; those are the run's own."""
    statement = (
        "SELECT host, hostname, family, absent_runs, unavailable_runs, summary, reason, "
        "last_found IS NULL, absent_since FROM tracks ORDER BY 1, 2, 3"
    )
    before = rows(idle, statement)
    idle("apply")
    after = rows(idle, statement)
    idle("apply --offline")  # leaves tracks as they are
    assert rows(idle, statement) == after
    idle("apply -v")
    assert [row[3] for row in before if row[6] == "NODATA"] == [1, 1]  # not counted further
    assert before == after == rows(idle, statement)
    with Store.reading(idle.state) as store:
        latest, known = store.last_run(), store.hosts().values()
    assert latest is not None
    tracks = [track for memory in known for track in memory.tracks.values()]
    assert {one.confirmed for track in tracks for one in track.held} == {latest.started}


def noticed(here: Installation, code: int = 0) -> str:
    """What the next run says."""
    done = here("apply")
    assert done.code == code, done.out + done.err
    return done.out + done.err


def test_a_moved_friend_is_noticed(idle: Installation, zones: dict[str, object]) -> None:
    zones["bob.example.org"] = ["81.2.69.99"]
    assert "moved from 81.2.69.2" in noticed(idle)
    assert "81.2.69.99/32" in idle.allowed


def test_a_silent_dns_is_noticed(idle: Installation, zones: dict[str, object]) -> None:
    zones["bob.example.org"] = SERVFAIL
    assert "SERVFAIL" in noticed(idle, 3)


def test_a_slow_dns_is_asked_again(idle: Installation, zones: dict[str, object]) -> None:
    zones["bob.example.org"] = Delay(0.6, ["81.2.69.2"])
    assert noticed(idle) == ""


def test_another_ttl_is_no_difference(idle: Installation, zones: dict[str, object]) -> None:
    zones["bob.example.org"] = Ttl(4321, ["81.2.69.2"])
    idle("apply")
    rows_of_bob = rows(idle, "SELECT summary FROM tracks WHERE host = 'bob' AND family = 'ipv4'")
    assert rows_of_bob == [("found 81.2.69.2",)]


def test_an_edited_target_is_noticed(idle: Installation) -> None:
    idle.file.write_text(idle.file.read_text() + "6.6.6.6/32\n")
    assert "6.6.6.6" in noticed(idle)
    assert "6.6.6.6/32" not in idle.allowed


def test_a_removed_target_is_noticed(idle: Installation) -> None:
    idle.file.unlink()
    assert "does not exist" in noticed(idle)


def test_other_permissions_of_a_target_are_noticed(idle: Installation) -> None:
    idle.file.chmod(0o666)
    assert "mode" in noticed(idle)


def test_an_edited_configuration_is_noticed(idle: Installation) -> None:
    del idle.hosts["bob"]
    idle.freeze = False
    assert "81.2.69.2" in noticed(idle)


def test_a_broken_configuration_is_noticed(idle: Installation) -> None:
    idle.path.write_text("hosts: [")
    assert idle("apply").code == 2


def test_an_end_of_access_is_noticed(here: Installation) -> None:
    begun = datetime.now(UTC)
    settle(here)
    took = datetime.now(UTC) - begun
    here.freeze = False
    soon = (datetime.now(UTC) + 5 * took + timedelta(seconds=3)).replace(microsecond=0)
    here.hosts["bob"] = {"hostname": "bob.example.org", "until": soon.isoformat(timespec="seconds")}
    settle(here)
    assert here("apply").out == ""
    time.sleep(max(0.0, (soon - datetime.now(UTC)).total_seconds()))
    assert "access ended" in noticed(here)


@pytest.mark.parametrize("days", [-2, 2])
def test_a_clock_that_jumped_is_noticed(idle: Installation, days: int) -> None:
    rows(idle, "UPDATE clock SET wall = wall + ?", days * 86_400_000_000)
    assert "clock" in noticed(idle)


def test_a_lost_state_is_noticed(idle: Installation) -> None:
    idle.state.unlink()
    assert "is gone with what the last run knew" in noticed(idle)
    assert len(idle.allowed) == 4


def test_a_garbage_state_is_noticed(idle: Installation) -> None:
    idle.state.write_bytes(b"garbage" * 9999)
    assert "set aside" in noticed(idle)


def test_another_run_at_work_is_noticed(idle: Installation) -> None:
    with Lock(idle.state):
        assert idle("apply").code == 5
    assert noticed(idle) == ""


def test_answers_without_proof_leave_nothing_to_do(
    here: Installation, zones: dict[str, object]
) -> None:
    zones["bob.example.org"] = NoSOA(["81.2.69.2"])
    settle(here)
    assert noticed(here) == ""


def test_a_proxied_name_warns_in_every_run(here: Installation, zones: dict[str, object]) -> None:
    zones["bob.example.org"] = ["104.16.1.1"]
    for _ in range(3):
        assert "proxied" in here("apply").err
