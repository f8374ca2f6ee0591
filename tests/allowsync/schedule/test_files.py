"""Files of ours are known by their first line; nobody else's are touched."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from allowsync.schedule import units
from allowsync.schedule.files import Disk, FileState, marked
from allowsync.schedule.units import CRON, SERVICE, UNITS, ScheduleFile
from tests.support.documents import ROOT

TEXT = "# What it is.\n[Unit]\n"
PLACE = UNITS / SERVICE


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def put(disk: Disk, text: str) -> Path:
    path = disk.at(PLACE)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_what_was_written_is_current(disk: Disk) -> None:
    assert disk.found(PLACE, TEXT) is FileState.ABSENT
    disk.write(ScheduleFile(PLACE, TEXT))
    assert disk.found(PLACE, TEXT) is FileState.CURRENT
    assert disk.found(PLACE) is FileState.CURRENT
    assert disk.at(PLACE).stat().st_mode & 0o7777 == 0o644
    assert [one.name for one in disk.at(PLACE).parent.iterdir()] == [SERVICE]


def test_what_another_version_wrote_is_outdated(disk: Disk) -> None:
    put(disk, marked("[Unit]\nDescription=Before\n"))
    assert disk.found(PLACE, TEXT) is FileState.OUTDATED


def test_a_changed_letter_is_noticed(disk: Disk) -> None:
    put(disk, marked(TEXT).replace("[Unit]", "[Unix]"))
    assert disk.found(PLACE, TEXT) is FileState.EDITED
    assert disk.found(PLACE) is FileState.EDITED


def test_what_does_not_say_that_it_is_ours_is_not(disk: Disk) -> None:
    put(disk, TEXT)
    assert disk.found(PLACE, TEXT) is FileState.FOREIGN


def test_a_copy_of_what_is_shipped_is_ours(disk: Disk) -> None:
    put(disk, (ROOT / "cron" / SERVICE).read_text())
    assert disk.found(PLACE, TEXT) is FileState.OUTDATED


def test_a_link_is_never_followed(disk: Disk, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(marked(TEXT))
    disk.at(PLACE).parent.mkdir(parents=True)
    disk.at(PLACE).symlink_to(elsewhere)
    assert disk.found(PLACE, TEXT) is FileState.FOREIGN
    disk.write(ScheduleFile(PLACE, "new"))
    assert elsewhere.read_text() == marked(TEXT)
    assert not disk.at(PLACE).is_symlink()


def test_removing_takes_the_folder_of_a_drop_in_along_and_no_other(disk: Disk) -> None:
    drop_in = UNITS / f"{SERVICE}.d/needs.conf"
    for path in (drop_in, CRON):
        disk.write(ScheduleFile(path, TEXT))
        disk.remove(path)
        disk.remove(path)
    assert not disk.at(drop_in).parent.exists()
    assert disk.at(CRON).parent.is_dir()


def test_somebody_elses_drop_in_stays(disk: Disk) -> None:
    ours, theirs = (UNITS / f"{SERVICE}.d" / name for name in ("needs.conf", "override.conf"))
    disk.write(ScheduleFile(ours, TEXT))
    disk.write(ScheduleFile(theirs, TEXT))
    disk.remove(ours)
    assert disk.at(theirs).exists()


@pytest.mark.parametrize("name", units.TEMPLATES)
def test_the_folder_cron_holds_what_is_installed(name: str) -> None:
    assert (ROOT / "cron" / name).read_text() == units.template(name)


def test_nothing_is_shipped_that_is_not_installed() -> None:
    shipped = {path.name for path in (ROOT / "allowsync/schedule/units").iterdir()}
    assert shipped == set(units.TEMPLATES)
    kept = {path.name for path in (ROOT / "cron").iterdir() if path.is_file()}
    assert kept == set(units.TEMPLATES)


def test_a_place_is_below_the_root(disk: Disk, tmp_path: Path) -> None:
    assert disk.at(PurePosixPath("/etc/a")) == tmp_path / "etc/a"
