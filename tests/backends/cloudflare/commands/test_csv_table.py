"""Lists as comma-separated values: what is read is what was written, whatever it holds."""

from __future__ import annotations

import csv
import io
from ipaddress import IPv4Network, IPv6Network

import pytest
from allowsync_backends.cloudflare.commands.csv_table import Flaw, parsed, written
from allowsync_backends.cloudflare.values import ListItem, NewItem
from hypothesis import given
from hypothesis import strategies as st

ADDRESSES = st.one_of(
    st.builds(
        lambda bits, width: IPv4Network((bits, width), strict=False),
        st.integers(0, 2**32 - 1),
        st.integers(8, 32),
    ),
    st.builds(
        lambda bits, width: IPv6Network((bits, width), strict=False),
        st.integers(0, 2**128 - 1),
        st.integers(12, 128),
    ),
)
PRINTABLE = st.text(
    st.characters(exclude_categories=["C", "Zl", "Zp"]) | st.sampled_from("'=+-@\",;"), max_size=40
).filter(lambda text: text.isprintable())
V4 = IPv4Network("203.0.113.9")


@given(st.dictionaries(ADDRESSES, PRINTABLE, max_size=8))
def test_what_is_read_is_what_was_written(items: dict[IPv4Network, str]) -> None:
    text = written(ListItem("i", network, comment) for network, comment in items.items())
    assert parsed(text) == ([NewItem(*pair) for pair in items.items()], [])


@given(PRINTABLE)
def test_no_cell_is_a_formula(comment: str) -> None:
    rows = list(csv.reader(io.StringIO(written([ListItem("i", V4, comment)]), newline="")))
    assert rows[1][1][:1] not in set("=+-@\t\r")


def test_a_table_is_as_the_standard_has_it() -> None:
    items = [
        ListItem("a", V4, 'says "hi", twice'),
        ListItem("b", IPv6Network("2001:db8::/32"), ""),
        ListItem("c", IPv4Network("198.51.100.0/24"), '=HYPERLINK("x")'),
    ]
    assert written(items) == (
        "ip,comment\r\n"
        '203.0.113.9,"says ""hi"", twice"\r\n'
        "2001:db8::/32,\r\n"
        '198.51.100.0/24,"\'=HYPERLINK(""x"")"\r\n'
    )


@pytest.mark.parametrize(
    "text",
    [
        "203.0.113.9",
        "203.0.113.9\n",
        "ip\r\n203.0.113.9\r\n",
        "\ufeffIP,comment\n\n 203.0.113.9 ,\n\n",
        '"203.0.113.9"\n',
        "203.0.113.9/32,\n",
    ],
)
def test_a_table_may_be_written_in_several_ways(text: str) -> None:
    assert parsed(text) == ([NewItem(V4)], [])


def test_everything_that_is_wrong_is_named_with_its_line() -> None:
    text = "ip,comment\n203.0.113.9,ok\nnobody,x\n0.0.0.0/0,\n203.0.113.9/32,again\na,b,c\n"
    items, flaws = parsed(text)
    assert items == [NewItem(V4, "ok")]
    assert flaws == [
        Flaw(3, "'nobody' is not an address or a network such as 203.0.113.0/24"),
        Flaw(4, "'0.0.0.0/0' is too wide: a list takes /8 and narrower"),
        Flaw(5, "203.0.113.9 is already in line 2"),
        Flaw(6, "3 columns where there are 2"),
    ]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('203.0.113.9,"open', "this is not CSV"),
        ('203.0.113.9,"a"b', "this is not CSV"),
        ('203.0.113.9,"two\nlines"', "control character"),
        ("203.0.113.9," + "x" * 501, "more than 500"),
        ("203.0.113.9," + "x" * 200_000, "this is not CSV"),
        ("203.0.113.9,\x1b[2J", "control character"),
        ("203.0.113.9;x", "is not an address"),
    ],
)
def test_what_is_no_table_has_no_items(text: str, what: str) -> None:
    items, flaws = parsed(text)
    assert items == []
    assert what in flaws[0].what
