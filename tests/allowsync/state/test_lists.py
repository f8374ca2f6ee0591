"""Lists as they are kept beside the state: plain, whole, and nobody else's."""

from __future__ import annotations

import os
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from allowsync.model.value import replace
from allowsync.policy.list_formats import entry
from allowsync.state.lists import KeptList, forget_list, list_path, read_list, write_list
from tests.support.values import T0

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = ("192.0.2.0/25", "192.0.2.128/25", "198.51.100.7/32", "2001:db8::/32")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state" / "state.db"


@pytest.fixture
def kept() -> KeptList:
    entries = [found for one in TEXTS if (found := entry(one)) is not None]
    about = KeptList("office", T0, "asked", "source", T0, etag='"1"', stamp=(1, 2), failures=2)
    return replace(about, trouble="no answer é").with_entries(entries)


def test_it_is_read_as_it_was_written(state: Path, kept: KeptList) -> None:
    assert write_list(state, kept)
    found = read_list(state, "office")
    assert found is not None
    assert replace(found, path=None, text=kept.text) == kept
    joined = ("192.0.2.0/24", *TEXTS[2:])
    assert found.networks() == tuple(map(ip_network, joined))
    spans = found.spans()
    assert spans is not None
    assert [last - first + 1 for first, last in spans[0]] == [256, 1]
    assert [last - first + 1 for first, last in spans[1]] == [2**96]
    assert found.count == 3
    assert list_path(state, "office").stat().st_mode & 0o777 == 0o600


def test_it_is_written_again_without_its_networks_in_memory(state: Path, kept: KeptList) -> None:
    write_list(state, kept)
    found = read_list(state, "office")
    assert found is not None
    assert write_list(state, replace(found, trouble="", failures=0))
    again = read_list(state, "office")
    assert again is not None
    assert (again.trouble, again.networks()) == ("", found.networks())


def test_long_texts_are_cut(state: Path, kept: KeptList) -> None:
    much = "é" * 9999
    assert write_list(state, replace(kept, trouble=much, etag="e" * 9999, unfit=much))
    found = read_list(state, "office")
    assert found is not None
    assert found.trouble == much[:300]


def test_what_was_never_kept_is_not_known(state: Path) -> None:
    assert read_list(state, "office") is None
    forget_list(state, "office")


def test_what_is_to_be_forgotten_is_gone(state: Path, kept: KeptList) -> None:
    write_list(state, kept)
    forget_list(state, "office")
    assert read_list(state, "office") is None


def test_no_byte_can_be_changed_unseen(state: Path, kept: KeptList) -> None:
    write_list(state, kept)
    path = list_path(state, "office")
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        found = read_list(state, "office")
        assert found is None or (found.networks() is None and found.spans() is None)


@pytest.mark.parametrize("share", [0, 1, 30, 70, 200, 99999])
def test_what_is_cut_short_is_not_believed(state: Path, kept: KeptList, share: int) -> None:
    write_list(state, kept)
    path = list_path(state, "office")
    whole = path.read_bytes()
    path.write_bytes(whole[: min(share, len(whole) - 1)])
    found = read_list(state, "office")
    assert found is None or found.networks() is None


def test_what_others_could_have_written_is_not_believed(state: Path, kept: KeptList) -> None:
    write_list(state, kept)
    path = list_path(state, "office")
    found = read_list(state, "office")
    path.chmod(0o620)
    assert read_list(state, "office") is None
    path.chmod(0o600)
    path.with_name("other").hardlink_to(path)
    assert read_list(state, "office") is None
    path.with_name("other").unlink()
    aside = path.rename(path.with_name("aside"))
    path.symlink_to(aside)
    assert read_list(state, "office") is None
    assert found is not None
    assert found.networks() is None
    path.unlink()
    os.mkfifo(path)
    assert read_list(state, "office") is None


def test_where_nothing_can_be_written_that_is_told(state: Path, kept: KeptList) -> None:
    state.parent.parent.joinpath("state").write_text("a file")
    assert not write_list(state, kept)
