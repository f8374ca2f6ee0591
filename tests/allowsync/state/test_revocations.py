"""Revocations in the file beside the state: all of them, or known not to be."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from allowsync.model.access_order import Revocation
from allowsync.state.revocations import KeptRevocations, path_of, read_revoked, write_revoked
from tests.support.values import T0

if TYPE_CHECKING:
    from pathlib import Path

ALICE = Revocation("alice", T0, None, ("alice.example.org",))
STREET = Revocation("81.2.69.0/24", T0, ip_network("81.2.69.0/24"))


def test_what_is_written_is_read_and_nothing_is_no_file(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    assert read_revoked(state) == KeptRevocations()
    write_revoked(state, [ALICE, STREET])
    assert read_revoked(state) == KeptRevocations((ALICE, STREET))
    write_revoked(state, [])
    assert not path_of(state).exists()


@pytest.mark.parametrize("known", [(), (ALICE,), (ALICE, STREET)])
def test_what_is_known_not_to_be_all_is_read_as_that(
    tmp_path: Path, known: tuple[Revocation, ...]
) -> None:
    state = tmp_path / "state.db"
    write_revoked(state, known, whole=False)
    assert read_revoked(state) == KeptRevocations(known, "it is incomplete")


def test_a_file_cut_short_anywhere_is_known_to_be(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    write_revoked(state, [ALICE, STREET])
    whole = path_of(state).read_bytes()
    for length in range(len(whole) - 1):  # without its last line feed, it holds all the same
        path_of(state).write_bytes(whole[:length])
        kept = read_revoked(state)
        assert kept.lacking
        assert (ALICE, STREET)[: len(kept.revocations)] == kept.revocations
    path_of(state).write_bytes(whole + whole)
    assert read_revoked(state).lacking


def test_what_is_no_file_to_be_read_may_hold_more(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    path_of(state).mkdir()
    assert read_revoked(state) == KeptRevocations(lacking="Is a directory")
