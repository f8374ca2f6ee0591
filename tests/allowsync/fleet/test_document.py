"""Documents: canonical text and back, and what is refused of text that is none."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from allowsync.fleet.document import decoded, differs, encoded
from allowsync.fleet.fields import DocumentError
from allowsync.model.value import replace
from tests.allowsync.fleet.documents import DOCUMENT, HOUR, NOON, everything, held, simple

GOLDEN = Path(__file__).with_name("golden") / "everything.json"


def canonical(plain: object) -> bytes:
    return json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()


def plain() -> dict[str, Any]:
    found = json.loads(encoded(everything()))
    assert isinstance(found, dict)
    return found


def refused(changed: object) -> str:
    with pytest.raises(DocumentError) as caught:
        decoded(canonical(changed))
    return str(caught.value)


def test_the_text_of_a_document_stays_what_it_was() -> None:
    assert encoded(everything()) == GOLDEN.read_bytes().strip()


def test_a_document_says_the_same_when_it_is_read() -> None:
    assert decoded(encoded(everything())) == everything()
    assert encoded(decoded(encoded(everything()))) == encoded(everything())


def test_a_retired_list_has_no_hosts() -> None:
    retired = replace(DOCUMENT, retired=True)
    assert decoded(encoded(retired)) == retired
    assert refused({**plain(), "retired": True}) == "it is retired, and has hosts"


def test_the_greater_place_is_the_newer() -> None:
    assert replace(DOCUMENT, epoch=2, sequence=1).place > DOCUMENT.place


def test_keys_of_later_versions_are_ignored() -> None:
    assert decoded(canonical({**plain(), "later": [1]})) == everything()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is no JSON"),
        (b"\xff", "it is no JSON"),
        (b"[" * 100_000, "it is no JSON"),
        (b"[]", "an object is expected in it"),
        (b'{"schema": 1}', "it is no canonical JSON"),
        (b'{"schema":"x","schema":"x"}', "it is no canonical JSON"),
        (b'{"schema":NaN}', "it is no JSON"),
        (b"{}", "it lacks 'schema'"),
        (b" " * (64 * 2**20 + 1), "it is larger than 64 MiB"),
    ],
    ids=range(9),
)
def test_what_is_no_document_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(DocumentError, match=why):
        decoded(content)


def test_a_newer_schema_is_refused() -> None:
    assert "its schema is 'allowsync.list/2'" in refused({**plain(), "schema": "allowsync.list/2"})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("fleet", "x" * 65),
        ("fleet", "a\nb"),
        ("fleet", 1),
        ("epoch", 0),
        ("epoch", True),
        ("sequence", 2**53),
        ("sequence", 1.5),
        ("decided", -1),
        ("decided", 2**60),
        ("interval", 8 * 24 * 3600 * 10**6),
        ("hosts", {}),
        ("retired", 1),
    ],
)
def test_a_field_out_of_bounds_is_refused(field: str, value: object) -> None:
    assert refused({**plain(), field: value}) == f"its '{field}' is not what is expected there"


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("name", "Alice", "'Alice' is no name"),
        ("hostnames", ["a b"], "'a b' is no name"),
        ("hostnames", ["x." * 130], "is not what is expected"),
        ("hostnames", ["a\x07"], "is not what is expected"),
        ("families", ["ipv5"], "'ipv5' is no family"),
        ("ipv4_prefix", 8, "/16 is the widest"),
        ("ipv6_prefix", 129, "is not what is expected"),
        ("networks", [{"network": "0.0.0.0/0"}], "is no network to be granted"),
        ("networks", [{"network": "81.2.70.1/24"}], "is no network to be granted"),
        ("networks", [{"network": "127.0.0.0/16"}], "is no network to be granted"),
        ("networks", ["81.2.70.0/24"], "an object is expected"),
        ("revoked_networks", ["x"], "is no network"),
        ("policy", {"accept": ["0.0.0.0/8"]}, "is no network to be granted"),
        ("policy", {"keep_absent": -1}, "is not what is expected"),
        ("queries", [{"hostname": "a.example", "family": "ipv4", "held": [{}]}], "lacks 'address'"),
        (
            "queries",
            [{"hostname": "a.example", "family": "ipv4", "held": [{"address": "fe80::1%eth0"}]}],
            "is no address",
        ),
        (
            "queries",
            [{"hostname": "a.example", "family": "ipv4", "held": [{"address": "1.2.3"}]}],
            "is no address",
        ),
    ],
)
def test_a_host_that_cannot_be_is_refused(field: str, value: object, why: str) -> None:
    document = plain()
    document["hosts"][0][field] = value
    assert why in refused(document)


def test_two_hosts_of_one_name_are_refused() -> None:
    document = plain()
    document["hosts"] *= 2
    assert refused(document) == "it has two hosts of one name"


def test_that_all_was_confirmed_once_more_is_no_difference() -> None:
    before = replace(DOCUMENT, hosts=(simple(),))
    (host,) = before.hosts
    ((query, track),) = host.memory.tracks.items()
    again = replace(track, held=(replace(track.held[0], confirmed=NOON),), last_found=NOON)
    later = replace(
        before,
        sequence=8,
        decided=NOON + HOUR,
        hosts=(replace(host, memory=replace(host.memory, tracks={query: again})),),
    )
    assert not differs(before, later)
    moved = replace(track, held=(held("81.2.69.2"),))
    other = replace(
        before, hosts=(replace(host, memory=replace(host.memory, tracks={query: moved})),)
    )
    assert differs(before, other)
    silent = replace(track, unavailable_runs=1, reason="SERVFAIL")
    more = replace(silent, unavailable_runs=9, reason="no answer")
    first, second = (
        replace(before, hosts=(replace(host, memory=replace(host.memory, tracks={query: one})),))
        for one in (silent, more)
    )
    assert differs(before, first)
    assert not differs(first, second)
    nothing = replace(track, held=(), last_found=None)
    lost = replace(
        before, hosts=(replace(host, memory=replace(host.memory, tracks={query: nothing})),)
    )
    assert differs(before, lost)
    assert differs(before, replace(before, interval=timedelta(hours=2)))
    assert differs(before, replace(before, retired=True, hosts=()))


def test_a_document_with_any_octet_changed_is_read_or_refused() -> None:
    whole, chance = encoded(everything()), Random(17)
    for _ in range(500):
        changed = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        with suppress(DocumentError):
            decoded(bytes(changed))
