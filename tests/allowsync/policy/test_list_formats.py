"""Reading lists as others write them: every shape, and what is none."""

from __future__ import annotations

import json
from hashlib import sha256
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allowsync.model.list_source import ListFormat
from allowsync.policy import list_formats
from allowsync.policy.list_formats import (
    ListContent,
    ListError,
    check_digest,
    entry,
    read_list_content,
)
from allowsync.policy.lists import spelt

TEXT, JSON, LINES, CSV = ListFormat

FIREHOL = """\
#
# firehol_level1
#
# Maintainer URL         : http://iplists.firehol.org/
# Entries                : 4 subnets, 1024 unique IPs
#
0.0.0.0/8
1.10.16.0/20
45.9.20.0/24
224.0.0.0/3
"""
DROP = "; Spamhaus DROP List\n; Expires: soon\n1.10.16.0/20 ; SBL256894\n1.19.0.0/16;SBL434604\n"
DROP_LINES = (
    '{"cidr":"1.10.16.0/20","sblid":"SBL256894","rir":"apnic"}\n'
    '{"cidr":"2a06:e480::/29","sblid":"SBL301771","rir":"ripencc"}\n'
    '{"type":"metadata","timestamp":1,"size":9,"records":2,"copyright":"(c)"}\n'
)
AMAZON = json.dumps({"prefixes": [{"ip_prefix": "3.2.34.0/26"}, {"ip_prefix": "15.0.0.0/24"}]})
GOOGLE = json.dumps({"prefixes": [{"ipv4Prefix": "8.8.4.0/24"}, {"ipv6Prefix": "2001:4860::/32"}]})
TABLE = 'name,"range, as CIDR"\nspam, 1.10.16.0/20\n'

READ = {
    "FireHOL": (FIREHOL, TEXT, None, "0.0.0.0/8 1.10.16.0/20 45.9.20.0/24 224.0.0.0/3"),
    "Spamhaus DROP": (DROP, TEXT, None, "1.10.16.0/20 1.19.0.0/16"),
    "addresses": ("192.0.2.1\n2001:db8::1", TEXT, None, "192.0.2.1/32 2001:db8::1/128"),
    "line ends of others": ("\ufeff192.0.2.1\r\n::1\r\n", TEXT, None, "192.0.2.1/32 ::1/128"),
    "twice": ("192.0.2.1\n192.0.2.1/32", TEXT, None, "192.0.2.1/32"),
    "JSON lines": (DROP_LINES, LINES, "cidr", "1.10.16.0/20 2a06:e480::/29"),
    "texts, a line each": ('"192.0.2.1"\n\n"192.0.2.2"', LINES, "", "192.0.2.1/32 192.0.2.2/32"),
    "a path in JSON": (AMAZON, JSON, "prefixes.ip_prefix", "3.2.34.0/26 15.0.0.0/24"),
    "objects without the field": (GOOGLE, JSON, "prefixes.ipv4Prefix", "8.8.4.0/24"),
    "an array": ('["192.0.2.1", null]', JSON, None, "192.0.2.1/32"),
    "an array below a key": ('{"hooks": ["192.0.2.1"]}', JSON, "hooks", "192.0.2.1/32"),
    "a column by name": (TABLE, CSV, "range, as CIDR", "1.10.16.0/20"),
    "a column by number": ("a;192.0.2.1\n#b\nc;192.0.2.2", CSV, "2", "192.0.2.1/32 192.0.2.2/32"),
    "a column below a header": (TABLE, CSV, "2", "1.10.16.0/20"),
    "a single column": ("192.0.2.1\n192.0.2.2\n", CSV, "1", "192.0.2.1/32 192.0.2.2/32"),
}  # fmt: skip


@pytest.mark.parametrize("written", READ.values(), ids=READ)
def test_networks_are_read(written: tuple[str, ListFormat, str | None, str]) -> None:
    text, form, field, networks = written
    content = read_list_content(text.encode(), form, field)
    assert " ".join(map(spelt, content.entries)) == networks
    assert content.unread == 0


UNREAD = {
    "a name": "example.org",
    "host bits": "192.0.2.1/24",
    "a range": "192.0.2.1-192.0.2.9",
    "a netmask": "192.0.2.0/255.255.255.0",
    "too narrow": "192.0.2.0/33",
    "a sign": "192.0.2.0/+24",
    "no width": "192.0.2.0/",
    "a zone": "fe80::1%eth0",
    "a short form": "10.1",
    "octal": "192.0.02.1",
    "other digits": "192.0.2.0/\uff12\uff14",
    "two": "192.0.2.1 192.0.2.2",
    "much": "1" * 1000,
}


@pytest.mark.parametrize("text", UNREAD.values(), ids=UNREAD)
def test_what_is_no_network_is_counted(text: str) -> None:
    content = read_list_content(f"192.0.2.9\n{text}\n".encode(), TEXT, None)
    assert (content.count, content.unread, content.sample) == (1, 1, text[:80])


def test_lines_that_are_no_json_are_counted() -> None:
    text = '{"cidr": "192.0.2.1"}\n<br>\n{"other": 1}\n{"cidr": "192.0.2.2"}\n["192.0.2.3"]'
    content = read_list_content(text.encode(), LINES, "cidr")
    assert (content.count, content.unread, content.promised) == (2, 3, None)


def test_a_last_line_may_promise_how_many_there_are() -> None:
    assert read_list_content(DROP_LINES.encode(), LINES, "cidr").promised == 2
    odd = DROP_LINES.replace('"records":2', '"records":"many"')
    assert read_list_content(odd.encode(), LINES, "cidr").promised is None


def test_lines_that_a_quote_swallows_are_counted() -> None:
    lines = [f"192.0.2.{one},spam" for one in range(9)]
    for spoilt in ([3], [3, 7]):
        text = "\n".join(f'{one}"' if n in spoilt else one for n, one in enumerate(lines))
        read = read_list_content(text.replace('spam"', '"spam').encode(), CSV, "1")
        assert read.count + read.unread == len(lines)
        assert read.unread >= 4


def test_values_that_are_no_text_and_rows_without_the_column_are_counted() -> None:
    assert read_list_content(b'{"a": [1, {"b": 2}]}', JSON, "a").unread == 2
    assert read_list_content(b"a,b\nc\nd,192.0.2.1", CSV, "b").unread == 1


NONE = {
    "nothing": (b"", TEXT, None, "empty"),
    "white space": (b"\xef\xbb\xbf \n\n", TEXT, None, "empty"),
    "a web page": (b"\n<!DOCTYPE html>", TEXT, None, "HTML"),
    "a web page for JSON": (b"<html>", JSON, None, "HTML"),
    "UTF-16": ("192.0.2.1\n".encode("utf-16"), TEXT, None, "UTF-8"),
    "UTF-16 without a mark": ("192.0.2.1\n".encode("utf-16-le"), TEXT, None, "zero byte"),
    "Latin-1": ("192.0.2.1 # caf\xe9".encode("latin-1"), TEXT, None, "UTF-8"),
    "no JSON": (b"192.0.2.1", JSON, None, "not JSON"),
    "JSON that is cut short": (AMAZON[:-2].encode(), JSON, "prefixes", "not JSON"),
    "JSON without a bottom": (b"[" * 100_000, JSON, None, "nested too deeply"),
    "JSON with a bottom far down": (b"[" * 5000 + b"]" * 5000, JSON, None, "nested too deeply"),
    "no such column": (TABLE.encode(), CSV, "cidr", "no column 'cidr'"),
    "no such number": (TABLE.encode(), CSV, "3", "no column '3'"),
    "no rows": (b"# nothing", CSV, "1", "no column"),
    "a field without an end": (b'"' + b"a" * 200_000, CSV, "1", "not CSV"),
    "too much": (b"#" * (list_formats.LARGEST + 1), TEXT, None, "larger than 8 MiB"),
}  # fmt: skip


@pytest.mark.parametrize("written", NONE.values(), ids=NONE)
def test_what_is_no_list_is_told(written: tuple[bytes, ListFormat, str | None, str]) -> None:
    content, form, field, said = written
    with pytest.raises(ListError, match=said):
        read_list_content(content, form, field)


def test_a_digest_is_that_of_all_octets() -> None:
    check_digest(b"192.0.2.1", None)
    check_digest(b"192.0.2.1", sha256(b"192.0.2.1").hexdigest())
    with pytest.raises(ListError, match="another sha256"):
        check_digest(b"192.0.2.1\n", sha256(b"192.0.2.1").hexdigest())


def test_entries_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_formats, "MOST_ENTRIES", 2)
    with pytest.raises(ListError, match="more than 2"):
        read_list_content(b"192.0.2.1\nx\n192.0.2.3", TEXT, None)


@given(st.ip_addresses(), st.integers(0, 128))
def test_an_entry_is_what_the_standard_library_reads(address: object, width: int) -> None:
    text = f"{address}/{width}"
    try:
        expected = str(ip_network(text))
    except ValueError:
        expected = ""
    found = entry(text)
    assert (spelt(found) if found else "") == expected


@given(st.binary(max_size=200), st.sampled_from(ListFormat), st.sampled_from(["a", "1", "a.b"]))
def test_no_content_breaks_a_reader(content: bytes, form: ListFormat, field: str) -> None:
    try:
        found = read_list_content(content, form, field)
    except ListError:
        return
    assert isinstance(found, ListContent)
