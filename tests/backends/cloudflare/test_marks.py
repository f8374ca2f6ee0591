"""Whose an item is, by its comment: several marks, and room for 500 characters."""

from __future__ import annotations

import pytest
from allowsync_backends.cloudflare.marks import LONGEST, ItemOwnership, marked, marks_of, owner_of
from hypothesis import given
from hypothesis import strategies as st

from allowsync.model.target import Effect

HERE, THERE = ItemOwnership("jellyfin"), ItemOwnership("jellyfin", "attic")
NAMES = st.integers(1, 18).map(lambda length: "jellyfin_upstairs2"[-length:])
OWNERS = st.none() | st.integers(1, 32).map(lambda length: ("attic-" * 6)[:length])
LABELS = st.integers(0, 30).map(lambda number: [f"host-{one}" for one in range(number)])


def test_two_owners_of_an_address_have_a_mark_each() -> None:
    one = HERE.added("", ["alice"])
    both = THERE.added(one, ["alice", "bob"])
    assert both == "allowsync:jellyfin::alice allowsync:jellyfin:attic:alice:bob"
    assert HERE.is_in(both)
    assert THERE.is_in(both)
    assert HERE.removed(both) == "allowsync:jellyfin:attic:alice:bob"
    assert THERE.removed(HERE.removed(both)) == ""


def test_our_mark_is_put_in_once() -> None:
    both = THERE.added(HERE.added("", ["alice"]), ["bob"])
    assert HERE.added(both, ["carl"]) == "allowsync:jellyfin:attic:bob allowsync:jellyfin::carl"


@pytest.mark.parametrize(
    "comment",
    ["", "by hand", "by hand allowsync:jellyfin::alice", " allowsync:jellyfin::", "allow"],
)
def test_a_comment_that_begins_otherwise_is_nobodys_mark(comment: str) -> None:
    assert not marked(comment)
    assert marks_of(comment) == ()
    assert not HERE.is_in(comment)


def test_a_mark_says_the_effect() -> None:
    blocking = ItemOwnership("jellyfin", "attic", Effect.DENY)
    made = blocking.added("", [])
    assert made == "allowsync:blocked.jellyfin:attic:"
    assert owner_of(made) == owner_of(THERE.added("", []))
    assert not THERE.is_in(made)
    assert THERE.is_turned(made)
    assert not blocking.is_turned(made)
    assert blocking.is_turned(THERE.added("", ["blocked"]))
    assert not HERE.is_turned(made), "another owner's"
    assert not blocking.is_turned(HERE.added(THERE.added("", []), []))


@pytest.mark.parametrize(
    "comment",
    [
        "allowsync:jellyfin2::alice",
        "allowsync:jellyfin:attic:",
        "allowsync:jellyfin:",
        "allowsync:",
    ],
)
def test_marks_of_others_are_not_ours(comment: str) -> None:
    assert not HERE.is_in(comment)
    assert HERE.others_in(comment) == (comment,)
    assert HERE.removed(HERE.added(comment, ["alice"])) == comment


def test_hosts_are_left_out_before_marks_are() -> None:
    full = THERE.added("", [f"host-number-{number}" for number in range(60)])
    both = HERE.added(full, ["alice"])
    assert len(both) <= LONGEST
    assert both.startswith("allowsync:jellyfin:attic:host-number-0:")
    assert both.endswith(":... allowsync:jellyfin::alice")


def crowd(number: int) -> str:
    return " ".join(f"allowsync:somebodys:{'x' * 30}{one:02}:" for one in range(number))


def test_where_the_marks_alone_do_not_fit_it_is_said() -> None:
    assert HERE.fits(crowd(8))
    assert not HERE.fits(crowd(9))
    with pytest.raises(ValueError, match="longer than a comment may be"):
        HERE.added(crowd(9), ["alice"])


@given(st.lists(st.tuples(NAMES, OWNERS, LABELS), max_size=12, unique_by=lambda one: one[:2]))
def test_every_owner_that_fits_is_found_again(
    several: list[tuple[str, str | None, list[str]]],
) -> None:
    comment, inside = "", []
    for allowlist, owner, hosts in several:
        mine = ItemOwnership(allowlist, owner)
        if mine.fits(comment):
            comment = mine.added(comment, hosts)
            inside.append(mine)
        assert len(comment) <= LONGEST
    assert {owner_of(one) for one in marks_of(comment)} == {
        (one.allowlist, one.owner or "") for one in inside
    }
    for mine in inside:
        comment = mine.removed(comment)
    assert comment == ""
