"""A configuration that is replaced: by whom, as what, and what happens in between."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from allowsync.setup.replacement import ConfigBusy, NotReplaced, editing, put
from allowsync.system.files import ACCESS_LIST

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("old")
    path.chmod(0o640)
    return path


def replaced(path: Path, text: str = "new") -> None:
    with editing(path, write=True) as found:
        put(found, text)


def test_mode_and_owner_stay(path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(path, 0, 65534)
    before = path.stat()
    replaced(path)
    after = path.stat()
    assert path.read_text() == "new"
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode, before.st_uid, before.st_gid)  # fmt: skip
    assert after.st_ino != before.st_ino
    assert [one.name for one in path.parent.iterdir()] == ["config.yaml"]


def test_an_access_control_list_stays(path: Path) -> None:
    # acl(5), as the kernel keeps it: version 2, then tag, permissions and id of each entry.
    entries = ((0x01, 6, -1), (0x02, 4, 65534), (0x04, 4, -1), (0x10, 4, -1), (0x20, 0, -1))
    packed = b"".join(
        tag.to_bytes(2, "little") + rights.to_bytes(2, "little")
        + who.to_bytes(4, "little", signed=who < 0)
        for tag, rights, who in entries
    )  # fmt: skip
    access = (2).to_bytes(4, "little") + packed
    os.setxattr(path, ACCESS_LIST, access)
    replaced(path)
    assert os.getxattr(path, ACCESS_LIST) == access


def test_a_link_is_followed_and_stays_a_link(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(path.name)
    replaced(link)
    assert link.is_symlink()
    assert path.read_text() == "new"


def test_a_byte_order_mark_stays(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbfold")
    with editing(path, write=True) as found:
        assert found.text == "old"
        put(found, "new")
    assert path.read_bytes() == b"\xef\xbb\xbfnew"


def test_what_was_changed_meanwhile_is_not_overwritten(path: Path) -> None:
    with editing(path, write=True) as found:
        path.write_text("by an editor")
        with pytest.raises(NotReplaced, match="changed meanwhile"):
            put(found, "new")
    assert path.read_text() == "by an editor"


def test_hard_links_are_not_parted(path: Path, tmp_path: Path) -> None:
    os.link(path, tmp_path / "other")
    with pytest.raises(NotReplaced, match="2 names"):
        replaced(path)


def _missing(path: Path) -> None:
    path.unlink()


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _binary(path: Path) -> None:
    path.write_bytes(b"\xff\xfe")


def _in_no_folder(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere/config.yaml")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (_missing, "file not found; to write one: allowsync init"),
        (_in_no_folder, "file not found"),
        (_folder, "this is a folder, not a file"),
        (_binary, "not UTF-8 text"),
    ],
)
def test_what_cannot_be_edited_is_named(
    path: Path, change: Callable[[Path], None], what: str
) -> None:
    change(path)
    with pytest.raises(NotReplaced, match=what), editing(path, write=True) as found:
        put(found, found.text)


@pytest.mark.root
@pytest.mark.parametrize(
    ("owner", "folder", "what"),
    [(65534, 0o777, "cannot be written"), (0, 0o777, "it belongs to user 0"),
     (65534, 0o555, "cannot be written")],
)  # fmt: skip
def test_a_file_that_is_not_ours_to_write_is_named(
    as_root: None, owner: int, folder: int, what: str
) -> None:
    with TemporaryDirectory() as name:  # others cannot look into that of pytest
        place = Path(name)
        path = place / "config.yaml"
        path.write_text("old")
        os.chown(path, owner, owner)
        path.chmod(0o444 if owner else 0o644)
        place.chmod(folder)
        os.seteuid(65534)
        try:
            with pytest.raises(NotReplaced, match=what):
                replaced(path)
        finally:
            os.seteuid(0)
        assert path.read_text() == "old"


def test_edits_wait_for_each_other(path: Path) -> None:
    path.write_text("")

    def add(line: str) -> None:
        with editing(path, write=True) as found:
            put(found, f"{found.text}{line}\n")

    lines = [str(number) for number in range(8)]
    threads = [threading.Thread(target=add, args=(line,)) for line in lines]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(path.read_text().split()) == lines


def test_an_edit_that_takes_too_long_is_not_waited_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("allowsync.setup.replacement.WAIT", 0.0)
    with editing(path, write=True):
        with pytest.raises(ConfigBusy, match="another command is editing it"):
            replaced(path)
        with editing(path, write=False) as found:  # to look does not wait
            assert found.text == "old"


@pytest.mark.parametrize("step", ["open", "fchmod", "fsync", "rename"])
def test_a_kill_leaves_the_one_text_or_the_other(path: Path, step: str) -> None:
    child = os.fork()
    if not child:
        setattr(os, step, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
        try:
            replaced(path)
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert path.read_text() == "old"
    replaced(path)  # nor is anything left that is in the way
    assert path.read_text() == "new"
    assert [one.name for one in path.parent.iterdir()] == ["config.yaml"]
