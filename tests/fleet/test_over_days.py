"""What time does to a machine that follows and is cut off."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.days import START, Days, clock_at
from tests.support.fleets import Machine, Machines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testkit.fake_dns.nameserver import NameServer

DAY = 24 * 60  # minutes
ALICE = {"hostname": "alice.example.org", "families": ["ipv4"]}
OFFICE = {"networks": ["81.2.70.0/24"]}
BOTH = ["81.2.69.1/32", "81.2.70.0/24"]


@pytest.fixture
def machines(tmp_path: Path, server: NameServer) -> Machines:
    (tmp_path / "store").mkdir()
    return Machines(tmp_path, server, {"file": str(tmp_path / "store")})


@pytest.fixture
def resolver(machines: Machines, capsys: pytest.CaptureFixture[str]) -> Iterator[Days]:
    with clock_at(START) as clock:
        yield Days(machines.resolver(alice=ALICE, office=OFFICE), clock, capsys)


@pytest.fixture
def applier(machines: Machines, resolver: Days) -> Days:
    return Days(machines.applier(), resolver.clock, resolver.capture)


def cut_off(machine: Days) -> None:
    assert isinstance(machine.here, Machine)
    machine.here.store = {"file": "/nonexistent"}


def test_access_ends_by_what_was_confirmed_last(resolver: Days, applier: Days) -> None:
    resolver("apply")
    applier.at(5)("apply")
    cut_off(applier)
    for minutes in (DAY, 2 * DAY, 3 * DAY - 1):
        assert applier.at(minutes)("apply").code == 3
        assert applier.here.allowed == BOTH
    applier.at(3 * DAY + 1)("apply")
    assert applier.here.allowed == ["81.2.70.0/24"]


def test_until_comes_on_time(resolver: Days, applier: Days) -> None:
    resolver.here.hosts["alice"] = {**ALICE, "until": "2026-11-20T16:00:00+00:00"}
    resolver("apply")
    applier.at(1)("apply")
    cut_off(applier)
    applier.at(59)("apply")
    assert applier.here.allowed == BOTH
    applier.at(60)("apply")
    assert applier.here.allowed == ["81.2.70.0/24"]


def test_until_comes_on_time_where_the_document_is_lost_as_well(
    resolver: Days, applier: Days
) -> None:
    resolver.here.hosts["alice"] = {**ALICE, "until": "2026-11-20T16:00:00+00:00"}
    resolver("apply")
    applier.at(1)("apply")
    cut_off(applier)
    for kept in applier.here.state.parent.glob("*.fleet"):
        kept.unlink()
    for minutes in (20, 40, 59):
        applier.at(minutes)("apply")
        assert applier.here.allowed == BOTH
    applier.at(60)("apply")
    assert applier.here.allowed == ["81.2.70.0/24"]


def test_every_list_is_published_once_an_hour(resolver: Days, applier: Days) -> None:
    resolver("apply")
    applier.at(5)("apply")
    document = Path(applier.here.folder.parent, "store", "web.json")
    first = document.read_bytes()
    resolver.at(55)("apply")
    assert document.read_bytes() == first
    resolver.at(61)("apply")
    assert document.read_bytes() != first
    assert applier.at(65)("apply").code == 0


def test_a_store_where_nothing_is_published_any_more_is_told(resolver: Days, applier: Days) -> None:
    resolver("apply")
    applier.at(5)("apply")
    assert applier.at(120)("apply").code == 0
    done = applier.at(130)("apply")
    assert done.code == 3
    assert "no machine leads, or a clock is off" in " ".join(done.err.split())
    assert applier.here.allowed == BOTH
    resolver.at(131)("apply")
    assert applier.at(132)("apply").code == 0


@pytest.mark.parametrize("minutes", [-DAY, DAY])
def test_a_clock_that_is_off_by_a_day_removes_nothing(
    resolver: Days, applier: Days, minutes: int
) -> None:
    resolver("apply")
    applier.at(1)("apply")
    for later in range(1, 30, 10):
        done = applier.at(minutes + later)("apply")
        assert done.code == 3
        assert "a clock is off" in " ".join(done.err.split())
        assert applier.here.allowed == BOTH


@pytest.mark.parametrize("minutes", [-DAY, DAY])
def test_a_clock_that_is_off_by_a_day_adds_nothing(
    resolver: Days, applier: Days, zones: dict[str, object], minutes: int
) -> None:
    """What is new is signed and of the next number, and of an age that it cannot have."""
    resolver("apply")
    applier.at(5)("apply")
    zones["alice.example.org"] = ["81.2.69.7"]
    resolver.here.hosts["carol"] = {"networks": ["81.2.73.0/24"]}
    resolver.at(10)("apply")
    for later in range(0, 30, 10):
        done = applier.at(10 + minutes + later)("apply")
        assert done.code == 3
        said = " ".join(done.err.split())
        assert "a clock is off" in said
        assert "its entries stay" in said
        assert applier.here.allowed == BOTH
    resolver.at(40)("apply")
    assert applier.at(40)("apply").code == 0
    assert {"81.2.69.7/32", "81.2.73.0/24"} <= set(applier.here.allowed)


def test_a_first_document_that_is_still_to_come_is_not_believed(
    resolver: Days, applier: Days
) -> None:
    resolver.at(DAY)("apply")
    done = applier.at(0)("apply")
    assert done.code in (1, 3)
    assert "a clock is off" in " ".join(done.err.split())
    assert not applier.here.file.exists()


def test_a_machine_without_a_state_comes_up_while_no_machine_leads(
    resolver: Days, applier: Days
) -> None:
    resolver("apply")
    done = applier.at(DAY)("apply")
    assert done.code == 3
    assert "no machine leads" in " ".join(done.err.split())
    assert applier.here.allowed == BOTH


def test_a_successor_repairs_what_a_clock_that_was_ahead_left(
    resolver: Days, applier: Days
) -> None:
    resolver.at(DAY)("apply")
    resolver.here.state.unlink()
    assert resolver.at(0)("apply").code == 0
    assert applier.at(1)("apply").code == 0
    assert applier.here.allowed == BOTH


def test_a_first_document_that_is_too_old_is_not_believed(resolver: Days, applier: Days) -> None:
    resolver("apply")
    done = applier.at(3 * DAY + 1)("apply")
    assert "too old to begin with" in " ".join(done.err.split())
    assert not applier.here.file.exists()
