"""Envelopes: what is signed by a key that is trusted is opened, all else refused."""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from contextlib import suppress
from random import Random
from typing import Any

import pytest

from allowsync.fleet import envelope as envelopes
from allowsync.fleet.envelope import (
    COMPRESSED,
    COMPRESSED_FROM,
    TYPE,
    new_signing_key,
    opened,
    public_key_of,
    sealed,
)
from allowsync.fleet.fields import DocumentError

PRIVATE = new_signing_key()
PUBLIC = public_key_of(PRIVATE)
OTHER = public_key_of(new_signing_key())


def changed(**fields: Any) -> bytes:
    return json.dumps({**json.loads(sealed(b"{}", PRIVATE)), **fields}).encode()


def test_what_was_signed_is_opened() -> None:
    assert opened(sealed(b"payload", PRIVATE), [OTHER, PUBLIC]) == b"payload"


def test_the_example_of_dsse_is_encoded_as_it_says() -> None:
    """The example of its protocol, but for the type, which is ours."""
    length = len(TYPE)
    expected = f"DSSEv1 {length} {TYPE} 11 hello world".encode()
    assert envelopes._encoding(TYPE, b"hello world") == expected


LARGE = b"all alike " * 10_000


def test_a_large_payload_is_carried_compressed() -> None:
    made = sealed(LARGE, PRIVATE)
    assert json.loads(made)["payloadType"] == COMPRESSED
    assert len(made) < len(LARGE) / 100
    assert opened(made, [PUBLIC]) == LARGE


def test_what_is_small_can_be_read_as_it_lies_there() -> None:
    for size, kind in ((COMPRESSED_FROM - 1, TYPE), (COMPRESSED_FROM, COMPRESSED)):
        made = sealed(bytes(size), PRIVATE)
        assert json.loads(made)["payloadType"] == kind
        assert opened(made, [PUBLIC]) == bytes(size)


def test_the_signature_says_whether_it_is_compressed() -> None:
    made = json.loads(sealed(LARGE, PRIVATE))
    with pytest.raises(DocumentError, match="its signature is wrong"):
        opened(json.dumps({**made, "payloadType": TYPE}).encode(), [PUBLIC])
    with pytest.raises(DocumentError, match="its signature is wrong"):
        opened(changed(payloadType=COMPRESSED), [PUBLIC])


def test_nothing_unsigned_is_decompressed(monkeypatch: pytest.MonkeyPatch) -> None:
    made = sealed(LARGE, PRIVATE)
    monkeypatch.delattr(envelopes, "_decompressed")
    with pytest.raises(DocumentError, match="signed by no key"):
        opened(made, [OTHER])


@pytest.mark.parametrize(
    ("carried", "why"),
    [
        (b"no stream at all", "what cannot be decompressed"),
        (zlib.compress(LARGE)[:-9], "cut short, or larger than 64 MiB"),
        (zlib.compress(LARGE) + b"more", "cut short, or larger than 64 MiB"),
        (zlib.compress(bytes(64 * 2**20 + 1)), "cut short, or larger than 64 MiB"),
    ],
    ids=range(4),
)
def test_a_signed_stream_is_bounded_and_whole(
    carried: bytes, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(envelopes, "COMPRESSED_FROM", 0)
        patch.setattr(zlib, "compress", lambda _: carried)
        made = sealed(b"", PRIVATE)
    with pytest.raises(DocumentError, match=why):
        opened(made, [PUBLIC])


def test_a_signature_of_rfc_8032_is_made_as_there() -> None:
    """Test 1 of section 7.1: the public key of a private one."""
    secret = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    key = f"ed25519-private:{b64encode(secret).decode()}"
    assert public_key_of(key) == f"ed25519:{b64encode(public).decode()}"


def test_another_key_is_named_as_the_reason() -> None:
    with pytest.raises(DocumentError, match="signed by no key that is trusted here"):
        opened(sealed(b"payload", PRIVATE), [OTHER])


@pytest.mark.parametrize(
    ("envelope", "why"),
    [
        (b"", "it is empty"),
        (b"nothing", "it is no JSON"),
        (b"[" * 100_000, "it is no JSON"),
        (b"[]", "an object is expected"),
        (b" " * (90 * 2**20 + 1), "it is larger than 90 MiB"),
        (changed(payloadType="text/plain"), "an envelope of something else"),
        (changed(payload="?"), "what is no base64"),
        (changed(payload=b64encode(b"[]").decode()), "its signature is wrong"),
        (changed(signatures=[]), "signed by no key"),
        (changed(signatures=[{"keyid": PUBLIC, "sig": "AAAA"}]), "its signature is wrong"),
        (changed(signatures=[{"sig": "AAAA"}] * 9), "'signatures' is not what is expected"),
    ],
    ids=range(11),
)
def test_what_is_no_signed_envelope_is_refused(envelope: bytes, why: str) -> None:
    with pytest.raises(DocumentError, match=why):
        opened(envelope, [PUBLIC])


@pytest.mark.parametrize(
    "key", ["", "x", "ed25519:AAAA", PUBLIC, "ed25519-private:?"], ids=range(5)
)
def test_what_is_no_private_key_signs_nothing(key: str) -> None:
    with pytest.raises(DocumentError):
        sealed(b"payload", key)


def test_no_change_of_an_envelope_makes_another_payload() -> None:
    whole, chance, read = sealed(b'{"a":1}', PRIVATE), Random(17), set()
    for _ in range(500):
        mutant = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            mutant[chance.randrange(len(mutant))] = chance.randrange(256)
        with suppress(DocumentError):
            read.add(opened(bytes(mutant), [PUBLIC]))
    assert read <= {b'{"a":1}'}
    assert b64decode(json.loads(whole)["payload"]) == b'{"a":1}'
