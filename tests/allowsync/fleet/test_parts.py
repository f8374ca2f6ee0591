"""Large envelopes: divided, and known by what stands in their place."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest

from allowsync.fleet.parts import LARGEST_PART, Head, divided, read_head

ENVELOPE = b"0123456789" * 250_000
DIGEST = sha256(ENVELOPE).hexdigest()


def test_parts_are_joined_to_what_was_divided() -> None:
    head, parts = divided(ENVELOPE)
    assert b"".join(parts) == ENVELOPE
    assert max(map(len, parts)) == LARGEST_PART
    assert head == Head(DIGEST, 3)
    assert head.names == (f"{DIGEST}/00", f"{DIGEST}/01", f"{DIGEST}/02")


def test_a_head_is_read_as_it_was_written() -> None:
    head = Head(DIGEST, 3)
    assert json.loads(head.written) == {"parts": 3, "sha256": DIGEST}
    assert read_head(head.written) == head


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b'{"payload":"","payloadType":"","signatures":[]}',
        b'{"parts":',
        b'{"parts":' + b"[" * 100_000,
        b'{"parts":1}',
        Head(DIGEST, 0).written,
        Head(DIGEST, 91).written,
        Head(DIGEST[:-1], 1).written,
        Head("../../leader".ljust(64, "/"), 1).written,
    ],
    ids=range(9),
)
def test_what_is_no_head_is_none(value: bytes) -> None:
    assert read_head(value) is None
