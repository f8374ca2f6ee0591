"""The mark of a text that a template made: whatever was written is read back, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from allowsync_backends.file.template_mark import digest, leading, mark_of, several
from hypothesis import given, settings
from hypothesis import strategies as st

from allowsync.model.types import Entry, by_network
from tests.support.entries import held
from tests.support.templates import entries
from tests.support.values import net

BRIEFLY = settings(max_examples=50, deadline=None)
SOURCE = digest(b"template")
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
COMMENT = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=15)


@BRIEFLY
@given(held(), TEXT, COMMENT, st.sampled_from(["", " "]))
def test_whatever_was_marked_is_read_back(
    some: list[Entry], text: str, comment: str, space: str
) -> None:
    mark = mark_of("jellyfin", some, SOURCE, text)
    found = leading(mark.lines(comment + space) + text)
    assert found is not None
    assert (found.mark, found.text) == (mark, text)
    assert found.comment == comment + space
    assert found.mark.entries == tuple(sorted(some, key=lambda one: by_network(one.network)))
    assert found.mark.is_of(text)
    assert not found.mark.is_of(text + " ")


@BRIEFLY
@given(st.lists(st.tuples(held(), TEXT), max_size=4))
def test_several_marks_are_read_back_in_order(some: list[tuple[list[Entry], str]]) -> None:
    marks = tuple(mark_of("jellyfin", one, SOURCE, text) for one, text in some)
    assert several("".join(one.lines() for one in marks)) == marks


@BRIEFLY
@given(held(), st.data())
def test_a_mark_in_which_anything_was_changed_is_not_of_its_text(
    some: list[Entry], data: st.DataObject
) -> None:
    lines = mark_of("x", some, SOURCE, "text").lines()
    start = lines.index("\n") + 1  # what is before is for people
    at = data.draw(st.integers(start, len(lines) - 2))
    other = data.draw(st.sampled_from(sorted(set("0123456789abcdef.:/ z\n") - {lines[at]})))
    found = leading(lines[:at] + other + lines[at + 1 :])
    assert found is None or not found.mark.is_of("text")


def test_the_lines_say_whose_each_network_is() -> None:
    some = entries(alice="81.2.69.1 81.2.69.2", bob="81.2.69.2", replaced="alice 81.2.69.1")
    assert mark_of("x", [*some, Entry(net("2a02::/64"))], SOURCE, "").lines("; ").splitlines()[
        1:-1
    ] == [
        "; 81.2.69.1/32 alice (replaced)",
        "; 81.2.69.2/32 alice",
        "; 81.2.69.2/32 bob",
        "; 2a02::/64",
    ]


def test_no_line_is_longer_than_programs_take() -> None:
    everybody = tuple(f"host{number:02}".ljust(40, "x") for number in range(100))
    longest = Entry(net("2a02:8109:9a40:1234:5678:9abc:def0:1234"), everybody, everybody)
    lines = mark_of("a" * 18, [longest], SOURCE, "").lines("#" * 16).splitlines()
    assert len(lines) == 102
    assert max(map(len, lines)) < 130


@pytest.mark.parametrize("end", ["", "\n", "\nbody\n"])
def test_a_mark_ends_where_its_last_line_does(end: str) -> None:
    lines = mark_of("x", entries(alice="81.2.69.1"), SOURCE, "").lines("# ")
    found = leading(lines.removesuffix("\n") + end)
    assert found is not None
    assert found.text == end.removeprefix("\n")


@pytest.mark.parametrize(
    "spoiled",
    [
        "",
        "deny all;\n",
        'Written by allowsync for allowlist "x". Do not edit: changes are overwritten.\n',
        "\n{}",
        " {}",
    ],
)
def test_what_begins_otherwise_has_no_mark(spoiled: str) -> None:
    lines = mark_of("x", (), SOURCE, "").lines("")
    found = leading(spoiled.format(lines))
    assert found is None or not found.text


def test_digests_differ_where_parts_are_cut_in_another_way() -> None:
    assert len({digest(b"ab", b"c"), digest(b"a", b"bc"), digest(b"abc"), digest(b"abc", b"")}) == 4


@pytest.mark.parametrize("line", ["10.0.0.1/24 alice", "999.1.1.1/32 alice", "::ffff/200"])
def test_a_line_that_is_no_network_is_passed_over(line: str) -> None:
    good = mark_of("x", entries(bob="81.2.69.2"), SOURCE, "text").lines()
    head, _, rest = good.partition("\n")
    found = leading(f"{head}\n{line}\n{rest}")
    assert found is not None
    assert found.mark.entries == entries(bob="81.2.69.2")


@pytest.mark.parametrize(
    "other",
    [
        {"allowlist": "y"},
        {"entries": entries(alice="81.2.69.2")},
        {"entries": entries(bob="81.2.69.1")},
        {"entries": entries(alice="81.2.69.1", replaced="alice 81.2.69.1")},
        {"source": digest(b"another")},
    ],
    ids=lambda other: next(iter(other)),
)
def test_a_mark_with_anything_of_another_is_not_of_the_text(other: dict[str, Any]) -> None:
    mark = mark_of("x", entries(alice="81.2.69.1"), SOURCE, "text")
    assert mark.is_of("text")
    assert not replace(mark, **other).is_of("text")
