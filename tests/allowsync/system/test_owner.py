"""Whose a path is, and being that user for a while."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from allowsync.system.owner import acting_as, owner_of

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.root
SOMEBODY = 12345


@pytest.fixture
def folder(as_root: None) -> Iterator[Path]:
    """A folder of root's that every user may enter."""
    with tempfile.TemporaryDirectory() as path:
        Path(path).chmod(0o755)
        (Path(path) / "lib").mkdir()
        yield Path(path)


def test_what_only_root_may_change_is_roots(folder: Path) -> None:
    assert owner_of(folder / "lib" / "state.db") == 0
    assert owner_of(folder / "none" / "at" / "all") == 0
    (folder / "lib" / "state.db").touch()
    assert owner_of(folder / "lib" / "state.db") == 0


@pytest.mark.parametrize("whose", ["lib/deep/state.db", "lib/deep", "lib"])
def test_the_first_who_may_change_any_part_decides(folder: Path, whose: str) -> None:
    (folder / "lib" / "deep").mkdir()
    (folder / "lib" / "deep" / "state.db").touch()
    os.chown(folder / whose, SOMEBODY, -1)
    assert owner_of(folder / "lib" / "deep" / "state.db") == SOMEBODY


def test_a_link_on_the_way_leads_to_whose_it_is(folder: Path) -> None:
    (folder / "theirs").mkdir()
    os.chown(folder / "theirs", SOMEBODY, -1)
    (folder / "by-way").symlink_to("lib/../theirs")
    assert owner_of(folder / "by-way" / "state.db") == SOMEBODY
    (folder / "theirs" / "back").symlink_to(folder / "lib")
    assert owner_of(folder / "theirs" / "back" / "state.db") == SOMEBODY
    (folder / "to-root").symlink_to(folder / "lib")
    assert owner_of(folder / "to-root" / "state.db") == 0
    os.chown(folder / "to-root", SOMEBODY, -1, follow_symlinks=False)
    assert owner_of(folder / "to-root" / "state.db") == SOMEBODY
    (folder / "round").symlink_to("round")
    with pytest.raises(OSError, match="symbolic links"):
        owner_of(folder / "round" / "state.db")


@pytest.mark.parametrize(
    ("mode", "where", "shared"),
    [
        (0o777, "lib", True),
        (0o777, ".", True),
        (0o1777, "lib", True),  # not swapped, but files may be put beside it
        (0o1777, ".", False),
        (0o770, "lib", True),
        (0o755, "lib", False),
    ],
)
def test_a_folder_that_others_may_write_in_is_said(
    folder: Path, mode: int, where: str, shared: bool
) -> None:
    (folder / where).chmod(mode)
    if not shared:
        assert owner_of(folder / "lib" / "state.db") == 0
        return
    with pytest.raises(PermissionError, match=r"others may write in .*chmod go-w"):
        owner_of(folder / "lib" / "state.db")


def test_acting_as_a_user_is_to_have_that_users_rights_for_a_while(folder: Path) -> None:
    secret = folder / "secret"
    secret.touch(0o600)
    groups = os.getgroups()
    with acting_as(SOMEBODY):
        assert (os.geteuid(), os.getuid()) == (SOMEBODY, 0)
        with pytest.raises(PermissionError):
            secret.read_bytes()
        with acting_as(SOMEBODY):
            pass
        assert os.geteuid() == SOMEBODY
    assert (os.geteuid(), os.getegid(), os.getgroups()) == (0, 0, groups)
    with pytest.raises(ZeroDivisionError), acting_as(SOMEBODY):
        _ = 1 / 0
    assert os.geteuid() == 0
    secret.read_bytes()
