"""Answers pass from process to process unchanged, and nothing else passes."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allowsync.dns.answer_lines import END, MAX_LINE, AnswerReader, Unbelievable, confined, written
from allowsync.model.answer import Absent, Answer, Found, Unavailable
from allowsync.model.types import Family, Query
from allowsync.system.fork import Confinement

QUERIES = [Query("alice.example.org", family) for family in (Family.IPV4, Family.IPV6)]


def taken(*pieces: bytes, first: bool = False) -> AnswerReader:
    reader = AnswerReader(QUERIES, first=first)
    for piece in pieces:
        reader.take(piece)
    return reader


@pytest.mark.parametrize(
    "answer",
    [
        Found((ip_address("203.0.113.7"),), 0),
        Found((ip_address("203.0.113.7"), ip_address("203.0.113.8")), 2**31 - 1),
        Absent("NXDOMAIN"),
        Absent("NODATA"),
        Unavailable("no answer in 3 s; SERVFAIL from [2001:db8::1]:53"),
    ],
)
def test_an_answer_arrives_as_it_was_given(answer: Answer) -> None:
    reader = taken(written(0, answer), END)
    assert (reader.answers, reader.is_over) == ({0: answer}, True)


def test_lines_may_come_in_any_pieces() -> None:
    text = written(0, Absent("NODATA")) + written(1, Found((ip_address("2001:db8::7"),), 60)) + END
    whole = taken(text)
    assert len(whole.answers) == 2
    assert taken(*(bytes((octet,)) for octet in text)).answers == whole.answers


def test_what_was_given_up_is_told_first_and_once() -> None:
    told = Confinement(is_sound=True, lacking="Landlock: Function not implemented")
    assert taken(confined(told), END, first=True).confinement == told
    for wrong in ((END,), (confined(told), confined(told)), (b"C 2 x\n",)):
        with pytest.raises(Unbelievable):
            assert not taken(*wrong, b"A 0 NODATA\n", first=True).is_over


@pytest.mark.parametrize(
    "line",
    [
        b"F 2 60 203.0.113.7",
        b"F -1 60 203.0.113.7",
        b"F 0 60 2001:db8::7",
        b"F 1 60 203.0.113.7",
        b"F 1 60 fe80::1%eth0",
        b"F 0 60 ",
        b"F 0 60",
        b"F 0 -1 203.0.113.7",
        b"F 0 2147483648 203.0.113.7",
        b"F 0 60 203.0.113.7/8",
        b"F 0 60 203.0.113.7,",
        b"F " + b"9" * 5000 + b" 60 203.0.113.7",
        b"F \xd9\xa0 60 203.0.113.7",
        b"A 0 REFUSED",
        b"A 0 NXDOMAIN ",
        b"X 0 NXDOMAIN",
        b"C 1 nothing",
        b"E 0 0",
        b"",
        b"U 0 \xff",
        b"U 0 " + b"x" * MAX_LINE,
        b"A 0 NODATA\nA 0 NODATA",
        b"E\nA 0 NODATA",
    ],
)
def test_whatever_else_comes_is_not_believed(line: bytes) -> None:
    with pytest.raises(Unbelievable):
        taken(line + b"\n")


def test_a_line_without_end_is_not_kept() -> None:
    with pytest.raises(Unbelievable):
        taken(b"U 0 ", *[b"x" * 4096] * 10)


def test_a_reason_does_nothing_to_a_terminal_and_is_cut() -> None:
    for reason in ("\x1b[2J\rred", "x" * 5000):
        (answer,) = taken(b"U 0 " + reason.encode() + b"\n").answers.values()
        assert isinstance(answer, Unavailable)
        assert answer.reason.isprintable()
        assert len(answer.reason) <= 300


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_no_bytes_do_anything_but_answer_or_be_refused(pieces: list[bytes]) -> None:
    reader = AnswerReader(QUERIES)
    try:
        for piece in pieces:
            reader.take(piece)
    except Unbelievable:
        pass
    for place, answer in reader.answers.items():
        assert place in range(len(QUERIES))
        assert isinstance(answer, Found | Absent | Unavailable)
