"""Envelopes: what is signed by a key that is trusted is opened, all else refused."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from contextlib import suppress
from random import Random
from typing import Any

import pytest

from allowsync.fleet import envelope as envelopes
from allowsync.fleet.envelope import TYPE, new_signing_key, opened, public_key_of, sealed
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
    assert envelopes._encoding(b"hello world") == f"DSSEv1 {length} {TYPE} 11 hello world".encode()


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
